/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NIT_VFIO_USER_LISTENER_H
#define NIT_VFIO_USER_LISTENER_H

/** listen_at() - A UNIX socket @dir/@name that listens, for one client; the file, or -errno */
int listen_at(const char *dir, const char *name);

#endif
