/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI function behind one socket: answers the commands of vfio-user with a configuration space,
 * BARs and an MSI. What the function is comes from its ops (iommu_function.c, endpoint_function.c).
 */
#ifndef NIT_VFIO_USER_FUNCTION_H
#define NIT_VFIO_USER_FUNCTION_H

#include <pthread.h>

#include "client_memory.h"
#include "config_space.h"
#include "connection.h"

struct function;

/**
 * struct function_ops - called with the lock held for reading
 * @bar_read, @bar_write: @len bytes at @offset of a BAR, within its size; 0 or -errno
 * @configured: software has written to the configuration space
 * @reset: the client resets the function; the configuration space has been reset already
 */
struct function_ops {
	int (*bar_read)(struct function *function, unsigned int bar, uint64_t offset, void *data,
			uint32_t len);
	int (*bar_write)(struct function *function, unsigned int bar, uint64_t offset,
			 const void *data, uint32_t len);
	void (*configured)(struct function *function);
	void (*reset)(struct function *function);
};

/** struct function_bar - @fd: shared memory that the client may map, -1: it asks us */
struct function_bar {
	uint32_t size;
	int fd;
};

/**
 * struct function
 * @lock: for reading while hardware works, for writing while client memory changes
 * @memory: where DMA_MAP of this client goes, NULL: nowhere; @memory_changed: called after it,
 *	with the lock held for writing
 * @msi_fd: eventfd, -1: none
 * @greeted: VERSION was agreed upon
 */
struct function {
	const struct function_ops *ops;
	void *priv;
	char name[20];
	struct config_space config;
	struct function_bar bars[WIRE_BARS];
	struct connection connection;
	pthread_rwlock_t *lock;
	struct client_memory *memory;
	void (*memory_changed)(void *arg);
	void *memory_arg;
	unsigned int msi_count;
	int msi_fd;
	bool greeted;
};

/** function_init() - Nobody is connected, the configuration space is empty */
void function_init(struct function *function, const char *name, const struct function_ops *ops,
		   void *priv, pthread_rwlock_t *lock);

/** function_connect() - A client on socket @fd; -EBUSY: there is one already */
int function_connect(struct function *function, int fd);
void function_disconnect(struct function *function);

/** function_serve() - Answer what has arrived; 0, or -errno: the client is to be disconnected */
int function_serve(struct function *function);

/** function_interrupt() - Raise the MSI, if the client has connected it */
void function_interrupt(struct function *function);

#endif
