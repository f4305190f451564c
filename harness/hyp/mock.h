/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference hypervisor with the vendor that the kernel has for its own tests: mock devices with
 * caches that can be looked at, driven by IOMMU_TEST_CMD. No hardware, no platform; user memory is
 * wherever user space has it. So the uAPI suite and the model run on the reference, too.
 */
#ifndef NIT_HYP_MOCK_H
#define NIT_HYP_MOCK_H

#include "iommufd/iommufd.h"

/** mock_iommufd_open() - A context of a hypervisor of its own, which goes with it; 0 or -errno */
int mock_iommufd_open(struct iommufd *iommufd);

#endif
