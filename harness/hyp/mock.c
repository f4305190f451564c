// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mock.h"
#include "mock_vendor.h"

static int mock_start(struct hyp *hyp)
{
	return 0;
}

static void mock_stop(struct hyp *hyp)
{
}

static int mock_hw_info(struct hyp_device *device, void *data, uint32_t *len)
{
	const struct iommu_test_hw_info info = { .test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL };

	memcpy(data, &info, sizeof(info));
	*len = sizeof(info);
	return 0;
}

static int domain_new(struct hyp_domain **domain)
{
	struct mock_domain *mock = calloc(1, sizeof(*mock));

	if (!mock)
		return -ENOMEM;
	*domain = &mock->base;
	return 0;
}

static int mock_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **domain)
{
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    mock_device_of(device)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY)
		return -EOPNOTSUPP;
	return domain_new(domain);
}

static int mock_paging_data(uint32_t type, const void *data, uint32_t len)
{
	if (type != IOMMU_HWPT_DATA_SELFTEST)
		return -EOPNOTSUPP;
	if (len < sizeof(uint32_t) || len > sizeof(struct iommu_hwpt_selftest))
		return -EINVAL;
	return ((const struct iommu_hwpt_selftest *)data)->pagetable_type > MOCK_IOMMUPT_HUGE ?
	       -EOPNOTSUPP : 0;
}

static int mock_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
			     struct hyp_viommu *viommu, uint32_t flags, uint32_t type,
			     const void *data, uint32_t len, struct hyp_domain **domain)
{
	const struct iommu_hwpt_selftest *config = data;
	int rc = mock_paging_data(type, data, len);

	rc = rc ?: domain_new(domain);
	for (int i = 0; !rc && i < MOCK_WORDS; i++)
		mock_domain_of(*domain)->iotlb[i] = config->iotlb;
	return rc;
}

static void area_free(struct mock_area *area)
{
	free(area->pages);
	free(area->dirty);
	free(area);
}

static void mock_domain_free(struct hyp_domain *domain)
{
	struct mock_domain *mock = mock_domain_of(domain);

	while (mock->areas) {
		struct mock_area *area = mock->areas;

		mock->areas = area->next;
		area_free(area);
	}
	free(mock);
}

static struct hyp_geometry mock_geometry(struct hyp_domain *domain)
{
	return (struct hyp_geometry){ MOCK_APERTURE_START, MOCK_APERTURE_LAST, MOCK_GRANULE };
}

static int mock_map(struct hyp_domain *domain, uint64_t iova, uint64_t pa, uint64_t len,
		    uint32_t prot)
{
	struct mock_area *area = malloc(sizeof(*area));

	if (!area)
		return -ENOMEM;
	*area = (struct mock_area){ .iova = iova, .len = len, .pa = pa,
				    .next = mock_domain_of(domain)->areas };
	area->pages = mock_pages_find(pa, len);
	area->dirty = calloc(1, len / MOCK_GRANULE + 1);
	if (!area->pages || !area->dirty) {
		area_free(area);
		return -EFAULT;
	}
	mock_domain_of(domain)->areas = area;
	return 0;
}

static int mock_unmap(struct hyp_domain *domain, uint64_t iova, uint64_t len)
{
	struct mock_area **link = &mock_domain_of(domain)->areas;

	while (*link && (*link)->iova != iova)
		link = &(*link)->next;
	if (*link) {
		struct mock_area *area = *link;

		*link = area->next;
		area_free(area);
	}
	return 0;
}

struct mock_area *mock_area_at(struct mock_domain *domain, uint64_t iova)
{
	struct mock_area *area = domain->areas;

	while (area && iova - area->iova >= area->len)
		area = area->next;
	return area;
}

static uint64_t mock_frame(struct hyp_domain *domain, uint64_t iova)
{
	const struct mock_area *area = mock_area_at(mock_domain_of(domain), iova);
	uint64_t at = area->pa + (iova - area->iova);

	return area->pages[at / MOCK_PAGE - area->pa / MOCK_PAGE].index;
}

/* iommufd_test.h: every second change of this PASID fails, for who tests what is left then. */
static int fail_pasid(struct mock_device *device)
{
	device->pasid_fails = !device->pasid_fails;
	return device->pasid_fails ? 0 : -ENOMEM;
}

/* struct iommu_vdevice_alloc: a vIOMMU's page table needs to know the device by a virtual id. */
static int mock_attach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain,
		       struct hyp_domain *old)
{
	if (domain->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    mock_device_of(device)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY)
		return -EINVAL;
	if (domain->viommu && (!device->vdevice || device->vdevice->viommu != domain->viommu))
		return -ENOENT;
	return pasid == IOMMU_TEST_PASID_RESERVED ? fail_pasid(mock_device_of(device)) : 0;
}

static void mock_detach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old)
{
	if (pasid == IOMMU_TEST_PASID_RESERVED)
		mock_device_of(device)->pasid_fails = false;
}

/* Sets one word, or all of them, to 0 as an entry says */
static int drop_words(uint32_t *words, uint32_t flags, uint32_t index)
{
	if (flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (index >= MOCK_WORDS)
		return -EINVAL;
	if (flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(words, 0, MOCK_WORDS * sizeof(*words));
	else
		words[index] = 0;
	return 0;
}

static int nested_entry(struct hyp_domain *domain, uint64_t at)
{
	struct iommu_hwpt_invalidate_selftest entry;

	if (hyp_copy_from_user(&entry, at, sizeof(entry)))
		return -EFAULT;
	return drop_words(mock_domain_of(domain)->iotlb, entry.flags, entry.iotlb_id);
}

static int viommu_entry(struct hyp_viommu *viommu,
			const struct iommu_viommu_invalidate_selftest *entry)
{
	struct hyp_vdevice *vdevice = hyp_vdevice_find(viommu, entry->vdev_id);

	if (!vdevice)
		return entry->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL ? -EOPNOTSUPP : -EINVAL;
	return drop_words(mock_device_of(vdevice->device)->cache, entry->flags, entry->cache_id);
}

static int invalidate_nested(struct hyp_domain *domain, uint64_t entries, uint32_t entry_len,
			     uint32_t count, uint32_t *num)
{
	int rc = entry_len == sizeof(struct iommu_hwpt_invalidate_selftest) ? 0 : -EINVAL;

	while (!rc && *num < count) {
		rc = nested_entry(domain, entries + (uint64_t)*num * entry_len);
		*num += !rc;
	}
	return rc;
}

/* An entry of an older or newer program: what it lacks is 0, what it has more must be. */
static int copy_entry(void *to, size_t size, uint64_t from, uint32_t len)
{
	uint8_t byte;

	for (uint64_t at = size; at < len; at++)
		if (hyp_copy_from_user(&byte, from + at, 1))
			return -EFAULT;
		else if (byte)
			return -E2BIG;
	return hyp_copy_from_user(to, from, len < size ? len : size);
}

/* All of the array is there and makes sense before anything is done. */
static int invalidate_viommu(struct hyp_viommu *viommu, uint64_t entries, uint32_t entry_len,
			     uint32_t count, uint32_t *num)
{
	const size_t size = sizeof(struct iommu_viommu_invalidate_selftest);
	struct iommu_viommu_invalidate_selftest *copy;
	int rc = 0;

	if (entry_len < offsetof(struct iommu_viommu_invalidate_selftest, cache_id))
		return -EINVAL;
	copy = calloc(count, size);
	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !rc; i++)
		rc = copy_entry(&copy[i], size, entries + (uint64_t)i * entry_len, entry_len);
	while (!rc && *num < count) {
		rc = viommu_entry(viommu, &copy[*num]);
		*num += !rc;
	}
	free(copy);
	return rc;
}

static int mock_invalidate(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
			   uint64_t entries, uint32_t entry_len, uint32_t *num)
{
	uint32_t count = *num;

	*num = 0;
	if (type != IOMMU_HWPT_INVALIDATE_DATA_SELFTEST)
		return -EOPNOTSUPP;
	if (!count)
		return 0;
	return domain ? invalidate_nested(domain, entries, entry_len, count, num) :
			invalidate_viommu(viommu, entries, entry_len, count, num);
}

/** struct mock_viommu - @queues: by index */
struct mock_viommu {
	struct hyp_hw_queue *queues[IOMMU_TEST_HW_QUEUE_MAX];
};

#define VIOMMU_DATA_MIN offsetof(struct iommu_viommu_selftest, out_mmap_offset)
#define VIOMMU_PAGES 2

/* Loops the data back, and shows it in pages that user space can map. */
static int mock_viommu_alloc(struct hyp_viommu *viommu, struct hyp_device *device, void *data,
			     uint32_t len)
{
	struct iommu_viommu_selftest *loop = data;
	int rc;

	if (viommu->type != IOMMU_VIOMMU_TYPE_SELFTEST)
		return -EOPNOTSUPP;
	if (len && (len < VIOMMU_DATA_MIN || len > sizeof(*loop)))
		return -EINVAL;
	viommu->priv = calloc(1, sizeof(struct mock_viommu));
	if (!viommu->priv)
		return -ENOMEM;
	rc = len ? hyp_pages_alloc(viommu, VIOMMU_PAGES, &loop->in_data, sizeof(loop->in_data)) : 0;
	if (rc) {
		free(viommu->priv);
		return rc;
	}
	loop->out_data = loop->in_data;
	loop->out_mmap_offset = viommu->pages_offset;
	loop->out_mmap_length = viommu->pages_length;
	return 0;
}

static void mock_viommu_free(struct hyp_viommu *viommu)
{
	hyp_pages_free(viommu);
	free(viommu->priv);
}

/* Each index needs the one before. */
static int mock_hw_queue_alloc(struct hyp_hw_queue *queue)
{
	struct mock_viommu *viommu = queue->viommu->priv;

	if (queue->type != IOMMU_HW_QUEUE_TYPE_SELFTEST)
		return -EOPNOTSUPP;
	if (queue->index >= IOMMU_TEST_HW_QUEUE_MAX)
		return -EINVAL;
	if (viommu->queues[queue->index])
		return -EEXIST;
	if (queue->index && !viommu->queues[queue->index - 1])
		return -EIO;
	viommu->queues[queue->index] = queue;
	return 0;
}

static void mock_hw_queue_free(struct hyp_hw_queue *queue)
{
	struct mock_viommu *viommu = queue->viommu->priv;

	viommu->queues[queue->index] = NULL;
}

static int mock_page_response(struct hyp_device *device, uint32_t pasid, uint32_t group,
			      uint32_t code)
{
	return 0;
}

/* Tracking starts clean. */
static int mock_set_dirty(struct hyp_domain *domain, bool on)
{
	struct mock_area *area = mock_domain_of(domain)->areas;

	for (; on && !domain->dirty_tracking && area; area = area->next)
		memset(area->dirty, 0, area->len / MOCK_GRANULE);
	return 0;
}

static void read_area(struct mock_area *area, uint64_t first, uint64_t last, uint32_t flags,
		      struct hyp_dirty *dirty)
{
	for (uint64_t i = 0; i < area->len / MOCK_GRANULE; i++) {
		uint64_t at = area->iova + i * MOCK_GRANULE;

		if (at + MOCK_GRANULE - 1 < first || at > last || !area->dirty[i])
			continue;
		dirty->page(dirty, at, MOCK_GRANULE);
		if (!(flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR))
			area->dirty[i] = 0;
	}
}

static int mock_read_dirty(struct hyp_domain *domain, uint64_t iova, uint64_t len, uint32_t flags,
			   struct hyp_dirty *dirty)
{
	for (struct mock_area *area = mock_domain_of(domain)->areas; area; area = area->next)
		read_area(area, iova, iova + len - 1, flags, dirty);
	return 0;
}

static const struct hyp_vendor_ops mock_ops = {
	.name = "mock",
	.hw_info_type = IOMMU_HW_INFO_TYPE_SELFTEST,
	.veventq_type = IOMMU_VEVENTQ_TYPE_SELFTEST,
	.start = mock_start,
	.stop = mock_stop,
	.hw_info = mock_hw_info,
	.paging_alloc = mock_paging_alloc,
	.paging_data = mock_paging_data,
	.nested_alloc = mock_nested_alloc,
	.domain_free = mock_domain_free,
	.map = mock_map,
	.unmap = mock_unmap,
	.geometry = mock_geometry,
	.frame = mock_frame,
	.attach = mock_attach,
	.detach = mock_detach,
	.invalidate = mock_invalidate,
	.viommu_alloc = mock_viommu_alloc,
	.viommu_free = mock_viommu_free,
	.hw_queue_alloc = mock_hw_queue_alloc,
	.hw_queue_free = mock_hw_queue_free,
	.set_dirty = mock_set_dirty,
	.read_dirty = mock_read_dirty,
	.page_response = mock_page_response,
	.ioctl = mock_ioctl,
	.service = mock_service,
};

/* There is one, as there is one kernel; it goes with its last context, and what that has open. */
static struct {
	pthread_mutex_t lock;
	struct platform platform;
	struct hyp *hyp;
	unsigned int contexts;
	struct iommufd_ops ops;
	void (*close)(struct iommufd *iommufd);
} mock = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void put(void)
{
	pthread_mutex_lock(&mock.lock);
	if (!--mock.contexts && !mock.hyp->contexts) {
		hyp_destroy(mock.hyp);
		mock.hyp = NULL;
	}
	pthread_mutex_unlock(&mock.lock);
}

static int get(void)
{
	int rc = 0;

	pthread_mutex_lock(&mock.lock);
	if (!mock.hyp) {
		mock.hyp = hyp_create(&mock.platform, &mock_ops);
		rc = mock.hyp ? 0 : -ENOMEM;
		/* Physical addresses are user addresses: all of them. */
		if (!rc)
			mock.hyp->user = (struct pages){ .size = UINT64_MAX };
	}
	mock.contexts += !rc;
	pthread_mutex_unlock(&mock.lock);
	return rc;
}

static void mock_close(struct iommufd *iommufd)
{
	mock.close(iommufd);
	close(iommufd->fd);
	iommufd->fd = -1;
	iommufd->ops = NULL;
	put();
}

int mock_iommufd_open(struct iommufd *iommufd)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int rc = fd < 0 ? -errno : get();

	if (!rc) {
		rc = hyp_iommufd_open(mock.hyp, iommufd);
		if (rc)
			put();
	}
	if (rc) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	pthread_mutex_lock(&mock.lock);
	if (!mock.close) {
		mock.ops = *iommufd->ops;
		mock.close = mock.ops.close;
		mock.ops.close = mock_close;
	}
	pthread_mutex_unlock(&mock.lock);
	iommufd->ops = &mock.ops;
	iommufd->fd = fd;	/* a number that nobody else has, as of any open file */
	return 0;
}
