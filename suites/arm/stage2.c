// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of stage 2 while nested users are attached. IOAS_UNMAP invalidates by itself: what was
 * unmapped is out of reach when it returns, by whatever stage-1 address, cache or table it was
 * reached before.
 *
 * There is no moment between change and invalidation in which a guest could look: that the caches
 * are real is what the REACHES before the change is for, and the named faults show.
 */
#include "vm_fixture.h"

/* Guest physical memory outside of RAM, of a granule of the guest, and what the VMM puts there */
#define HOT 0x80000000ull
#define PLUG(_n) ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, spare(self, _n), self->granule, S2_RW))
#define UNPLUG() ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, self->granule))

static void *spare(FIXTURE_DATA(nested) *self, unsigned int n)
{
	return self->vm.spare + n * self->granule;
}

static uint64_t spare_name(FIXTURE_DATA(nested) *self, unsigned int n)
{
	return (uintptr_t)spare(self, n);
}

TEST_F(nested, unmap)
{
	RULE("SMMU-07");
	PLUG(0);
	MAP(self->iova, HOT, self->granule);
	REACHES(self->iova, spare_name(self, 0));
	UNPLUG();
	REFUSED(self->iova);
}

TEST_F(nested, other_page_in_its_place)
{
	RULE("SMMU-07");
	for (unsigned int i = 0; i < 4; i++) {
		PLUG(i % 2);
		MAP(self->iova, HOT, self->granule);
		REACHES(self->iova, spare_name(self, i % 2));
		UNPLUG();
	}
	REFUSED(self->iova);
}

/* One page of the guest under many of its addresses: all of them combine both stages. */
TEST_F(nested, unmap_of_a_page_with_aliases)
{
	RULE("SMMU-07");
	PLUG(0);
	for (unsigned int i = 0; i < 8; i++) {
		MAP(self->iova + i * SIZE_1G, HOT, self->granule);
		REACHES(self->iova + i * SIZE_1G, spare_name(self, 0));
	}
	UNPLUG();
	for (unsigned int i = 0; i < 8; i++)
		REFUSED(self->iova + i * SIZE_1G);
}

/* Global entries are of every ASID, and of one VMID. */
TEST_F(nested, unmap_under_a_global_entry)
{
	RULE("SMMU-46");
	PLUG(0);
	ASSERT_EQ(0, vm_map(&self->space, self->iova, HOT, self->granule, RW | PGTABLE_GLOBAL));
	REACHES(self->iova, spare_name(self, 0));
	UNPLUG();
	REFUSED(self->iova);
}

/* The page is not reached by DMA itself: a stage-1 table lies in it. */
TEST_F(nested, unmap_of_a_page_that_holds_a_table)
{
	uint64_t *entry, *moved = spare(self, 0);

	RULE("SMMU-49");
	MAP(self->iova, self->page[0], self->granule);
	entry = pgtable_entry(&self->space.stage1, self->iova, 0);
	PLUG(0);
	memset(moved, 0, self->granule);
	moved[(self->iova / self->granule) % (self->granule / 8)] = *entry;
	entry = pgtable_entry(&self->space.stage1, self->iova, 1);
	*entry = (*entry & ~LPAE_ADDR) | HOT;
	REACHES(self->iova, self->page[0]);
	UNPLUG();
	REFUSED(self->iova);
	PLUG(0);
	REACHES(self->iova, self->page[0]);
}

/* A table's page is replaced by one with other contents: no walk cache may keep to the old one. */
TEST_F(nested, other_table_in_its_place)
{
	uint64_t index = (self->iova / self->granule) % (self->granule / 8);
	uint64_t *first = spare(self, 0), *second = spare(self, 1), *entry;

	RULE("SMMU-49");
	MAP(self->iova, self->page[0], self->granule);
	entry = pgtable_entry(&self->space.stage1, self->iova, 0);
	memset(first, 0, self->granule);
	memset(second, 0, self->granule);
	first[index] = *entry;
	second[index] = *entry + self->page[1] - self->page[0];
	second[index + 1] = *entry + self->page[2] - self->page[0];
	PLUG(0);
	entry = pgtable_entry(&self->space.stage1, self->iova, 1);
	*entry = (*entry & ~LPAE_ADDR) | HOT;
	REACHES(self->iova, self->page[0]);
	UNPLUG();
	PLUG(1);
	REACHES(self->iova, self->page[1]);
	REACHES(self->iova + self->granule, self->page[2]);
}

/* The CD table is translated by stage 2 as well (3.3.2): it moves, and is cached nowhere. */
TEST_F(nested, unmap_of_a_page_that_holds_a_cd)
{
	struct guest_smmuv3 *guest = &vmm_smmuv3(&self->vm)->guest;
	uint64_t *cd = guest_smmuv3_cd(guest, self->device->rid, guest_ssid(&self->space));
	uint64_t *ste = guest_smmuv3_ste(guest, self->device->rid), before = ste[0];
	struct guest_smmuv3_list list = {};

	RULE("SMMU-50");
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, self->vm.spare, 64 * 1024, S2_RW));
	memset(self->vm.spare, 0, 64 * 1024);
	memcpy(self->vm.spare + guest_ssid(&self->space) * SMMU_CD_SIZE, cd, SMMU_CD_SIZE);
	ste[0] = (ste[0] & ~(STE0_S1CONTEXTPTR | STE0_S1FMT)) | HOT;
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	EXECUTE(&list);
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, 64 * 1024));
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), self->device->rid);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	FLUSH_ATC();
	REFUSED(self->iova);
	ste[0] = before;	/* what the guest gives back later */
}

/* A large page of the guest over 4 KiB ones of the hypervisor: cached in pieces or whole */
TEST_F(nested, unmap_under_a_block_of_the_guest)
{
	uint64_t size = self->granule * self->granule / 8;

	RULE("SMMU-51");
	for (unsigned int i = 0; i < 4; i++)
		ASSERT_EQ(0, vm_s2_map(&self->vm, HOT + i * VM_PAGE,
				       self->vm.spare + 2 * i * VM_PAGE, VM_PAGE, S2_RW));
	MAP(self->iova, HOT, size);
	for (unsigned int i = 0; i < 4; i++)
		REACHES(self->iova + i * VM_PAGE, (uintptr_t)self->vm.spare + 2 * i * VM_PAGE);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT + 2 * VM_PAGE, VM_PAGE));
	REFUSED(self->iova + 2 * VM_PAGE);
	REACHES(self->iova + 3 * VM_PAGE, (uintptr_t)self->vm.spare + 6 * VM_PAGE);
}

/* And the reverse: pages of the guest inside a block of the hypervisor */
TEST_F(nested, unmap_of_a_block_under_pages)
{
	uint8_t *large = self->target.ops->memory(&self->target, SIZE_2M);

	RULE("SMMU-51");
	ASSERT_NE(NULL, large);
	vm_stamp(large, SIZE_2M, HOT);
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, large, SIZE_2M, S2_RW));
	for (unsigned int i = 0; i < 4; i++) {
		MAP(self->iova + i * self->granule, HOT + i * 7 * self->granule, self->granule);
		REACHES(self->iova + i * self->granule, HOT + i * 7 * self->granule);
	}
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, SIZE_2M));
	for (unsigned int i = 0; i < 4; i++)
		REFUSED(self->iova + i * self->granule);
}

/* 4 KiB pages become a block, and pages again: tables that were walked are gone. */
TEST_F(nested, pages_become_a_block)
{
	uint8_t *large = self->target.ops->memory(&self->target, SIZE_2M);

	RULE("SMMU-43");
	ASSERT_NE(NULL, large);
	vm_stamp(large, SIZE_2M, HOT);
	PLUG(0);
	MAP(self->iova, HOT, self->granule);
	REACHES(self->iova, spare_name(self, 0));
	UNPLUG();
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, large, SIZE_2M, S2_RW));
	REACHES(self->iova, HOT);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT, SIZE_2M));
	REFUSED(self->iova);
	PLUG(1);
	REACHES(self->iova, spare_name(self, 1));
}

/* A range of many pages, of which the last is as gone as the first */
TEST_F(nested, unmap_of_a_range)
{
	RULE("SMMU-06");
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT + VM_PAGE, self->vm.spare + VM_PAGE, 63 * VM_PAGE,
			       S2_RW));
	MAP(self->iova, HOT, 64 * VM_PAGE);
	for (unsigned int i = 1; i < 64; i++)
		REACHES(self->iova + i * VM_PAGE, (uintptr_t)self->vm.spare + i * VM_PAGE);
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, HOT + VM_PAGE, 63 * VM_PAGE));
	for (unsigned int i = 1; i < 64; i++)
		REFUSED(self->iova + i * VM_PAGE);
}

TEST_F(nested, unmap_of_a_range_with_holes)
{
	const uint64_t base = 0x8000000000, step = 0x40000000;

	RULE("SMMU-06");
	for (unsigned int i = 0; i < 4; i++) {
		ASSERT_EQ(0, vm_s2_map(&self->vm, base + i * step, spare(self, i), self->granule,
				       S2_RW));
		MAP(self->iova + i * self->granule, base + i * step, self->granule);
		REACHES(self->iova + i * self->granule, spare_name(self, i));
	}
	ASSERT_EQ(0, vm_s2_unmap(&self->vm, base, 4 * step));
	for (unsigned int i = 0; i < 4; i++)
		REFUSED(self->iova + i * self->granule);
}

TEST_F(nested, permission_of_both_stages)
{
	RULE("SMMU-52");
	NEEDS(&self->target, TARGET_READ);
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, spare(self, 0), self->granule,
			       IOMMU_IOAS_MAP_READABLE));
	MAP(self->iova, HOT, self->granule);
	REACHES(self->iova, spare_name(self, 0));
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 1));
	UNPLUG();
	PLUG(0);
	EXPECT_TRUE(vm_write(self->device, &self->space, self->iova + 8, 2));
	UNPLUG();
	ASSERT_EQ(0, vm_s2_map(&self->vm, HOT, spare(self, 0), self->granule,
			       IOMMU_IOAS_MAP_READABLE));
	EXPECT_FALSE(vm_write(self->device, &self->space, self->iova + 8, 3));
	REACHES(self->iova, spare_name(self, 0));
}

/* A write that was translated before the unmap lands before the unmap returns, or never. */
static void finish_write(void *arg)
{
	vm_write_finish(arg);
}

TEST_F(nested, unmap_waits_for_a_write_in_flight)
{
	uint64_t *word = (uint64_t *)spare(self, 0) + 1;

	RULE("SMMU-53");
	NEEDS(&self->target, TARGET_HELD | TARGET_WAITING);
	PLUG(0);
	MAP(self->iova, HOT, self->granule);
	ASSERT_TRUE(vm_write_start(self->device, &self->space, self->iova + 8, 0x1234));
	self->target.ops->waiting(&self->target, finish_write, self->device);
	UNPLUG();
	EXPECT_EQ(0x1234, *word);	/* the unmap waited, and what it waited for is done */
}

/* The guest's bypass (STE.Config == 0b100) is the VM's stage 2 alone. */
TEST_F(nested, unmap_under_bypass)
{
	struct guest_smmuv3_list list = {};

	RULE("SMMU-54");
	guest_smmuv3_config(&vmm_smmuv3(&self->vm)->guest, self->device->rid, STE_CONFIG_BYPASS);
	smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true);
	EXECUTE(&list);
	self->space.pasid = DMA_NO_PASID;	/* there are no SubstreamIDs in bypass (3.9) */
	PLUG(0);
	REACHES(HOT, spare_name(self, 0));
	UNPLUG();
	REFUSED(HOT);
	PLUG(1);
	REACHES(HOT, spare_name(self, 1));
}

NIT_TEST_MAIN
