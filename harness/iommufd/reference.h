/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test of suites/uapi may ask of who answers it. */
#ifndef NIT_IOMMUFD_REFERENCE_H
#define NIT_IOMMUFD_REFERENCE_H

#include <stdbool.h>

/** iommufd_is_reference() - The reference hypervisor is in the kernel's place (NIT_IOMMUFD) */
bool iommufd_is_reference(void);

/**
 * NEEDS_KERNEL() - Skip what is about the kernel's own machinery and means nothing elsewhere
 * @_what: the machinery, a string constant
 * @_return: statement that leaves the function: return, or return false
 */
#define NEEDS_KERNEL(_return, _what) do { \
	if (iommufd_is_reference()) \
		SKIP(_return, "not on the reference hypervisor: " _what); \
} while (0)

#endif
