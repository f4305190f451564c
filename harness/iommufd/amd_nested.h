/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NOT UPSTREAM: the invalidation and vIOMMU uAPI that nit's reference gives to AMD.
 *
 * Linux 7.3 has struct iommu_hwpt_amd_guest, the nested page table described by a guest's device
 * table entry, and nothing to invalidate it with. What is missing is defined here, shaped as the
 * analysis that the other vendors' uAPI came from describes it (Jason Gunthorpe, "[PATCH v6 0/6]
 * iommufd: Add nesting infrastructure (part 2/2)", 2023-12-08): the vIOMMU object takes the
 * guest's own commands; the hypervisor puts pDomainIDs for vDomainIDs and pRIDs for vRIDs. The
 * type numbers are ours, far from what the kernel may give out ("NIT" and a number).
 */
#ifndef NIT_IOMMUFD_AMD_NESTED_H
#define NIT_IOMMUFD_AMD_NESTED_H

#include <linux/types.h>

#define NIT_AMD_TYPE(_n)	(0x4e495400U + (_n))

#define IOMMU_VIOMMU_TYPE_AMD			NIT_AMD_TYPE(1)
#define IOMMU_VIOMMU_INVALIDATE_DATA_AMD	NIT_AMD_TYPE(2)
#define IOMMU_VEVENTQ_TYPE_AMD			NIT_AMD_TYPE(3)
#define IOMMU_HW_QUEUE_TYPE_AMD_CMD		NIT_AMD_TYPE(4)
#define IOMMU_HW_QUEUE_TYPE_AMD_EVENT		NIT_AMD_TYPE(5)
#define IOMMU_HW_QUEUE_TYPE_AMD_PPR		NIT_AMD_TYPE(6)

/**
 * enum iommu_viommu_amd_flags
 * @IOMMU_VIOMMU_AMD_HW: a hardware vIOMMU: the guest may own its queues (IOMMU_HW_QUEUE_TYPE_AMD_*)
 *	and ring their doorbells itself
 */
enum iommu_viommu_amd_flags {
	IOMMU_VIOMMU_AMD_HW = 1 << 0,
};

/**
 * struct iommu_viommu_amd - data of IOMMU_VIOMMU_TYPE_AMD; optional: without it, no flags
 * @flags: enum iommu_viommu_amd_flags; unknown ones are EOPNOTSUPP, so is IOMMU_VIOMMU_AMD_HW
 *	without the hardware for it
 * @out_gid: the guest id that hardware knows this vIOMMU by; 0 for none
 * @out_mmap_offset, @out_mmap_length: the guest's third page of IOMMU registers (48882 MMIO offset
 *	2000h: head and tail pointers of the three queues), for the guest to use as its own; length
 *	0 without IOMMU_VIOMMU_AMD_HW
 *
 * VDEVICE_ALLOC makes the guest's DeviceID known (virt_id <= 0xffff else EINVAL). A nested HWPT
 * (IOMMU_HWPT_DATA_AMD_GUEST) is allocated on the vIOMMU; its guest DomainID gets a host DomainID
 * that all nested HWPTs of this vIOMMU with the same guest DomainID share, and no other.
 * Attaching a device to it takes a vDEVICE of that device on this vIOMMU, else ENOENT.
 * The device has its PASID capability enabled while it is attached to one made with
 * IOMMU_HWPT_ALLOC_PASID, and ATS while DTE[I] of the guest is set.
 */
struct iommu_viommu_amd {
	__u32 flags;
	__u32 out_gid;
	__aligned_u64 out_mmap_offset;
	__aligned_u64 out_mmap_length;
};

/**
 * struct iommu_viommu_amd_invalidate - one entry of IOMMU_VIOMMU_INVALIDATE_DATA_AMD
 * @cmd: a command as the guest wrote it (48882 section 2.4)
 *
 * Target: the vIOMMU. Or any nested HWPT made on it: it takes only INVALIDATE_IOMMU_PAGES, for
 * the guest DomainID that it was made with, else EINVAL.
 *
 * - INVALIDATE_IOMMU_PAGES: the guest's DomainID is translated. A DomainID that no nested HWPT
 *   has tags nothing: done. GN = 0 is about the guest's own host tables, which are nested ones
 *   here: the whole domain is invalidated.
 * - INVALIDATE_IOTLB_PAGES: the guest's DeviceID is translated; ENOENT without such a vDEVICE.
 *   The queue id and MaxPend are the hypervisor's. For a device without ATS: done. A device that
 *   does not answer in time: ETIMEDOUT; the hypervisor no longer lets it use ATS, and blocks it.
 * - INVALIDATE_DEVTAB_ENTRY: ENOENT as above. Drops what is cached of the device's table entry;
 *   a changed guest entry takes effect by attaching another nested HWPT.
 * - INVALIDATE_IOMMU_ALL: all DomainIDs and devices of this vIOMMU at least.
 * - INVALIDATE_INTERRUPT_TABLE, PREFETCH_IOMMU_PAGES: accepted, nothing to do.
 * - COMPLETION_WAIT and COMPLETE_PPR_REQUEST are the VMM's business: EIO, as is what the
 *   specification does not have, or a reserved bit that is set.
 *
 * Commands take effect in order; each has done so when the call returns. On error, entry_num says
 * how many of them, from the first one, have.
 */
struct iommu_viommu_amd_invalidate {
	__aligned_le64 cmd[2];
};

/**
 * struct iommu_vevent_amd - IOMMU_VEVENTQ_TYPE_AMD
 * @event: an event log entry (48882 section 2.5) about a device or a domain of this vIOMMU, with
 *	the guest's DeviceID and DomainID in it
 */
struct iommu_vevent_amd {
	__aligned_le64 event[2];
};

/*
 * IOMMU_HW_QUEUE_TYPE_AMD_*, of a vIOMMU with IOMMU_VIOMMU_AMD_HW: index 0 only (EINVAL), one of
 * each type (EEXIST). @length is a power of two from 4 KiB to 512 KiB, @nesting_parent_iova
 * aligned to 4 KiB, else EINVAL. Hardware runs the guest's commands by itself: ids are translated
 * by its own DeviceID and DomainID tables, completion waits store to guest physical addresses.
 * An id that the tables do not have does nothing, and is an event in that guest's event log.
 */

#endif
