/* SPDX-License-Identifier: GPL-2.0-only */
/* The platform that a machine under qtest is, for the reference hypervisor. */
#ifndef NIT_QTEST_PLATFORM_H
#define NIT_QTEST_PLATFORM_H

#include "hyp/platform.h"
#include "machine.h"

/**
 * platform_qtest() - The face of @machine without devices; they are added to platform->devices
 *
 * QEMU's IOMMUs do what they are told before the access to their registers is over, and interrupt
 * by wires that nothing here is connected to: the hypervisor is told of an interrupt whenever there
 * may have been one, and looks.
 */
void platform_qtest(struct platform *platform, struct qtest_machine *machine);

#endif
