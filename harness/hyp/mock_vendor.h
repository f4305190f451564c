/* SPDX-License-Identifier: GPL-2.0-only */
/* The mock vendor, for its own files only: mock*.c */
#ifndef NIT_HYP_MOCK_VENDOR_H
#define NIT_HYP_MOCK_VENDOR_H

#include "iommufd_test.h"
#include "object.h"

#define MOCK_WORDS MOCK_NESTED_DOMAIN_IOTLB_NUM
#define MOCK_GRANULE ((uint64_t)MOCK_PAGE_SIZE)
#define MOCK_PAGE 4096ULL

/**
 * struct mock_page - which page of memory it is, whatever address it is seen at
 * @object, @index: file and page in it, or 0 and the user's page: pages of a file lie in its order
 */
struct mock_page {
	uint64_t object;
	uint64_t index;
};

/** mock_page_find() - The page at @va; -EFAULT: there is no memory */
int mock_page_find(uint64_t va, struct mock_page *page);
bool mock_page_same(const struct mock_page *a, const struct mock_page *b);
/** mock_pages_find() - The pages that [@va, +@len) touches, as one array to free(); NULL: none */
struct mock_page *mock_pages_find(uint64_t va, uint64_t len);

/**
 * struct mock_area - a mapping of a mock page table
 * @pages: those that it touches, found when it was mapped, as pinning does
 * @dirty: a byte for each granule
 */
struct mock_area {
	uint64_t iova;
	uint64_t len;
	uint64_t pa;
	struct mock_page *pages;
	uint8_t *dirty;
	struct mock_area *next;
};

struct mock_domain {
	struct hyp_domain base;
	struct mock_area *areas;
	uint32_t iotlb[MOCK_WORDS];
};

/**
 * struct mock_device
 * @pasid_fails: the next change of IOMMU_TEST_PASID_RESERVED
 * @cache: words that invalidations through a vIOMMU set to 0
 */
struct mock_device {
	struct hyp_device device;
	struct platform_device pdev;
	uint32_t flags;
	bool pasid_fails;
	uint32_t cache[MOCK_DEV_CACHE_NUM];
};

static inline struct mock_domain *mock_domain_of(struct hyp_domain *domain)
{
	return hyp_container(domain, struct mock_domain, base);
}

static inline struct mock_device *mock_device_of(struct hyp_device *device)
{
	return hyp_container(device, struct mock_device, device);
}

/** mock_area_at() - The mapping that @iova is in, or NULL */
struct mock_area *mock_area_at(struct mock_domain *domain, uint64_t iova);

/** mock_ioctl() - IOMMU_TEST_CMD */
int mock_ioctl(struct hyp_context *context, unsigned long request, uint64_t arg);
/** mock_service() - Take the accesses away whose files are closed */
void mock_service(struct hyp_context *context);

#endif
