// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of the hypervisor alone: v1 tables for RIDs, v2 tables for PASIDs (and for a RID
 * beside them), on several devices, behind one IOMMU or two.
 */
#include <errno.h>

#include "amd.h"

#define IOVA	0x10000000ULL
#define PAGES	32
#define DEVICES	3
#define BY_RID	0
#define BY_PASID 1

/** struct host - an iommufd with all devices bound, an IOAS, and memory to map in it */
struct host {
	struct target target;
	struct iommufd iommufd;
	uint32_t dev_id[DEVICES];
	uint32_t ioas;
	uint8_t *memory;
};

FIXTURE(paging)
{
	struct host host;
};

FIXTURE_VARIANT(paging)
{
	bool ats;
	bool v2;
	unsigned int iommus;
};

FIXTURE_VARIANT_ADD(paging, v1) { };
FIXTURE_VARIANT_ADD(paging, v1_ats) { .ats = true };
FIXTURE_VARIANT_ADD(paging, v2) { .v2 = true };
FIXTURE_VARIANT_ADD(paging, v2_ats) { .v2 = true, .ats = true };
FIXTURE_VARIANT_ADD(paging, v1_ats_two_iommus) { .ats = true, .iommus = 2 };
FIXTURE_VARIANT_ADD(paging, v2_ats_two_iommus) { .v2 = true, .ats = true, .iommus = 2 };

static void set_up(struct __test_metadata *_metadata, struct host *host, unsigned int iommus,
		   unsigned int needs)
{
	struct target_config config = { .iommus = iommus, .devices = DEVICES, .needs = needs };

	TARGET_OPEN(&host->target, "amd", &config);
	ASSERT_EQ(0, host->target.ops->iommufd_open(&host->target, &host->iommufd));
	host->memory = host->target.ops->memory(&host->target, PAGES * PAGE);
	ASSERT_NE(NULL, host->memory);
	vm_stamp(host->memory, PAGES * PAGE, (uintptr_t)host->memory);
	ASSERT_EQ(0, __ioas_alloc(&host->iommufd, &host->ioas));
	for (unsigned int i = 0; i < DEVICES; i++)
		ASSERT_EQ(0, host->target.ops->bind(&host->target, &host->iommufd, i,
						    &host->dev_id[i]));
}

FIXTURE_SETUP(paging)
{
	set_up(_metadata, &self->host, variant->iommus, variant->ats ? TARGET_ATS : 0);
	if (self->host.target.lacks)
		return;
}

FIXTURE_TEARDOWN(paging)
{
	iommufd_close(&self->host.iommufd);
	self->host.target.ops->close(&self->host.target);
}

/* PASIDs need v2 tables. */
FIXTURE(pasids)
{
	struct host host;
};

FIXTURE_VARIANT(pasids)
{
	bool ats;
	bool v2;
};

FIXTURE_VARIANT_ADD(pasids, plain) { .v2 = true };
FIXTURE_VARIANT_ADD(pasids, ats) { .v2 = true, .ats = true };

FIXTURE_SETUP(pasids)
{
	set_up(_metadata, &self->host, 1, target_needs(variant->ats, 0));
	if (self->host.target.lacks)
		return;
}

FIXTURE_TEARDOWN(pasids)
{
	iommufd_close(&self->host.iommufd);
	self->host.target.ops->close(&self->host.target);
}

static uint64_t name_of(const uint8_t *memory, unsigned int page)
{
	return vm_name((uintptr_t)memory + page * PAGE);
}

static uint64_t read_at(struct target *target, unsigned int device, bool ats, uint32_t pasid,
			uint64_t iova)
{
	uint64_t data = 0;
	struct dma dma = {
		.op = DMA_READ, .address = ats ? DMA_ATS : DMA_PLAIN, .pasid = pasid,
		.addr = iova, .len = 8, .data = &data,
	};

	return target->ops->dma(target, device, 0, &dma) == DMA_DONE ? vm_name(data) : VM_NOWHERE;
}

#define SEES(_device, _pasid, _iova, _page) \
	EXPECT_EQ(name_of(self->host.memory, _page), \
		  read_at(&self->host.target, _device, variant->ats, _pasid, _iova))
#define SEES_NOTHING(_device, _pasid, _iova) \
	EXPECT_EQ(VM_NOWHERE, read_at(&self->host.target, _device, variant->ats, _pasid, _iova))
#define ATTACH(_device, _pasid, _pt) \
	ASSERT_EQ(0, self->host.target.ops->attach(&self->host.target, &self->host.iommufd, \
					      self->host.dev_id[_device], _pasid, _pt))
#define DETACH(_device, _pasid) \
	EXPECT_EQ(0, self->host.target.ops->detach(&self->host.target, &self->host.iommufd, \
					      self->host.dev_id[_device], _pasid))

static int map(struct host *host, unsigned int page, unsigned int to, unsigned int count)
{
	return __ioas_map(&host->iommufd, host->ioas, host->memory + to * PAGE, count * PAGE,
			  IOVA + page * PAGE, S2_RW);
}

static int unmap(struct host *host, unsigned int page, unsigned int count)
{
	return __ioas_unmap(&host->iommufd, host->ioas, IOVA + page * PAGE, count * PAGE, NULL);
}

#define HWPT(_device) ({ \
	uint32_t id = 0; \
	int hwpt_rc = __hwpt_alloc(&self->host.iommufd, self->host.dev_id[_device], \
				   self->host.ioas, \
				   variant->v2 ? IOMMU_HWPT_ALLOC_PASID : 0, &id); \
	if (hwpt_rc == -EOPNOTSUPP && variant->v2 && \
	    !(self->host.target.has & TARGET_REFERENCE)) \
		SKIP(return, "no page tables for PASIDs here"); \
	ASSERT_EQ(0, hwpt_rc); \
	id; \
})

TEST_F(paging, unmapped)
{
	RULE("AMD-66");
	uint32_t hwpt = HWPT(0);

	for (unsigned int i = 0; i < 2; i++)
		ATTACH(i, DMA_NO_PASID, hwpt);
	for (unsigned int n = 0; n < 3; n++) {
		ASSERT_EQ(0, map(&self->host, 0, n, 4));
		for (unsigned int i = 0; i < 2; i++)
			SEES(i, DMA_NO_PASID, IOVA + 3 * PAGE, n + 3);
		EXPECT_EQ(0, unmap(&self->host, 0, 4));
		for (unsigned int i = 0; i < 2; i++)
			SEES_NOTHING(i, DMA_NO_PASID, IOVA + 3 * PAGE);
	}
}

TEST_F(paging, replaced)
{
	RULE("AMD-06");
	uint32_t hwpt = HWPT(0), ioas = self->host.ioas, other;

	ASSERT_EQ(0, map(&self->host, 0, 0, 1));
	ATTACH(0, DMA_NO_PASID, hwpt);
	SEES(0, DMA_NO_PASID, IOVA, 0);
	ASSERT_EQ(0, __ioas_alloc(&self->host.iommufd, &self->host.ioas));
	ASSERT_EQ(0, map(&self->host, 0, 9, 1));
	other = HWPT(0);
	ATTACH(0, DMA_NO_PASID, other);
	SEES(0, DMA_NO_PASID, IOVA, 9);
	ATTACH(0, DMA_NO_PASID, ioas);		/* a v1 table, made for it */
	SEES(0, DMA_NO_PASID, IOVA, 0);
	ATTACH(0, DMA_NO_PASID, other);
	SEES(0, DMA_NO_PASID, IOVA, 9);
}

TEST_F(paging, detached)
{
	RULE("AMD-06");
	ASSERT_EQ(0, map(&self->host, 0, 0, 1));
	SEES_NOTHING(0, DMA_NO_PASID, IOVA);
	ATTACH(0, DMA_NO_PASID, HWPT(0));
	SEES(0, DMA_NO_PASID, IOVA, 0);
	DETACH(0, DMA_NO_PASID);
	SEES_NOTHING(0, DMA_NO_PASID, IOVA);
	EXPECT_EQ(VM_NOWHERE, read_at(&self->host.target, 0, false, DMA_NO_PASID, IOVA));
}

/* What the IOTLB has of the page table serves the other device, and that one alone. */
TEST_F(paging, detached_beside_another)
{
	RULE("AMD-06");
	uint32_t hwpt = HWPT(0);

	ASSERT_EQ(0, map(&self->host, 0, 0, 1));
	ATTACH(0, DMA_NO_PASID, hwpt);
	ATTACH(2, DMA_NO_PASID, hwpt);
	SEES(0, DMA_NO_PASID, IOVA, 0);
	DETACH(0, DMA_NO_PASID);
	SEES(2, DMA_NO_PASID, IOVA, 0);
	SEES_NOTHING(0, DMA_NO_PASID, IOVA);
	EXPECT_EQ(VM_NOWHERE, read_at(&self->host.target, 0, false, DMA_NO_PASID, IOVA));
}

/* The next table gets the DomainID of the one that went. */
TEST_F(paging, domain_id_used_again)
{
	RULE("NEST-09");
	uint32_t hwpt;

	for (unsigned int n = 0; n < 4; n++) {
		ASSERT_EQ(0, map(&self->host, 0, n, 1));
		hwpt = HWPT(0);
		ATTACH(0, DMA_NO_PASID, hwpt);
		SEES(0, DMA_NO_PASID, IOVA, n);
		DETACH(0, DMA_NO_PASID);
		EXPECT_EQ(0, __iommufd_destroy(&self->host.iommufd, hwpt));
		EXPECT_EQ(0, unmap(&self->host, 0, 1));
		hwpt = HWPT(0);
		ATTACH(0, DMA_NO_PASID, hwpt);
		SEES_NOTHING(0, DMA_NO_PASID, IOVA);
		DETACH(0, DMA_NO_PASID);
		EXPECT_EQ(0, __iommufd_destroy(&self->host.iommufd, hwpt));
	}
}

/* A device that nobody attached reaches nothing, at whatever address there is memory. */
TEST_F(paging, never_attached)
{
	RULE("AMD-06");
	NEEDS(&self->host.target, TARGET_REFERENCE);
	uint64_t ram = ref_machine(&self->host.target)->mem.base + (8ULL << 20);

	for (unsigned int i = 0; i < 2; i++)
		EXPECT_EQ(VM_NOWHERE, read_at(&self->host.target, i, false, DMA_NO_PASID, ram));
}

/* One mapping of two pages, on both sides of a boundary */
TEST_F(paging, unmapped_across_a_boundary)
{
	RULE("AMD-66");
	ATTACH(0, DMA_NO_PASID, HWPT(0));
	for (unsigned int first = 1; first < 16; first = 2 * first + 1) {
		ASSERT_EQ(0, map(&self->host, first, 0, 2));
		SEES(0, DMA_NO_PASID, IOVA + first * PAGE, 0);
		SEES(0, DMA_NO_PASID, IOVA + (first + 1) * PAGE, 1);
		EXPECT_EQ(0, unmap(&self->host, first, 2));
		SEES_NOTHING(0, DMA_NO_PASID, IOVA + first * PAGE);
		SEES_NOTHING(0, DMA_NO_PASID, IOVA + (first + 1) * PAGE);
	}
}

/* Of a range, all of it and (by what the test depends on) nothing else */
TEST_F(paging, ranges)
{
	RULE("AMD-66");
	static const struct { unsigned int first, count; } ranges[] = {
		{ 3, 2 }, { 7, 2 }, { 15, 3 }, { 1, 15 }, { 0, 16 }, { 31, 1 },
	};

	ATTACH(0, DMA_NO_PASID, HWPT(0));
	for (unsigned int r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
		for (unsigned int i = 0; i < PAGES; i++) {
			ASSERT_EQ(0, map(&self->host, i, i, 1));
			SEES(0, DMA_NO_PASID, IOVA + i * PAGE, i);
		}
		EXPECT_EQ(0, unmap(&self->host, ranges[r].first, ranges[r].count));
		for (unsigned int i = 0; i < PAGES; i++) {
			bool gone = i - ranges[r].first < ranges[r].count;

			EXPECT_EQ(gone ? VM_NOWHERE : name_of(self->host.memory, i),
				  read_at(&self->host.target, 0, variant->ats, DMA_NO_PASID,
					  IOVA + i * PAGE));
		}
		__ioas_unmap(&self->host.iommufd, self->host.ioas, 0, UINT64_MAX, NULL);
	}
}

/* PASIDs beside the RID: each has a table, the device one tag for all. */
TEST_F(pasids, beside_the_rid)
{
	RULE("AMD-67");
	uint32_t hwpt[2], other;

	ASSERT_EQ(0, map(&self->host, 0, 0, 1));
	hwpt[BY_RID] = HWPT(0);
	ASSERT_EQ(0, __ioas_alloc(&self->host.iommufd, &self->host.ioas));
	ASSERT_EQ(0, map(&self->host, 0, 1, 1));
	hwpt[BY_PASID] = HWPT(0);
	ASSERT_EQ(0, __ioas_alloc(&self->host.iommufd, &self->host.ioas));
	ASSERT_EQ(0, map(&self->host, 0, 2, 1));
	other = HWPT(0);
	ATTACH(0, DMA_NO_PASID, hwpt[BY_RID]);
	ATTACH(0, 0x305, hwpt[BY_PASID]);
	ATTACH(0, 0x306, other);
	SEES(0, DMA_NO_PASID, IOVA, 0);
	SEES(0, 0x305, IOVA, 1);
	SEES(0, 0x306, IOVA, 2);
	SEES_NOTHING(0, 0x307, IOVA);
	ATTACH(0, 0x305, other);
	SEES(0, 0x305, IOVA, 2);
	DETACH(0, 0x306);
	SEES_NOTHING(0, 0x306, IOVA);
	EXPECT_EQ(0, unmap(&self->host, 0, 1));
	SEES_NOTHING(0, 0x305, IOVA);
	SEES(0, DMA_NO_PASID, IOVA, 0);
	DETACH(0, DMA_NO_PASID);
	SEES_NOTHING(0, DMA_NO_PASID, IOVA);
	ATTACH(0, 0x305, hwpt[BY_PASID]);
	SEES(0, 0x305, IOVA, 1);
}

/* More commands at once than the hypervisor's buffer holds */
TEST_F(pasids, one_table_for_very_many)
{
	RULE("AMD-66");
	uint32_t hwpt = HWPT(0);

	ASSERT_EQ(0, map(&self->host, 0, 0, 1));
	for (unsigned int i = 0; i < DEVICES; i++) {
		for (uint32_t pasid = 1; pasid < 61; pasid++) {
			ATTACH(i, pasid, hwpt);
			SEES(i, pasid, IOVA, 0);
		}
	}
	EXPECT_EQ(0, unmap(&self->host, 0, 1));
	for (unsigned int i = 0; i < DEVICES; i++)
		for (uint32_t pasid = 1; pasid < 61; pasid++)
			SEES_NOTHING(i, pasid, IOVA);
}

TEST_F(paging, reset)
{
	int rc;

	RULE("ATS-08");
	ASSERT_EQ(0, map(&self->host, 0, 0, 1));
	ATTACH(0, DMA_NO_PASID, HWPT(0));
	SEES(0, DMA_NO_PASID, IOVA, 0);
	rc = self->host.target.ops->reset(&self->host.target, &self->host.iommufd,
					  self->host.dev_id[0]);
	if (rc == -EOPNOTSUPP)
		SKIP(return, "the device cannot be reset");
	EXPECT_EQ(0, rc);
	SEES(0, DMA_NO_PASID, IOVA, 0);
	EXPECT_EQ(0, unmap(&self->host, 0, 1));
	SEES_NOTHING(0, DMA_NO_PASID, IOVA);
}

TEST_F(paging, silent_device)
{
	RULE("NEST-07");
	NEEDS(&self->host.target, TARGET_REFERENCE);
	ASSERT_EQ(0, map(&self->host, 0, 0, 1));
	ATTACH(0, DMA_NO_PASID, HWPT(0));
	SEES(0, DMA_NO_PASID, IOVA, 0);
	endpoint_behaviour(ref_endpoint(&self->host.target, 0))->never_complete = true;
	EXPECT_EQ(-ETIMEDOUT, unmap(&self->host, 0, 1));	/* ATS is on, used or not */
	SEES_NOTHING(0, DMA_NO_PASID, IOVA);
}

NIT_TEST_MAIN
