/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock's caches: which of their words are still full, and the entries that empty them.
 * A nested HWPT has IOTLB words, a device cache words; an invalidation sets words to 0.
 */
#ifndef NIT_SUITES_UAPI_CACHE_H
#define NIT_SUITES_UAPI_CACHE_H

#include "vm.h"

#define CACHE_WORDS 4
#define CACHE_FULL ((1u << CACHE_WORDS) - 1)
#define CACHE_BROKEN 0xbad0000u		/* a word is neither what it was nor 0 */

_Static_assert(MOCK_NESTED_DOMAIN_IOTLB_NUM == CACHE_WORDS, "IOTLB words of a nested HWPT");
_Static_assert(MOCK_DEV_CACHE_NUM == CACHE_WORDS, "cache words of a device");

typedef int cache_check(struct iommufd *iommufd, uint32_t id, uint32_t index, uint32_t value);

/* Bit i: word i still holds @value */
static inline uint32_t cache_words(struct iommufd *iommufd, cache_check *check, uint32_t id,
				   uint32_t value)
{
	uint32_t full = 0;

	for (uint32_t i = 0; i < CACHE_WORDS; i++) {
		if (!check(iommufd, id, i, value))
			full |= 1u << i;
		else if (check(iommufd, id, i, 0))
			return CACHE_BROKEN | i;
	}
	return full;
}

/* IOTLB words of a nested HWPT made by mock_hwpt_alloc_nested(..., VM_IOTLB) */
static inline uint32_t iotlb_words(struct iommufd *iommufd, uint32_t hwpt)
{
	return cache_words(iommufd, __mock_check_iotlb, hwpt, VM_IOTLB);
}

/* Cache words of a device */
static inline uint32_t device_words(struct iommufd *iommufd, uint32_t idev)
{
	return cache_words(iommufd, __mock_check_cache, idev, IOMMU_TEST_DEV_CACHE_DEFAULT);
}

/* One entry to a nested HWPT; 0 if it was done and counted */
static inline int iotlb_invalidate(struct iommufd *iommufd, uint32_t hwpt, uint32_t flags,
				   uint32_t iotlb_id)
{
	struct iommu_hwpt_invalidate_selftest entry = { .flags = flags, .iotlb_id = iotlb_id };
	uint32_t num = 1;
	int rc = __hwpt_invalidate(iommufd, hwpt, IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, &entry,
				   sizeof(entry), &num);

	return rc ?: num == 1 ? 0 : -EIO;
}

/* One entry to a vIOMMU; 0 if it was done and counted */
static inline int device_invalidate(struct iommufd *iommufd, uint32_t viommu, uint32_t flags,
				    uint32_t virt_id, uint32_t cache_id)
{
	struct iommu_viommu_invalidate_selftest entry = {
		.flags = flags, .vdev_id = virt_id, .cache_id = cache_id,
	};
	uint32_t num = 1;
	int rc = __hwpt_invalidate(iommufd, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
				   &entry, sizeof(entry), &num);

	return rc ?: num == 1 ? 0 : -EIO;
}

#endif
