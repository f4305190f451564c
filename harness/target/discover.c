// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discover.h"
#include "hw_info.h"
#include "iommufd/iommufd.h"

#define PCI_DEVICES 256
#define PCIE_ECAP_ATS 0x0f	/* PCIe 7.8.8 */
#define PCIE_ECAP_PRI 0x13	/* 10.5.2 */
#define STALL_NEVER 1		/* SMMU_IDR0.STALL_MODEL: faults terminate */

static bool is_named(const char *list, const char *bdf)
{
	const char *at = strstr(list, bdf);
	size_t len = strlen(bdf);

	return at && (at == list || at[-1] == ',') && (!at[len] || at[len] == ',');
}

static bool look_at(struct found *found, const char *bdf, const char *named)
{
	struct pci_id id;

	*found = (struct found){};
	if (named && !is_named(named, bdf))
		return false;
	if (pci_identify(bdf, &id) || pci_iommu(bdf, found->iommu, sizeof(found->iommu)))
		return false;
	found->driver = dma_driver_of(&id);
	snprintf(found->bdf, sizeof(found->bdf), "%s", bdf);
	return named || (found->driver && !pci_give_to_vfio(bdf));
}

/* Stable: by driver, then as they came, which is by BDF */
static void insert(struct found *all, unsigned int count, const struct found *found)
{
	unsigned int at = count;

	while (at && dma_driver_rank(all[at - 1].driver) > dma_driver_rank(found->driver)) {
		all[at] = all[at - 1];
		at--;
	}
	all[at] = *found;
}

static const char *named_devices(void)
{
	const char *named = getenv("NIT_DEVICE");

	return named && *named ? named : NULL;
}

unsigned int discover(struct found *found, unsigned int max)
{
	static char bdfs[PCI_DEVICES][PCI_BDF_SIZE];
	const char *named = named_devices();
	unsigned int count = pci_devices(bdfs, PCI_DEVICES), n = 0;
	struct found one;

	for (unsigned int i = 0; i < count && n < max; i++)
		if (look_at(&one, bdfs[i], named))
			insert(found, n++, &one);
	return n;
}

static unsigned int of_driver(const struct dma_driver *driver)
{
	return !driver ? 0 : TARGET_DMA |
	       (driver->dma_start ? TARGET_HELD : 0) |
	       (driver->want_moment ? TARGET_WAITING : 0) | (driver->turn ? TARGET_KNOBS : 0) |
	       (driver->dma ? TARGET_READ | TARGET_ATOMIC : 0) |
	       (driver->counts ? TARGET_COUNTS : 0);
}

static const char *vendor_of(uint32_t type)
{
	return type == IOMMU_HW_INFO_TYPE_INTEL_VTD ? "intel" :
	       type == IOMMU_HW_INFO_TYPE_AMD ? "amd" :
	       type == IOMMU_HW_INFO_TYPE_ARM_SMMUV3 ? "arm" : NULL;
}

/*
 * Whether a kernel nests on an IOMMU depends on more than the hardware: its command line, errata,
 * what firmware says of coherence. So try; what goes wrong otherwise is for the tests to say.
 */
static bool is_nesting(struct iommufd *iommufd, uint32_t dev_id, uint32_t type)
{
	uint32_t ioas, parent, viommu;
	int rc = __ioas_alloc(iommufd, &ioas);

	rc = rc ?: __hwpt_alloc(iommufd, dev_id, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, &parent);
	if (!rc && type == IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		rc = __viommu_alloc(iommufd, dev_id, parent, IOMMU_VIOMMU_TYPE_ARM_SMMUV3, NULL, 0,
				    &viommu);
	return rc != -EOPNOTSUPP;
}

static int of_iommu(struct found *found, struct iommufd *iommufd, uint32_t dev_id)
{
	union {
		struct iommu_hw_info_arm_smmuv3 arm;
		struct iommu_hw_info_amd amd;
		struct iommu_hw_info_vtd vtd;
		uint8_t room[256];
	} info = {};
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t pasid;
	int rc = __get_hw_info(iommufd, dev_id, &type, &info, &len, &capabilities, &pasid);

	if (rc)
		return rc;
	found->vendor = vendor_of(type);
	if (!(capabilities & IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED) &&
	    pci_has_extended(found->bdf, PCIE_ECAP_ATS))
		found->has |= TARGET_ATS;
	if (found->has & TARGET_ATS && found->driver && found->driver->page_request &&
	    pci_has_extended(found->bdf, PCIE_ECAP_PRI))
		found->has |= TARGET_PRI;
	if (pasid)
		found->has |= TARGET_PASID;
	/* A guest's machine was made for the tests: if it does not nest they fail, not skip. */
	if (!named_devices() || is_nesting(iommufd, dev_id, type))
		found->has |= TARGET_NEST;
	if (capabilities & IOMMU_HW_CAP_DIRTY_TRACKING)
		found->has |= TARGET_DIRTY;
	/* Linux's SMMUv3 driver turns PRI on in no device, and denies what comes all the same. */
	if (type == IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		found->has &= ~TARGET_PRI;
	found->has |= hw_info_has(type, &info) & TARGET_STALL;
	return 0;
}

int discover_abilities(struct found *found)
{
	struct vfio_device vfio;
	struct iommufd iommufd;
	int rc = __iommufd_open(&iommufd);

	if (rc)
		return rc;
	found->has = of_driver(found->driver);
	rc = vfio_open(&vfio, found->bdf, iommufd.fd);
	if (!rc) {
		rc = of_iommu(found, &iommufd, vfio.dev_id);
		vfio_close(&vfio);
	}
	iommufd_close(&iommufd);
	return rc;
}
