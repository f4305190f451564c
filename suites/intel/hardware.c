// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same rules on other hardware: caching mode, few domain ids, fewer levels and page sizes,
 * page-selective invalidation that is narrow or missing; and hardware that uses its freedom.
 */
#include "intel.h"

#define IOVA 0x7f1200000000ull
#define HOT 0x80000000ull

FIXTURE(hardware)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	uint64_t page[2];
};

/** struct setting - of a knob of IOMMU and device; a value of 0 ends a list of them */
struct setting {
	enum knob knob;
	uint16_t value;
};

FIXTURE_VARIANT(hardware)
{
	void (*config)(struct vtd_config *config);
	const struct setting *freedom;
};

static void caching_mode(struct vtd_config *config)
{
	config->caching_mode = true;
}

static void few_domain_ids(struct vtd_config *config)
{
	config->domain_bits = 4;
}

static void small_pages_only(struct vtd_config *config)
{
	config->large_2m = config->large_1g = false;
}

static void no_page_selective(struct vtd_config *config)
{
	config->psi = false;
}

static void one_page_selective(struct vtd_config *config)
{
	config->mamv = 0;
}

static void bare(struct vtd_config *config)
{
	config->five_level = false;
	config->mgaw = 48;
	config->haw = 46;
	config->pds = config->dit = config->ssads = config->prs = false;
}

static const struct setting out_of_order[] = {
	{ KNOB_REORDER, 500 }, { KNOB_EARLY, 200 }, { KNOB_DELAY, 300 }, { KNOB_DELAY_STEPS, 8 },
	{},
};

static const struct setting forgetful[] = { { KNOB_EVICT, 200 }, { KNOB_OVER, 300 }, {} };

static const struct setting eager[] = { { KNOB_PREFETCH, 500 }, { KNOB_SMALL_PAGES, true }, {} };

FIXTURE_VARIANT_ADD(hardware, caching_mode) { .config = caching_mode };
FIXTURE_VARIANT_ADD(hardware, few_domain_ids) { .config = few_domain_ids };
FIXTURE_VARIANT_ADD(hardware, small_pages_only) { .config = small_pages_only };
FIXTURE_VARIANT_ADD(hardware, no_page_selective) { .config = no_page_selective };
FIXTURE_VARIANT_ADD(hardware, one_page_selective) { .config = one_page_selective };
FIXTURE_VARIANT_ADD(hardware, bare) { .config = bare };
FIXTURE_VARIANT_ADD(hardware, out_of_order) { .freedom = out_of_order };
FIXTURE_VARIANT_ADD(hardware, forgetful) { .freedom = forgetful };
FIXTURE_VARIANT_ADD(hardware, eager) { .freedom = eager };

FIXTURE_SETUP(hardware)
{
	struct vtd_config config = vtd_config_full;
	const struct target_config machine = {
		.iommu = &config, .any_iommu = !variant->config,
		.needs = variant->freedom ? TARGET_KNOBS : 0,
	};

	if (variant->config)
		variant->config(&config);
	TARGET_OPEN(&self->target, "intel", &machine);
	for (const struct setting *s = variant->freedom; s && s->value; s++) {
		TURN_IOMMU(&self->target, 0, s->knob, s->value);
		TURN(&self->target, 0, s->knob, s->value);
	}
	VM_OPEN(&self->vm, &self->target, &vm_intel, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, true, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	self->page[0] = vm_page(&self->vm);
	self->page[1] = vm_page(&self->vm);
}

FIXTURE_TEARDOWN(hardware)
{
	vm_space_fini(&self->space);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

/* Hardware with freedom may have forgotten the old page: the other variants have the control. */
#define CHANGE_BACK_AND_FORTH(_change) do { \
	for (unsigned int i = 0; i < 10; i++) { \
		MAP(IOVA, self->page[i % 2], PAGE); \
		INVALIDATE(IOVA, PAGE, _change); \
		REACHES(IOVA, self->page[i % 2]); \
	} \
} while (0)

/* The device tries before there is anything: what hardware remembers of that must not stay. */
TEST_F(hardware, attached_after_a_first_try)
{
	RULE("VTD-11");
	REFUSED(IOVA);
	MAP(IOVA, self->page[0], PAGE);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(IOVA, self->page[0]);
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	REFUSED(IOVA);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	REACHES(IOVA, self->page[0]);
}

TEST_F(hardware, first_stage)
{
	RULE("VTD-02");
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	CHANGE_BACK_AND_FORTH(VM_LEAF_ONLY);
}

TEST_F(hardware, second_stage)
{
	RULE("VTD-46");
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	MAP(IOVA, HOT, PAGE);
	for (unsigned int i = 0; i < 10; i++) {
		uint8_t *page = self->vm.spare + i * PAGE;

		REFUSED(IOVA);
		ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, page, PAGE, S2_RW));
		REACHES(IOVA, (uintptr_t)page);
		ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, PAGE));
	}
}

/*
 * The second stage alone: a device that the guest gave back, attached to the nest parent. With
 * caching mode that nothing is mapped may be cached.
 */
TEST_F(hardware, second_stage_alone)
{
	const struct target_ops *ops = self->target.ops;

	RULE("VTD-11");
	ASSERT_EQ(0, ops->attach(&self->target, &self->vm.iommufd, self->device->dev_id,
				 DMA_NO_PASID, self->vm.parent));
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t *page = self->vm.spare + i * PAGE;

		REFUSED(HOT);
		ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, page, PAGE, S2_RW));
		REACHES(HOT, (uintptr_t)page);
		ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, PAGE));
	}
}

/* A large page of the hypervisor is taken away by one invalidation, or by as many as it takes. */
TEST_F(hardware, large_second_stage_page)
{
	uint8_t *memory = self->target.ops->memory(&self->target, 2 * SIZE_2M);
	uint8_t *large = memory + -(uintptr_t)memory % SIZE_2M;

	RULE("VTD-04");
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	vm_stamp(large, SIZE_2M, HOT);
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, large, SIZE_2M, S2_RW));
	MAP(IOVA, HOT, SIZE_2M);
	REACHES(IOVA, HOT);
	REACHES(IOVA + 511 * PAGE, HOT + 511 * PAGE);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, SIZE_2M));
	REFUSED(IOVA);
	REFUSED(IOVA + 511 * PAGE);
}

/* Many more attachments, one after the other, than there are domain ids on the smallest hardware */
TEST_F(hardware, domain_ids_come_back)
{
	RULE("VTD-43");
	for (unsigned int i = 0; i < 40; i++) {
		MAP(IOVA, self->page[i % 2], PAGE);
		ASSERT_EQ(0, vm_attach(self->device, &self->space));
		REACHES(IOVA, self->page[i % 2]);
		ASSERT_EQ(0, vm_detach(self->device, &self->space));
	}
}

/* More at once than there are ids: refused, and all that were there before go on. */
TEST_F(hardware, domain_ids_run_out)
{
	enum { SPACES = 20 };
	struct vm_space spaces[SPACES];
	unsigned int attached = 0;
	int rc = 0;

	RULE("VTD-43");
	for (unsigned int i = 0; i < SPACES; i++) {
		ASSERT_EQ(0, vm_space_init(&self->vm, &spaces[i], 1 + i));
		ASSERT_EQ(0, vm_map(&spaces[i], IOVA, self->page[i % 2], PAGE, RW));
	}
	for (; attached < SPACES && !rc; attached += !rc)
		rc = vm_attach(self->device, &spaces[attached]);
	if (variant->config == few_domain_ids) {
		EXPECT_EQ(-ENOSPC, rc);
		EXPECT_EQ(15U, attached);	/* 16, and 0 is never handed out */
	} else {
		EXPECT_EQ(0, rc);
	}
	for (unsigned int i = 0; i < attached; i++)
		EXPECT_DMA(self->device, &spaces[i], IOVA, self->page[i % 2]);
	for (unsigned int i = 0; i < attached; i++)
		ASSERT_EQ(0, vm_detach(self->device, &spaces[i]));
	for (unsigned int i = 0; i < SPACES; i++)
		vm_space_fini(&spaces[i]);
}

NIT_TEST_MAIN
