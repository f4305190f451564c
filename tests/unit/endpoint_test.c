// SPDX-License-Identifier: GPL-2.0-only
/*
 * The endpoint against an IOMMU that is a list of mappings: what reaches memory, what the ATC
 * keeps, when an invalidation is answered. The last test plants every fault of the endpoint.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "core/fault.h"
#include "core/test.h"
#include "hw/machine.h"

enum { RAM = 8 << 20, PASID = 5, OTHER_PASID = 6, RID = 0x18, MAPS = 16, ANSWERS = 64 };

#define IOVA 0x40000000ULL
#define PAGE 0x1000ULL
#define LARGE 0x200000ULL

/* ---- The IOMMU ---- */

struct map {
	uint32_t pasid;		/* DMA_NO_PASID: none */
	uint64_t addr;
	uint64_t pa;
	uint8_t shift;
	uint8_t perm;
	bool global;
	bool untranslated_only;
};

struct answer {
	uint32_t itags;
	unsigned int count;
};

/*
 * @stalls: so many requests are stalled before one is translated
 * @after_walk: called once when a translation request has its answer, before that is sent
 */
struct list_iommu {
	struct hw_iommu common;
	unsigned int maps;
	struct map map[MAPS];
	unsigned int answers;
	struct answer answer[ANSWERS];
	struct hw_page_request page_request;
	unsigned int requests[3];
	unsigned int stalls;
	uint64_t token;
	void (*after_walk)(void *arg);
	void *arg;
};

static struct list_iommu *of(struct hw_iommu *iommu)
{
	return (struct list_iommu *)iommu;
}

static bool covers(const struct map *map, const struct hw_request *request)
{
	uint32_t pasid = request->has_pasid ? request->pasid : DMA_NO_PASID;

	return (map->pasid == pasid || (map->global && request->has_pasid)) &&
	       request->addr >> map->shift == map->addr >> map->shift &&
	       !(map->perm & HW_PRIV && !(request->access & HW_PRIV));
}

static enum hw_status walk(struct hw_iommu *iommu, const struct hw_request *request,
			   struct hw_translation *translation)
{
	__atomic_fetch_add(&of(iommu)->requests[request->type], 1, __ATOMIC_RELAXED);
	*translation = (struct hw_translation){ .pa = request->addr, .shift = 12 };
	if (request->type == HW_TRANSLATED)
		return HW_OK;
	if (request->type == HW_UNTRANSLATED && of(iommu)->stalls) {
		of(iommu)->stalls--;
		translation->token = ++of(iommu)->token;
		return HW_STALLED;
	}
	for (const struct map *map = of(iommu)->map; map < of(iommu)->map + MAPS; map++) {
		uint64_t pa = __atomic_load_n(&map->pa, __ATOMIC_ACQUIRE);

		if (!pa || !covers(map, request))
			continue;
		*translation = (struct hw_translation){
			.pa = pa | (request->addr & ((1ULL << map->shift) - 1)),
			.shift = map->shift, .perm = map->perm & ~HW_PRIV, .global = map->global,
			.untranslated_only = map->untranslated_only,
		};
		return request->type == HW_UNTRANSLATED &&
		       request->access & (HW_READ | HW_WRITE) & ~map->perm ? HW_FAULT : HW_OK;
	}
	return request->type == HW_UNTRANSLATED ? HW_FAULT : HW_OK;
}

static enum hw_status list_translate(struct hw_iommu *iommu, const struct hw_request *request,
				     struct hw_translation *translation)
{
	enum hw_status status = walk(iommu, request, translation);
	void (*after_walk)(void *arg) = of(iommu)->after_walk;

	if (after_walk && request->type == HW_TRANSLATION_REQUEST) {
		of(iommu)->after_walk = NULL;
		after_walk(of(iommu)->arg);
	}
	return status;
}

static void list_page_request(struct hw_iommu *iommu, const struct hw_page_request *request)
{
	of(iommu)->page_request = *request;
}

static void list_ats_complete(struct hw_iommu *iommu, uint16_t rid, uint32_t itags,
			      unsigned int count)
{
	struct list_iommu *list = of(iommu);

	if (rid == RID && list->answers < ANSWERS)
		list->answer[list->answers++] = (struct answer){ itags, count };
}

static bool list_step(struct hw_iommu *iommu)
{
	return false;
}

static void list_destroy(struct hw_iommu *iommu)
{
}

static const struct hw_iommu_ops list_ops = {
	.name = "list", .translate = list_translate, .page_request = list_page_request,
	.ats_complete = list_ats_complete, .step = list_step, .destroy = list_destroy,
};

/* ---- Fixture ---- */

FIXTURE(endpoint) {
	struct list_iommu iommu;
	struct machine *machine;
	struct endpoint *dev;
};

static const struct endpoint_config everything = {
	.rid = RID, .ats = true, .pri = true, .pasid = true, .global_invalidate = true,
	.atc_entries = 256,
};

static struct endpoint *plug(struct machine *machine, struct list_iommu *iommu,
			     const struct endpoint_config *config)
{
	struct endpoint *dev = endpoint_create(machine, &iommu->common, config);

	if (dev) {
		endpoint_ats_enable(dev, true);
		endpoint_pasid_enable(dev, true);
		endpoint_pri_enable(dev, true);
	}
	return dev;
}

FIXTURE_SETUP(endpoint)
{
	memset(&self->iommu, 0, sizeof(self->iommu));
	self->iommu.common.ops = &list_ops;
	self->machine = machine_create(0, RAM, 1);
	ASSERT_NE(NULL, self->machine);
	ASSERT_EQ(0, machine_add_iommu(self->machine, &self->iommu.common));
	self->dev = plug(self->machine, &self->iommu, &everything);
	ASSERT_NE(NULL, self->dev);
}

FIXTURE_TEARDOWN(endpoint)
{
	machine_destroy(self->machine);
}

typedef FIXTURE_DATA(endpoint) rig;

static void replug(rig *self, const struct endpoint_config *config)
{
	endpoint_destroy(self->dev);
	self->dev = plug(self->machine, &self->iommu, config);
}

static struct map *map(rig *self, uint32_t pasid, uint64_t addr, uint64_t pa, uint8_t shift,
		       uint8_t perm)
{
	struct map *map = &self->iommu.map[self->iommu.maps++];

	*map = (struct map){ pasid, addr, pa, shift, perm };
	return map;
}

static struct map *map_page(rig *self, uint64_t addr, uint64_t pa)
{
	return map(self, DMA_NO_PASID, addr, pa, 12, HW_READ | HW_WRITE);
}

static enum dma_status do_dma(rig *self, enum dma_op op, enum dma_address address, uint32_t pasid,
			      uint64_t addr, uint64_t *value)
{
	struct dma dma = {
		.op = op, .address = address, .pasid = pasid, .addr = addr, .len = 8,
		.data = value,
	};

	return endpoint_dma(self->dev, 0, &dma);
}

/* Where a write through the ATC lands, of the pages that tests use; 0: nowhere. */
static uint64_t lands(rig *self, uint32_t pasid, uint64_t addr)
{
	static uint64_t canary = 0x1234;
	uint64_t value = ++canary, found;

	if (do_dma(self, DMA_WRITE, DMA_ATS, pasid, addr, &value) != DMA_DONE)
		return 0;
	for (uint64_t pa = addr & (PAGE - 1); pa + 8 <= RAM; pa += PAGE)
		if (!hw_read64(&self->machine->mem, pa, &found) && found == value)
			return pa;
	return 0;
}

static void invalidate(rig *self, uint8_t itag, uint32_t pasid, uint64_t first, uint64_t last)
{
	endpoint_ats_invalidate(self->dev, &(struct hw_ats_invalidate){
		.itag = itag, .has_pasid = pasid != DMA_NO_PASID,
		.pasid = pasid == DMA_NO_PASID ? 0 : pasid, .first = first, .last = last,
	});
}

static void settle(rig *self)
{
	machine_settle(self->machine, 200);
}

static void invalidate_page(rig *self, uint64_t addr)
{
	invalidate(self, 0, DMA_NO_PASID, addr, addr + PAGE - 1);
	settle(self);
}

/* ---- DMA ---- */

TEST_F(endpoint, untranslated_dma_goes_where_the_iommu_says)
{
	uint64_t value = 0x55, back = 0;

	map_page(self, IOVA, 0x10000);
	EXPECT_EQ(DMA_DONE, do_dma(self, DMA_WRITE, DMA_PLAIN, DMA_NO_PASID, IOVA + 8, &value));
	EXPECT_EQ(0, hw_read64(&self->machine->mem, 0x10008, &back));
	EXPECT_EQ(0x55u, back);
	back = 0;
	EXPECT_EQ(DMA_DONE, do_dma(self, DMA_READ, DMA_PLAIN, DMA_NO_PASID, IOVA + 8, &back));
	EXPECT_EQ(0x55u, back);
	value = 0x66;
	EXPECT_EQ(DMA_DONE, do_dma(self, DMA_SWAP, DMA_PLAIN, DMA_NO_PASID, IOVA + 8, &value));
	EXPECT_EQ(0x55u, value);
	EXPECT_EQ(0, hw_read64(&self->machine->mem, 0x10008, &back));
	EXPECT_EQ(0x66u, back);
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_READ, DMA_PLAIN, DMA_NO_PASID, IOVA + PAGE, &back));
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
}

TEST_F(endpoint, long_dma_crosses_pages)
{
	uint8_t out[3 * PAGE], in[3 * PAGE];
	struct dma dma = {
		.op = DMA_WRITE, .address = DMA_ATS, .pasid = DMA_NO_PASID, .addr = IOVA + 100,
		.len = sizeof(out) - 200, .data = out,
	};

	map_page(self, IOVA, 0x30000);
	map_page(self, IOVA + PAGE, 0x20000);
	map_page(self, IOVA + 2 * PAGE, 0x10000);
	for (unsigned int i = 0; i < sizeof(out); i++)
		out[i] = i * 7;
	EXPECT_EQ(DMA_DONE, endpoint_dma(self->dev, 0, &dma));
	EXPECT_EQ(0, hw_read(&self->machine->mem, 0x30000, in, PAGE));
	EXPECT_EQ(0, hw_read(&self->machine->mem, 0x20000, in + PAGE, PAGE));
	EXPECT_EQ(0, hw_read(&self->machine->mem, 0x10000, in + 2 * PAGE, PAGE));
	EXPECT_EQ(0, memcmp(in + 100, out, dma.len));
	dma.addr += PAGE;
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
}

TEST_F(endpoint, malformed_dma_is_refused)
{
	uint64_t data[2] = {};
	struct dma dma = {
		.op = DMA_SWAP, .pasid = DMA_NO_PASID, .addr = IOVA + 4, .len = 8, .data = data,
	};

	map_page(self, IOVA, 0x10000);
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
	dma.addr = IOVA;
	dma.len = 16;
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
	dma.op = DMA_READ;
	EXPECT_EQ(DMA_DONE, endpoint_dma(self->dev, 0, &dma));
	dma.addr = UINT64_MAX - 7;
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
	dma.addr = IOVA + PAGE - 8;
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_start(self->dev, 0, &dma));
	dma.addr = IOVA;
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, ENDPOINT_ENGINES, &dma));
}

TEST_F(endpoint, enables_are_obeyed)
{
	uint64_t value = 1;

	map_page(self, IOVA, 0x10000);
	map(self, PASID, IOVA, 0x20000, 12, HW_READ | HW_WRITE);
	EXPECT_EQ(DMA_DONE, do_dma(self, DMA_WRITE, DMA_PLAIN, PASID, IOVA, &value));
	endpoint_pasid_enable(self->dev, false);
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_WRITE, DMA_PLAIN, PASID, IOVA, &value));
	endpoint_ats_enable(self->dev, false);
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_WRITE, DMA_ATS, DMA_NO_PASID, IOVA, &value));
	EXPECT_EQ(0u, self->iommu.requests[HW_TRANSLATION_REQUEST]);
	EXPECT_EQ(-EINVAL, endpoint_prefetch(self->dev, DMA_NO_PASID, IOVA, HW_READ));
	EXPECT_EQ(DMA_DONE, do_dma(self, DMA_WRITE, DMA_RAW, DMA_NO_PASID, 0x10000, &value));
	endpoint_bus_master(self->dev, false);
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_WRITE, DMA_PLAIN, DMA_NO_PASID, IOVA, &value));
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_WRITE, DMA_RAW, DMA_NO_PASID, 0x10000, &value));
}

TEST_F(endpoint, function_has_only_what_its_config_says)
{
	static const struct endpoint_config plain = { .rid = RID };

	replug(self, &plain);
	EXPECT_EQ(-EINVAL, endpoint_ats_enable(self->dev, true));
	EXPECT_EQ(-EINVAL, endpoint_pasid_enable(self->dev, true));
	EXPECT_EQ(-EINVAL, endpoint_pri_enable(self->dev, true));
	EXPECT_EQ(RID, endpoint_rid(self->dev));
	EXPECT_EQ(self->dev, machine_endpoint(self->machine, RID));
	EXPECT_EQ(NULL, endpoint_create(self->machine, &self->iommu.common, &plain));
}

/* ---- ATC ---- */

TEST_F(endpoint, atc_remembers)
{
	struct map *page = map_page(self, IOVA, 0x10000);

	EXPECT_EQ(0x10008u, lands(self, DMA_NO_PASID, IOVA + 8));
	page->pa = 0x20000;
	EXPECT_EQ(0x10010u, lands(self, DMA_NO_PASID, IOVA + 16));
	EXPECT_EQ(1u, self->iommu.requests[HW_TRANSLATION_REQUEST]);
	EXPECT_EQ(2u, self->iommu.requests[HW_TRANSLATED]);
	invalidate_page(self, IOVA);
	EXPECT_EQ(0x20008u, lands(self, DMA_NO_PASID, IOVA + 8));
}

TEST_F(endpoint, atc_entry_has_the_size_of_the_completion)
{
	struct map *large = map(self, DMA_NO_PASID, IOVA, 0x200000, 21, HW_READ | HW_WRITE);

	EXPECT_EQ(0x203000u, lands(self, DMA_NO_PASID, IOVA + 0x3000));
	large->pa = 0x400000;
	EXPECT_EQ(0x205000u, lands(self, DMA_NO_PASID, IOVA + 0x5000));
	EXPECT_EQ(1u, self->iommu.requests[HW_TRANSLATION_REQUEST]);
	EXPECT_EQ(0u, lands(self, DMA_NO_PASID, IOVA + LARGE));
	map_page(self, IOVA - PAGE, 0x10000);
	EXPECT_EQ(0x10000u, lands(self, DMA_NO_PASID, IOVA - PAGE));
	EXPECT_EQ(0u, lands(self, DMA_NO_PASID, IOVA - 2 * PAGE));
}

TEST_F(endpoint, atc_entries_are_of_their_pasid)
{
	map_page(self, IOVA, 0x10000);
	map(self, PASID, IOVA, 0x20000, 12, HW_READ | HW_WRITE);
	map(self, OTHER_PASID, IOVA, 0x30000, 12, HW_READ | HW_WRITE);
	map(self, 0, IOVA, 0x40000, 12, HW_READ | HW_WRITE);
	for (unsigned int again = 0; again < 2; again++) {
		EXPECT_EQ(0x10000u, lands(self, DMA_NO_PASID, IOVA));
		EXPECT_EQ(0x20000u, lands(self, PASID, IOVA));
		EXPECT_EQ(0x30000u, lands(self, OTHER_PASID, IOVA));
		EXPECT_EQ(0x40000u, lands(self, 0, IOVA));
	}
	EXPECT_EQ(4u, self->iommu.requests[HW_TRANSLATION_REQUEST]);
}

TEST_F(endpoint, global_entry_serves_every_pasid)
{
	struct map *page = map(self, PASID, IOVA, 0x20000, 12, HW_READ | HW_WRITE);

	page->global = true;
	EXPECT_EQ(0x20000u, lands(self, PASID, IOVA));
	EXPECT_EQ(0x20000u, lands(self, OTHER_PASID, IOVA));
	EXPECT_EQ(1u, self->iommu.requests[HW_TRANSLATION_REQUEST]);
	EXPECT_EQ(0u, lands(self, DMA_NO_PASID, IOVA));
}

TEST_F(endpoint, without_global_invalidate_no_entry_is_global)
{
	struct endpoint_config config = everything;

	config.global_invalidate = false;
	replug(self, &config);
	map(self, PASID, IOVA, 0x20000, 12, HW_READ | HW_WRITE)->global = true;
	EXPECT_EQ(0x20000u, lands(self, PASID, IOVA));
	EXPECT_EQ(0x20000u, lands(self, OTHER_PASID, IOVA));
	EXPECT_EQ(2u, self->iommu.requests[HW_TRANSLATION_REQUEST]);
}

TEST_F(endpoint, permission_is_checked_and_asked_for_again)
{
	struct map *page = map(self, DMA_NO_PASID, IOVA, 0x10000, 12, HW_READ);
	uint64_t value = 0;

	EXPECT_EQ(DMA_DONE, do_dma(self, DMA_READ, DMA_ATS, DMA_NO_PASID, IOVA, &value));
	EXPECT_EQ(0u, lands(self, DMA_NO_PASID, IOVA));
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_SWAP, DMA_ATS, DMA_NO_PASID, IOVA, &value));
	page->perm |= HW_WRITE;
	EXPECT_EQ(0x10000u, lands(self, DMA_NO_PASID, IOVA));
}

TEST_F(endpoint, execution_needs_its_permission)
{
	struct map *page = map(self, PASID, IOVA, 0x10000, 12, HW_READ);
	uint64_t value = 0;
	struct dma dma = {
		.op = DMA_READ, .address = DMA_ATS, .pasid = PASID, .addr = IOVA, .len = 8,
		.data = &value, .exec = true,
	};

	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
	page->perm |= HW_EXEC;
	EXPECT_EQ(DMA_DONE, endpoint_dma(self->dev, 0, &dma));
}

TEST_F(endpoint, privileged_entry_serves_privileged_requests)
{
	uint64_t value = 0;
	struct dma dma = {
		.op = DMA_READ, .address = DMA_ATS, .pasid = PASID, .addr = IOVA, .len = 8,
		.data = &value, .priv = true,
	};

	map(self, PASID, IOVA, 0x10000, 12, HW_READ | HW_PRIV);
	EXPECT_EQ(DMA_DONE, endpoint_dma(self->dev, 0, &dma));
	dma.priv = false;
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
}

TEST_F(endpoint, untranslated_only_is_obeyed)
{
	map_page(self, IOVA, 0x10000)->untranslated_only = true;
	EXPECT_EQ(0x10000u, lands(self, DMA_NO_PASID, IOVA));
	EXPECT_EQ(1u, self->iommu.requests[HW_UNTRANSLATED]);
	EXPECT_EQ(0u, self->iommu.requests[HW_TRANSLATED]);
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
	EXPECT_EQ(-EACCES, endpoint_prefetch(self->dev, DMA_NO_PASID, IOVA, HW_READ));
}

TEST_F(endpoint, freedom_of_the_atc)
{
	struct freedom *freedom = endpoint_freedom(self->dev);

	map(self, DMA_NO_PASID, IOVA, 0x200000, 21, HW_READ | HW_WRITE);
	freedom->small_pages = true;
	lands(self, DMA_NO_PASID, IOVA);
	lands(self, DMA_NO_PASID, IOVA + PAGE);
	EXPECT_EQ(2u, endpoint_atc_count(self->dev));
	freedom->prefetch = 1000;
	lands(self, DMA_NO_PASID, IOVA + 8 * PAGE);
	EXPECT_EQ(4u, endpoint_atc_count(self->dev));
	freedom->over = 1000;
	invalidate_page(self, IOVA);
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
	freedom->prefetch = 0;
	freedom->evict = 1000;
	lands(self, DMA_NO_PASID, IOVA);
	self->iommu.map[0].pa = 0x400000;
	EXPECT_EQ(0x400000u, lands(self, DMA_NO_PASID, IOVA));
}

/* ---- Which entries an invalidation removes ---- */

/* 8 pages are cached, then remapped; pages first to last of them are invalidated. */
TEST_F(endpoint, range_is_removed_to_both_ends)
{
	static const struct { unsigned int first, last; } ranges[] = {
		{ 3, 3 }, { 0, 0 }, { 2, 3 }, { 4, 7 }, { 0, 7 },
	};

	for (unsigned int i = 0; i < 8; i++)
		map_page(self, IOVA + i * PAGE, 0x10000 + i * PAGE);
	for (unsigned int r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
		unsigned int first = ranges[r].first, last = ranges[r].last;

		replug(self, &everything);
		for (unsigned int i = 0; i < 8; i++) {
			self->iommu.map[i].pa = 0x10000 + i * PAGE;
			lands(self, DMA_NO_PASID, IOVA + i * PAGE);
			self->iommu.map[i].pa = 0x20000 + i * PAGE;
		}
		EXPECT_EQ(0x10000 + last * PAGE, lands(self, DMA_NO_PASID, IOVA + last * PAGE));
		invalidate(self, 0, DMA_NO_PASID, IOVA + first * PAGE,
			   IOVA + last * PAGE + PAGE - 1);
		settle(self);
		for (unsigned int i = first; i <= last; i++)
			EXPECT_EQ(0x20000 + i * PAGE,
				  lands(self, DMA_NO_PASID, IOVA + i * PAGE));
	}
}

TEST_F(endpoint, whole_space_is_removed)
{
	map_page(self, IOVA, 0x10000);
	map_page(self, PAGE, 0x20000);
	map_page(self, UINT64_MAX - (PAGE - 1), 0x30000);
	lands(self, DMA_NO_PASID, IOVA);
	lands(self, DMA_NO_PASID, PAGE);
	lands(self, DMA_NO_PASID, UINT64_MAX - (PAGE - 1));
	EXPECT_EQ(3u, endpoint_atc_count(self->dev));
	invalidate(self, 0, DMA_NO_PASID, 0, UINT64_MAX);
	settle(self);
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
}

/* A page in the middle of a large entry takes the whole entry with it. */
TEST_F(endpoint, large_entry_is_removed_by_any_page_of_it)
{
	map(self, DMA_NO_PASID, IOVA, 0x200000, 21, HW_READ | HW_WRITE);
	for (uint64_t page = 0; page < LARGE; page += LARGE - PAGE) {
		self->iommu.map[0].pa = 0x200000;
		EXPECT_EQ(0x203000u, lands(self, DMA_NO_PASID, IOVA + 0x3000));
		self->iommu.map[0].pa = 0x400000;
		EXPECT_EQ(0x203000u, lands(self, DMA_NO_PASID, IOVA + 0x3000));
		invalidate_page(self, IOVA + page);
		EXPECT_EQ(0x403000u, lands(self, DMA_NO_PASID, IOVA + 0x3000));
		invalidate_page(self, IOVA);
	}
}

TEST_F(endpoint, invalidation_is_of_its_pasid)
{
	static const uint32_t pasids[] = { DMA_NO_PASID, PASID, OTHER_PASID };

	for (unsigned int i = 0; i < 3; i++)
		map(self, pasids[i], IOVA, 0, 12, HW_READ | HW_WRITE);
	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int j = 0; j < 3; j++) {
			self->iommu.map[j].pa = 0x10000;
			lands(self, pasids[j], IOVA);
			self->iommu.map[j].pa = 0x20000;
		}
		invalidate(self, 0, pasids[i], IOVA, IOVA + PAGE - 1);
		settle(self);
		EXPECT_EQ(0x20000u, lands(self, pasids[i], IOVA));
		EXPECT_EQ(3u, endpoint_atc_count(self->dev));
		EXPECT_EQ(0x10000u, lands(self, pasids[(i + 1) % 3], IOVA));
		replug(self, &everything);
	}
}

TEST_F(endpoint, global_invalidation_is_of_every_pasid)
{
	struct hw_ats_invalidate request = {
		.has_pasid = true, .pasid = OTHER_PASID, .global = true,
		.first = IOVA, .last = IOVA + PAGE - 1,
	};

	map(self, PASID, IOVA, 0x10000, 12, HW_READ | HW_WRITE);
	lands(self, PASID, IOVA);
	self->iommu.map[0].pa = 0x20000;
	EXPECT_EQ(0x10000u, lands(self, PASID, IOVA));
	endpoint_ats_invalidate(self->dev, &request);
	settle(self);
	EXPECT_EQ(0x20000u, lands(self, PASID, IOVA));
}

TEST_F(endpoint, invalidation_of_a_pasid_removes_global_entries)
{
	map(self, PASID, IOVA, 0x10000, 12, HW_READ | HW_WRITE)->global = true;
	lands(self, PASID, IOVA);
	self->iommu.map[0].pa = 0x20000;
	EXPECT_EQ(0x10000u, lands(self, OTHER_PASID, IOVA));
	invalidate(self, 0, OTHER_PASID, IOVA, IOVA + PAGE - 1);
	settle(self);
	EXPECT_EQ(0x20000u, lands(self, OTHER_PASID, IOVA));
}

/* ---- When an invalidation is answered ---- */

TEST_F(endpoint, answer_has_the_itag_of_the_request)
{
	for (unsigned int itag = 0; itag < 32; itag++) {
		invalidate(self, itag, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
		settle(self);
		ASSERT_EQ(itag + 1, self->iommu.answers);
		EXPECT_EQ(1U << itag, self->iommu.answer[itag].itags);
		EXPECT_EQ(1u, self->iommu.answer[itag].count);
	}
}

TEST_F(endpoint, every_traffic_class_answers)
{
	for (unsigned int classes = 1; classes <= 8; classes++) {
		struct endpoint_config config = everything;

		config.completions = classes;
		replug(self, &config);
		self->iommu.answers = 0;
		invalidate(self, 3, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
		settle(self);
		EXPECT_EQ(classes, self->iommu.answers);
		EXPECT_EQ(classes % 8, self->iommu.answer[0].count);
	}
}

/* All ITags at once, which is also the depth of the queue; what does not fit waits outside. */
TEST_F(endpoint, queue_takes_its_depth_and_more)
{
	struct endpoint_config config = everything;
	uint32_t answered = 0;

	for (config.ats_queue_depth = 0; config.ats_queue_depth < 8; config.ats_queue_depth += 7) {
		replug(self, &config);
		self->iommu.answers = 0;
		for (unsigned int itag = 0; itag < 32; itag++)
			invalidate(self, itag, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
		EXPECT_EQ(0u, self->iommu.answers);
		settle(self);
		EXPECT_EQ(32u, self->iommu.answers);
		answered = 0;
		for (unsigned int i = 0; i < self->iommu.answers; i++)
			answered ^= self->iommu.answer[i].itags;
		EXPECT_EQ(UINT32_MAX, answered);
	}
}

static struct dma write_of(enum dma_address address, uint64_t addr, uint64_t *value)
{
	return (struct dma){
		.op = DMA_WRITE, .address = address, .pasid = DMA_NO_PASID, .addr = addr,
		.len = 8, .data = value,
	};
}

/** struct seen - what is in memory at 0x10ff8 whenever a DMA is between translation and access */
struct seen {
	struct hw_mem *mem;
	uint64_t value[2];
	unsigned int calls;
};

static void look(void *arg)
{
	struct seen *seen = arg;

	if (seen->calls < 2)
		hw_read64(seen->mem, 0x10ff8, &seen->value[seen->calls]);
	seen->calls++;
}

TEST_F(endpoint, between_is_after_translation_and_before_access)
{
	struct seen seen = { .mem = &self->machine->mem, .value = { 1, 1 } };
	uint64_t value[2] = { 0x77, 0x88 };
	struct dma dma = write_of(DMA_PLAIN, IOVA + PAGE - 8, value);

	map_page(self, IOVA, 0x10000);
	map_page(self, IOVA + PAGE, 0x20000);
	dma.len = sizeof(value);
	dma.between = look;
	dma.arg = &seen;
	EXPECT_EQ(DMA_DONE, endpoint_dma(self->dev, 0, &dma));
	EXPECT_EQ(2u, seen.calls);
	EXPECT_EQ(0u, seen.value[0]);
	EXPECT_EQ(0x77u, seen.value[1]);
	dma.addr = IOVA + 8 * PAGE;
	EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, 0, &dma));
	EXPECT_EQ(2u, seen.calls);
}

/* The old translation is still in use, by any of the engines: the answer must wait for it. */
TEST_F(endpoint, answer_waits_for_translated_requests)
{
	uint64_t value = 0x77, found = 0;
	struct dma dma = write_of(DMA_ATS, IOVA, &value);

	map_page(self, IOVA, 0x10000);
	for (unsigned int engine = 0; engine < ENDPOINT_ENGINES; engine += 3) {
		self->iommu.answers = 0;
		ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->dev, engine, &dma));
		EXPECT_EQ(DMA_ABORTED, endpoint_dma(self->dev, engine, &dma));
		invalidate(self, 0, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
		EXPECT_FALSE(machine_settle(self->machine, 50));
		EXPECT_EQ(0u, self->iommu.answers);
		EXPECT_EQ(0u, endpoint_atc_count(self->dev));
		EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->dev, engine));
		EXPECT_TRUE(machine_settle(self->machine, 50));
		EXPECT_EQ(1u, self->iommu.answers);
	}
	EXPECT_EQ(0, hw_read64(&self->machine->mem, 0x10000, &found));
	EXPECT_EQ(0x77u, found);
}

TEST_F(endpoint, answer_does_not_wait_for_others)
{
	uint64_t value = 0x77;
	struct dma plain = write_of(DMA_PLAIN, IOVA, &value);
	struct dma later = write_of(DMA_ATS, IOVA, &value);

	map_page(self, IOVA, 0x10000);
	/* An untranslated request is the IOMMU's to wait for. */
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->dev, 0, &plain));
	invalidate(self, 0, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
	EXPECT_TRUE(machine_settle(self->machine, 50));
	EXPECT_EQ(1u, self->iommu.answers);
	/* So is a translated one of another function, or one that came after the removal. */
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->dev, 1, &later));
	invalidate(self, 1, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
	endpoint_step(self->dev);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->dev, 1));
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->dev, 1, &later));
	EXPECT_TRUE(machine_settle(self->machine, 50));
	EXPECT_EQ(2u, self->iommu.answers);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->dev, 1));
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->dev, 0));
}

TEST_F(endpoint, other_functions_are_not_waited_for)
{
	struct endpoint_config config = everything;
	struct endpoint *other;
	uint64_t value = 0x77;
	struct dma dma = write_of(DMA_ATS, IOVA, &value);

	config.rid = RID + 1;
	other = plug(self->machine, &self->iommu, &config);
	ASSERT_NE(NULL, other);
	map_page(self, IOVA, 0x10000);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(other, 0, &dma));
	invalidate_page(self, IOVA);
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(other, 0));
}

TEST_F(endpoint, answer_comes_after_the_removal)
{
	map_page(self, IOVA, 0x10000);
	lands(self, DMA_NO_PASID, IOVA);
	invalidate(self, 0, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
	while (!self->iommu.answers && endpoint_step(self->dev))
		;
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
}

TEST_F(endpoint, overtaken_completion_is_discarded)
{
	map_page(self, IOVA, 0x10000);
	EXPECT_EQ(-ENOENT, endpoint_prefetch_finish(self->dev));
	ASSERT_EQ(0, endpoint_prefetch_start(self->dev, DMA_NO_PASID, IOVA, HW_READ | HW_WRITE));
	EXPECT_EQ(-EBUSY, endpoint_prefetch_start(self->dev, DMA_NO_PASID, IOVA, HW_READ));
	self->iommu.map[0].pa = 0x20000;
	invalidate_page(self, IOVA);
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_EQ(-ECANCELED, endpoint_prefetch_finish(self->dev));
	EXPECT_EQ(0x20000u, lands(self, DMA_NO_PASID, IOVA));
}

TEST_F(endpoint, completion_that_is_not_named_is_kept)
{
	map_page(self, IOVA, 0x10000);
	ASSERT_EQ(0, endpoint_prefetch_start(self->dev, DMA_NO_PASID, IOVA, HW_READ | HW_WRITE));
	invalidate_page(self, IOVA + PAGE);
	invalidate(self, 1, PASID, IOVA, IOVA + PAGE - 1);
	settle(self);
	EXPECT_EQ(0, endpoint_prefetch_finish(self->dev));
	EXPECT_EQ(1u, endpoint_atc_count(self->dev));
}

/* The completion says more than the page asked for. */
TEST_F(endpoint, overtaken_large_completion_is_discarded)
{
	map(self, DMA_NO_PASID, IOVA, 0x200000, 21, HW_READ | HW_WRITE);
	ASSERT_EQ(0, endpoint_prefetch_start(self->dev, DMA_NO_PASID, IOVA, HW_READ | HW_WRITE));
	self->iommu.map[0].pa = 0x400000;
	invalidate_page(self, IOVA + 0x5000);
	endpoint_prefetch_finish(self->dev);
	EXPECT_EQ(0x405000u, lands(self, DMA_NO_PASID, IOVA + 0x5000));
}

/* The page moves, and its invalidation overtakes the answer to the request of a DMA. */
static void move_page(void *arg)
{
	rig *self = arg;

	self->iommu.map[0].pa = 0x20000;
	invalidate(self, 0, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
	endpoint_step(self->dev);
}

TEST_F(endpoint, overtaken_completion_of_a_dma_serves_only_that)
{
	map_page(self, IOVA, 0x10000);
	self->iommu.arg = self;
	self->iommu.after_walk = move_page;
	EXPECT_EQ(0x10000u, lands(self, DMA_NO_PASID, IOVA));
	EXPECT_EQ(0u, self->iommu.answers);
	settle(self);
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_EQ(0x20000u, lands(self, DMA_NO_PASID, IOVA));
}

TEST_F(endpoint, prefetch_that_an_invalidation_overtook_in_the_iommu_is_discarded)
{
	map_page(self, IOVA, 0x10000);
	self->iommu.arg = self;
	self->iommu.after_walk = move_page;
	EXPECT_EQ(-ECANCELED, endpoint_prefetch(self->dev, DMA_NO_PASID, IOVA, HW_READ));
	EXPECT_EQ(0x20000u, lands(self, DMA_NO_PASID, IOVA));
}

TEST_F(endpoint, prefetch_fills_the_atc)
{
	map(self, DMA_NO_PASID, IOVA, 0x10000, 12, HW_READ);
	EXPECT_EQ(-EACCES, endpoint_prefetch(self->dev, DMA_NO_PASID, IOVA, HW_WRITE));
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
	EXPECT_EQ(0, endpoint_prefetch(self->dev, DMA_NO_PASID, IOVA, HW_READ));
	EXPECT_EQ(1u, endpoint_atc_count(self->dev));
	EXPECT_EQ(-EACCES, endpoint_prefetch(self->dev, DMA_NO_PASID, IOVA + PAGE, HW_READ));
}

/* ---- ATS off, reset ---- */

TEST_F(endpoint, ats_off_forgets)
{
	map_page(self, IOVA, 0x10000);
	lands(self, DMA_NO_PASID, IOVA);
	ASSERT_EQ(0, endpoint_prefetch_start(self->dev, DMA_NO_PASID, IOVA, HW_READ));
	EXPECT_EQ(0, endpoint_ats_enable(self->dev, false));
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
	EXPECT_EQ(-ECANCELED, endpoint_prefetch_finish(self->dev));
	invalidate_page(self, IOVA);
	EXPECT_EQ(0u, self->iommu.answers);
	EXPECT_EQ(0, endpoint_ats_enable(self->dev, true));
	self->iommu.map[0].pa = 0x20000;
	EXPECT_EQ(0x20000u, lands(self, DMA_NO_PASID, IOVA));
}

TEST_F(endpoint, ats_off_answers_what_it_has)
{
	invalidate(self, 4, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
	EXPECT_EQ(0, endpoint_ats_enable(self->dev, false));
	settle(self);
	EXPECT_EQ(1u, self->iommu.answers);
}

TEST_F(endpoint, reset_forgets_everything)
{
	uint64_t value = 0x99, found = 0;
	struct dma dma = write_of(DMA_ATS, IOVA + 8, &value);

	map_page(self, IOVA, 0x10000);
	lands(self, DMA_NO_PASID, IOVA);
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->dev, 1, &dma));
	ASSERT_EQ(0, endpoint_page_request(self->dev, &(struct hw_page_request){ .index = 1 }));
	invalidate(self, 0, DMA_NO_PASID, PAGE, 2 * PAGE - 1);
	endpoint_flr(self->dev);
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
	settle(self);
	EXPECT_EQ(0u, self->iommu.answers);
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(self->dev, 1));
	EXPECT_EQ(0, hw_read64(&self->machine->mem, 0x10008, &found));
	EXPECT_EQ(0u, found);
	endpoint_prg_response(self->dev, false, 0, 1, 0);
	EXPECT_EQ(-EAGAIN, endpoint_prg_answer(self->dev, 1));
	EXPECT_EQ(-EINVAL, endpoint_page_request(self->dev, &(struct hw_page_request){}));
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_READ, DMA_PLAIN, DMA_NO_PASID, IOVA, &value));
	endpoint_bus_master(self->dev, true);
	EXPECT_EQ(DMA_DONE, do_dma(self, DMA_READ, DMA_PLAIN, DMA_NO_PASID, IOVA, &value));
	EXPECT_EQ(DMA_ABORTED, do_dma(self, DMA_READ, DMA_ATS, DMA_NO_PASID, IOVA, &value));
}

/* ---- Behaviour ---- */

TEST_F(endpoint, behaviour_never_complete)
{
	endpoint_behaviour(self->dev)->never_complete = true;
	map_page(self, IOVA, 0x10000);
	lands(self, DMA_NO_PASID, IOVA);
	invalidate_page(self, IOVA);
	EXPECT_EQ(0u, self->iommu.answers);
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
}

TEST_F(endpoint, behaviour_drop_invalidates)
{
	endpoint_behaviour(self->dev)->drop_invalidates = true;
	map_page(self, IOVA, 0x10000);
	lands(self, DMA_NO_PASID, IOVA);
	invalidate_page(self, IOVA);
	EXPECT_EQ(0u, self->iommu.answers);
	EXPECT_EQ(1u, endpoint_atc_count(self->dev));
}

TEST_F(endpoint, behaviour_of_answers)
{
	struct endpoint_behaviour *behaviour = endpoint_behaviour(self->dev);

	behaviour->wrong_itag = true;
	invalidate_page(self, IOVA);
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_NE(1u, self->iommu.answer[0].itags);
	*behaviour = (struct endpoint_behaviour){ .complete_twice = true };
	invalidate_page(self, IOVA);
	EXPECT_EQ(3u, self->iommu.answers);
	*behaviour = (struct endpoint_behaviour){ .short_count = true };
	invalidate_page(self, IOVA);
	EXPECT_EQ(4u, self->iommu.answers);
	EXPECT_EQ(2u, self->iommu.answer[3].count);
	*behaviour = (struct endpoint_behaviour){ .delay_steps = 10 };
	invalidate(self, 0, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
	for (unsigned int i = 0; i < 10; i++)
		EXPECT_TRUE(endpoint_step(self->dev));
	EXPECT_EQ(4u, self->iommu.answers);
	settle(self);
	EXPECT_EQ(5u, self->iommu.answers);
}

TEST_F(endpoint, behaviour_no_drain)
{
	uint64_t value = 0;
	struct dma dma = write_of(DMA_ATS, IOVA, &value);

	map_page(self, IOVA, 0x10000);
	endpoint_behaviour(self->dev)->no_drain = true;
	ASSERT_EQ(DMA_HELD, endpoint_dma_start(self->dev, 0, &dma));
	invalidate_page(self, IOVA);
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->dev, 0));
}

TEST_F(endpoint, behaviour_complete_first)
{
	map_page(self, IOVA, 0x10000);
	lands(self, DMA_NO_PASID, IOVA);
	endpoint_behaviour(self->dev)->complete_first = true;
	invalidate(self, 0, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
	EXPECT_TRUE(endpoint_step(self->dev));
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_EQ(1u, endpoint_atc_count(self->dev));
	settle(self);
	EXPECT_EQ(1u, self->iommu.answers);
	EXPECT_EQ(0u, endpoint_atc_count(self->dev));
}

/* With every freedom taken, every request is still answered once, after its removal. */
TEST_F(endpoint, freedom_of_answers)
{
	struct freedom *freedom = endpoint_freedom(self->dev);
	unsigned int messages = 0;

	freedom->reorder = freedom->delay = freedom->early = 500;
	freedom->delay_steps = 5;
	for (unsigned int round = 0; round < 50; round++) {
		uint32_t answered = 0;

		for (unsigned int itag = 0; itag < 32; itag++)
			invalidate(self, itag, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
		self->iommu.answers = 0;
		ASSERT_TRUE(machine_settle(self->machine, 200));
		for (unsigned int i = 0; i < self->iommu.answers; i++) {
			EXPECT_EQ(0u, answered & self->iommu.answer[i].itags);
			answered |= self->iommu.answer[i].itags;
		}
		EXPECT_EQ(UINT32_MAX, answered);
		messages += self->iommu.answers;
	}
	EXPECT_LT(messages, 50 * 32);
}

/* ---- Stalls ---- */

TEST_F(endpoint, stalled_request_is_retried)
{
	uint64_t value = 0x99, found = 0;
	struct dma dma = write_of(DMA_PLAIN, IOVA, &value);

	self->iommu.stalls = 2;
	map_page(self, IOVA, 0x10000);
	EXPECT_EQ(DMA_STALLED, endpoint_dma(self->dev, 2, &dma));
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(self->dev, 2));
	endpoint_resume(self->dev, 77, true);
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(self->dev, 2));
	endpoint_resume(self->dev, self->iommu.token, true);
	EXPECT_EQ(DMA_STALLED, endpoint_dma_finish(self->dev, 2));
	endpoint_resume(self->dev, self->iommu.token, true);
	EXPECT_EQ(DMA_DONE, endpoint_dma_finish(self->dev, 2));
	EXPECT_EQ(0, hw_read64(&self->machine->mem, 0x10000, &found));
	EXPECT_EQ(0x99u, found);
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(self->dev, 2));
}

TEST_F(endpoint, stalled_request_is_aborted)
{
	uint64_t value = 0x99, found = 0;
	struct dma dma = write_of(DMA_PLAIN, IOVA, &value);

	self->iommu.stalls = 1;
	map_page(self, IOVA, 0x10000);
	EXPECT_EQ(DMA_STALLED, endpoint_dma_start(self->dev, 0, &dma));
	endpoint_resume(self->dev, self->iommu.token, false);
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(self->dev, 0));
	EXPECT_EQ(0, hw_read64(&self->machine->mem, 0x10000, &found));
	EXPECT_EQ(0u, found);
	EXPECT_EQ(DMA_DONE, endpoint_dma(self->dev, 0, &dma));
}

/* A reset ends a stall; the answer to it that comes later is nobody's. */
TEST_F(endpoint, reset_ends_a_stall)
{
	uint64_t value = 0x99;
	struct dma dma = write_of(DMA_PLAIN, IOVA, &value);

	self->iommu.stalls = 1;
	EXPECT_EQ(DMA_STALLED, endpoint_dma(self->dev, 0, &dma));
	endpoint_flr(self->dev);
	endpoint_resume(self->dev, self->iommu.token, true);
	EXPECT_EQ(DMA_ABORTED, endpoint_dma_finish(self->dev, 0));
}

/* ---- Page requests ---- */

TEST_F(endpoint, page_request_is_answered_to_its_group)
{
	struct hw_page_request request = {
		.has_pasid = true, .pasid = PASID, .addr = IOVA, .index = 9, .last = true,
		.access = HW_READ,
	};

	ASSERT_EQ(0, endpoint_page_request(self->dev, &request));
	EXPECT_EQ(RID, self->iommu.page_request.rid);
	EXPECT_EQ(IOVA, self->iommu.page_request.addr);
	EXPECT_EQ(9u, self->iommu.page_request.index);
	EXPECT_EQ(-EAGAIN, endpoint_prg_answer(self->dev, 9));
	endpoint_prg_response(self->dev, true, PASID, 8, 0);
	endpoint_prg_response(self->dev, true, OTHER_PASID, 9, 0);
	EXPECT_EQ(-EAGAIN, endpoint_prg_answer(self->dev, 9));
	endpoint_prg_response(self->dev, true, PASID, 9, 1);
	endpoint_prg_response(self->dev, true, PASID, 9, 0);
	EXPECT_EQ(1, endpoint_prg_answer(self->dev, 9));
	EXPECT_EQ(-EAGAIN, endpoint_prg_answer(self->dev, 9));
}

TEST_F(endpoint, response_failure_stops_page_requests)
{
	struct hw_page_request request = { .index = 3, .last = true };

	ASSERT_EQ(0, endpoint_page_request(self->dev, &request));
	endpoint_prg_response(self->dev, false, 0, 3, 0xf);
	EXPECT_EQ(0xf, endpoint_prg_answer(self->dev, 3));
	EXPECT_EQ(-EIO, endpoint_page_request(self->dev, &request));
	endpoint_pri_enable(self->dev, false);
	EXPECT_EQ(-EINVAL, endpoint_page_request(self->dev, &request));
	endpoint_pri_enable(self->dev, true);
	EXPECT_EQ(0, endpoint_page_request(self->dev, &request));
}

/* ---- Machine ---- */

static void note_msi(void *arg, uint64_t addr, uint32_t data)
{
	*(uint64_t *)arg = addr + data;
}

TEST_F(endpoint, interrupts_wait_for_the_machine_to_step)
{
	uint64_t seen = 0;

	self->machine->interrupt = note_msi;
	self->machine->interrupt_arg = &seen;
	hw_msi(&self->machine->mem, 0xfee00000, 5);
	EXPECT_EQ(0u, seen);
	EXPECT_TRUE(machine_settle(self->machine, 10));
	EXPECT_EQ(0xfee00005u, seen);
	for (unsigned int i = 0; i < MACHINE_MSIS + 3; i++)
		hw_msi(&self->machine->mem, 0xfee00000, i);
	EXPECT_EQ(3u, self->machine->msi_lost);
	EXPECT_TRUE(machine_settle(self->machine, 10));
	EXPECT_EQ(0xfee00000u + MACHINE_MSIS - 1, seen);
}

TEST_F(endpoint, slots_come_back_when_a_function_is_unplugged)
{
	uint64_t value;

	map_page(self, IOVA, 0x10000);
	for (unsigned int i = 0; i < INFLIGHT_SLOTS; i++) {
		replug(self, &everything);
		ASSERT_EQ(DMA_DONE, do_dma(self, DMA_READ, DMA_ATS, DMA_NO_PASID, IOVA, &value));
	}
}

/* ---- Threads ---- */

/*
 * Engines write through the ATC while the page moves to and fro. After each answer the page that
 * was left is cleared, with plain stores: nobody may write to it any more.
 */
struct writer {
	struct endpoint *dev;
	unsigned int engine;
	bool *stop;
	unsigned long done;
};

static void *write_on(void *arg)
{
	struct writer *writer = arg;
	uint64_t value = 1;
	struct dma dma = write_of(DMA_ATS, IOVA + 8 * writer->engine, &value);

	while (!__atomic_load_n(writer->stop, __ATOMIC_RELAXED))
		writer->done += endpoint_dma(writer->dev, writer->engine, &dma) == DMA_DONE;
	return NULL;
}

FIXTURE(threads) {
	rig rig;
};

FIXTURE_SETUP(threads)
{
	endpoint_setup(_metadata, &self->rig, NULL);
	hw_trace_dma(self->rig.machine->trace, false);
}

FIXTURE_TEARDOWN(threads)
{
	machine_destroy(self->rig.machine);
}

TEST_F(threads, leave_the_old_page_before_the_answer)
{
	rig *it = &self->rig;
	struct writer writers[2];
	pthread_t threads[2];
	bool stop = false;
	struct map *page = map_page(it, IOVA, 0x10000);

	for (unsigned int i = 0; i < 2; i++) {
		writers[i] = (struct writer){ it->dev, i, &stop };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, write_on, &writers[i]));
	}
	for (unsigned int round = 0; round < 100; round++) {
		uint64_t old = page->pa;
		uint64_t *words = hw_ram(&it->machine->mem, old, PAGE);

		__atomic_store_n(&page->pa, old ^ 0x30000, __ATOMIC_RELEASE);
		it->iommu.answers = 0;
		invalidate(it, 0, DMA_NO_PASID, IOVA, IOVA + PAGE - 1);
		for (time_t end = time(NULL) + 60; !it->iommu.answers && time(NULL) < end; ) {
			machine_step(it->machine);
			sched_yield();
		}
		ASSERT_EQ(1u, it->iommu.answers);
		words[0] = words[1] = 0;
		sched_yield();
		ASSERT_EQ(0u, words[0] | words[1]);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_GT(writers[i].done, 0u);
	}
}

TEST_F(threads, survive_reset)
{
	rig *it = &self->rig;
	struct writer writer;
	pthread_t thread;
	bool stop = false;

	map_page(it, IOVA, 0x10000);
	writer = (struct writer){ it->dev, 0, &stop };
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_on, &writer));
	for (unsigned int round = 0; round < 100; round++) {
		uint64_t *word = hw_ram(&it->machine->mem, 0x10000, PAGE);

		endpoint_flr(it->dev);
		*word = 0;
		sched_yield();
		ASSERT_EQ(0u, *word);
		endpoint_ats_enable(it->dev, true);
		endpoint_bus_master(it->dev, true);
		sched_yield();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* ---- Teeth ---- */

/* This program with a fault planted, threads left out: true if it failed. */
static bool fails_with(const char *name)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setenv("NIT_FAULT", name, 1);
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(0);
		execl("/proc/self/exe", "endpoint_test", "-F", "threads", NULL);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status;
}

struct toll {
	unsigned int faults;
	unsigned int missed;
};

static void try_fault(const struct fault *fault, void *arg)
{
	struct toll *toll = arg;

	if (strncmp(fault->name, "endpoint.", 9))
		return;
	toll->faults++;
	if (fails_with(fault->name))
		return;
	toll->missed++;
	check_note("nobody noticed %s: %s", fault->name, fault->what);
}

/* Not in the programs that run with a fault, nor (it says the same, slowly) under sanitizers. */
TEST(every_fault_is_noticed)
{
	struct toll toll = {};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return;
#endif
	if (getenv("NIT_FAULT"))
		return;
	fault_each(try_fault, &toll);
	EXPECT_GE(toll.faults, 30u);
	EXPECT_EQ(0u, toll.missed);
}

NIT_TEST_MAIN
