// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every form of TLB invalidation that a guest may issue, in each dimension that hardware keys on:
 * the right one removes, the wrong one is a command for somebody else.
 *
 * That the wrong one leaves an entry alone is no obligation; it is the positive control of the next
 * step, on hardware that keeps what it may.
 */
#include "vm_fixture.h"

#define ASID (self->space.domain)
#define LIST() struct guest_smmuv3_list list = {}

/* The commands of the list, then the device's own cache */
#define SEND() do { \
	guest_smmuv3_sync(&list); \
	EXECUTE(&list); \
	FLUSH_ATC(); \
} while (0)

/* 4 and 16 and 64 KiB as TG says them in a TLBI */
#define TG (1 + (unsigned int)__builtin_ctzll(self->granule >> 12) / 2)

TEST_F(nested, nh_va_keys_on_asid_and_address)
{
	LIST();

	RULE("SMMU-44");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID + 1, self->iova, true);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID, self->iova + self->granule, true);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID, self->iova - self->granule, true);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID, self->iova, true);
	SEND();
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, nh_vaa_takes_every_asid)
{
	LIST();

	RULE("SMMU-44");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nh_vaa(guest_smmuv3_next(&list), 0, self->iova + self->granule, true);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_vaa(guest_smmuv3_next(&list), 0, self->iova, true);
	SEND();
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, nh_asid_takes_every_address)
{
	LIST();

	RULE("SMMU-41");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP(self->iova + 7 * SIZE_1G, self->page[2], self->page[3]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID + 1);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID);
	SEND();
	REACHES(self->iova, self->page[1]);
	REACHES(self->iova + 7 * SIZE_1G, self->page[3]);
}

TEST_F(nested, nh_all_takes_everything)
{
	LIST();

	RULE("SMMU-41");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	SEND();
	REACHES(self->iova, self->page[1]);
}

/* To a guest its own VM is all that there is: the hypervisor makes TLBI_NH_ALL of it. */
TEST_F(nested, nsnh_all_takes_everything_of_the_guest)
{
	LIST();

	RULE("SMMU-45");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nsnh_all(guest_smmuv3_next(&list));
	SEND();
	REACHES(self->iova, self->page[1]);
}

/* Whatever VMID the guest writes, it means its own. */
TEST_F(nested, vmid_of_the_guest_is_ignored)
{
	LIST();

	RULE("SMMU-75");
	for (unsigned int vmid = 0; vmid < 4; vmid++) {
		MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
		smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), vmid * 0x5555, ASID, self->iova,
				      true);
		SEND();
		REACHES(self->iova, self->page[1]);
		MAP(self->iova, self->page[0], self->granule);
		smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), vmid, ASID);
		SEND();
	}
}

/* Global entries are the VM's: any ASID by address, none by ASID alone (4.4.2.2, 4.4.2.4). */
TEST_F(nested, global_entry)
{
	unsigned int global = RW | PGTABLE_GLOBAL;
	LIST();

	RULE("SMMU-46");
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[0], self->granule, global));
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[1], self->granule, global));
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, ASID);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID + 5, self->iova, true);
	SEND();
	REACHES(self->iova, self->page[1]);
	ASSERT_EQ(0, vm_map(&self->space, self->iova, self->page[2], self->granule, global));
	STILL_REACHES(self->iova, self->page[1]);
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	SEND();
	REACHES(self->iova, self->page[2]);
}

/* ---- Ranges (4.4.1.1) ---- */

#define RANGE(_iova, _num, _scale, _tg, _ttl) do { \
	uint64_t *c = guest_smmuv3_next(&list); \
	smmuv3_cmd_tlbi_nh_va(c, 0, ASID, _iova, true); \
	smmuv3_cmd_tlbi_range(c, _num, _scale, _tg, _ttl); \
} while (0)

/* (NUM + 1) * 2^SCALE granules: the last one is in it, the one behind is not. */
TEST_F(nested, range_ends_where_num_and_scale_say)
{
	static const struct { unsigned int num, scale; } sizes[] = {
		{ 1, 0 }, { 31, 0 }, { 0, 1 }, { 2, 3 }, { 31, 4 }, { 0, 9 }, { 4, 12 },
	};
	LIST();

	RULE("SMMU-06");
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t len = (uint64_t)(sizes[i].num + 1) * self->granule << sizes[i].scale;
		uint64_t iova = self->iova + i * (SIZE_1G * 8);

		MAP_THEN_REMAP(iova, self->page[0], self->page[1]);
		MAP_THEN_REMAP(iova + len - self->granule, self->page[0], self->page[2]);
		MAP_THEN_REMAP(iova + len, self->page[0], self->page[3]);
		RANGE(iova, sizes[i].num, sizes[i].scale, TG, 0);
		SEND();
		if (len > self->granule)
			REACHES(iova, self->page[1]);
		REACHES(iova + len - self->granule, self->page[2]);
		STILL_REACHES(iova + len, self->page[0]);
	}
}

/* The largest range there is does not wrap around (4.4.1.1, note). */
TEST_F(nested, largest_range)
{
	LIST();

	RULE("SMMU-06");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	MAP_THEN_REMAP((1ull << 48) - self->granule, self->page[2], self->page[3]);
	RANGE(self->iova, 31, 31, TG, 0);
	SEND();
	REACHES(self->iova, self->page[1]);
	REACHES((1ull << 48) - self->granule, self->page[3]);
}

/* TTL names the level of the leaf: a page is at 3. */
TEST_F(nested, level_hint)
{
	LIST();

	RULE("SMMU-47");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	RANGE(self->iova, 0, 0, TG, 2);
	if (self->granule == 4096)
		SEND();
	list.count = 0;
	STILL_REACHES(self->iova, self->page[0]);
	RANGE(self->iova, 0, 0, TG, 3);
	SEND();
	REACHES(self->iova, self->page[1]);
}

/* Entries of another granule are not meant. */
TEST_F(nested, granule_of_a_range)
{
	unsigned int other = TG == CMD_TLBI_TG_4K ? CMD_TLBI_TG_64K : CMD_TLBI_TG_4K;
	LIST();

	RULE("SMMU-06");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	RANGE(self->iova, 31, 4, other, 0);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	RANGE(self->iova, 31, 4, TG, 0);
	SEND();
	REACHES(self->iova, self->page[1]);
}

/* A range in front of the page, and one behind */
TEST_F(nested, ranges_around_a_page)
{
	LIST();

	RULE("SMMU-06");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	RANGE(self->iova - 8 * self->granule, 7, 0, TG, 0);
	RANGE(self->iova + self->granule, 7, 0, TG, 0);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	RANGE(self->iova - 8 * self->granule, 8, 0, TG, 0);
	SEND();
	REACHES(self->iova, self->page[1]);
}

/* ---- Two address spaces ---- */

FIXTURE(spaces)
{
	struct target target;
	struct vm vm;
	struct vm_device *device;
	struct vm_space space;
	struct vm_space other;
	uint64_t iova;
	uint64_t granule;
	uint64_t page[4];
};

FIXTURE_VARIANT(spaces)
{
	bool ats;
};

FIXTURE_VARIANT_ADD(spaces, plain) {};
FIXTURE_VARIANT_ADD(spaces, ats) { .ats = true };

FIXTURE_SETUP(spaces)
{
	const struct target_config config = {
		.needs = TARGET_PASID | (variant->ats ? TARGET_ATS : 0),
	};

	TARGET_OPEN(&self->target, "arm", &config);
	VM_OPEN(&self->vm, &self->target, &vm_arm, 0);
	ASSERT_EQ(0, vm_add_device(&self->vm, 0, variant->ats, &self->device));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->space, DMA_NO_PASID));
	ASSERT_EQ(0, vm_space_init(&self->vm, &self->other, 3));
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	ASSERT_EQ(0, vm_attach(self->device, &self->other));
	self->granule = VM_PAGE;
	self->iova = 0x1234000;
	for (unsigned int i = 0; i < 4; i++)
		self->page[i] = vm_page(&self->vm);
	ASSERT_EQ(0, vm_map(&self->other, self->iova, self->page[2], VM_PAGE, RW));
	EXPECT_DMA(self->device, &self->other, self->iova, self->page[2]);
	ASSERT_EQ(0, vm_map(&self->other, self->iova, self->page[3], VM_PAGE, RW));
}

FIXTURE_TEARDOWN(spaces)
{
	vm_space_fini(&self->space);
	vm_space_fini(&self->other);
	vm_close(&self->vm);
	self->target.ops->close(&self->target);
}

#define OTHER_STILL_REACHES(_page) EXPECT_STALE(self->device, &self->other, self->iova, _page)
#define OTHER_REACHES(_page) EXPECT_DMA(self->device, &self->other, self->iova, _page)

TEST_F(spaces, each_has_its_own_tag)
{
	RULE("SMMU-44");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	INVALIDATE(self->iova, VM_PAGE, VM_LEAF_ONLY);
	REACHES(self->iova, self->page[1]);
	OTHER_STILL_REACHES(self->page[2]);
	ASSERT_EQ(0, vm_invalidate(&self->other, self->iova, VM_PAGE, VM_LEAF_ONLY));
	OTHER_REACHES(self->page[3]);
}

TEST_F(spaces, nh_vaa_takes_both)
{
	LIST();

	RULE("SMMU-44");
	MAP_THEN_REMAP(self->iova, self->page[0], self->page[1]);
	smmuv3_cmd_tlbi_nh_vaa(guest_smmuv3_next(&list), 0, self->iova, true);
	guest_smmuv3_sync(&list);
	if (self->device->ats) {
		guest_smmuv3_atc_inv(&list, self->device->rid, DMA_NO_PASID, self->iova, VM_PAGE);
		guest_smmuv3_atc_inv(&list, self->device->rid, 3, self->iova, VM_PAGE);
		guest_smmuv3_sync(&list);
	}
	EXECUTE(&list);
	REACHES(self->iova, self->page[1]);
	OTHER_REACHES(self->page[3]);
}

/* Spaces with one ASID are one to the TLB: what is said of one is said of both. */
TEST_F(spaces, one_asid_for_two_tables)
{
	uint64_t *cd = guest_smmuv3_cd(&vmm_smmuv3(&self->vm)->guest, self->device->rid, 3);
	LIST();

	RULE("SMMU-48");
	cd[0] = (cd[0] & ~CD0_ASID) | smmu_put(CD0_ASID, ASID);
	smmuv3_cmd_cfgi_cd(guest_smmuv3_next(&list), self->device->rid, 3, true);
	guest_smmuv3_sync(&list);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->other.domain);
	guest_smmuv3_sync(&list);
	if (self->device->ats)
		guest_smmuv3_atc_inv(&list, self->device->rid, 3, 0, UINT64_MAX);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	OTHER_REACHES(self->page[3]);
	ASSERT_EQ(0, vm_map(&self->other, self->iova, self->page[0], VM_PAGE, RW));
	OTHER_STILL_REACHES(self->page[3]);
	smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(&list), 0, ASID, self->iova, true);
	guest_smmuv3_sync(&list);
	if (self->device->ats)
		guest_smmuv3_atc_inv(&list, self->device->rid, 3, self->iova, VM_PAGE);
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	OTHER_REACHES(self->page[0]);
}

NIT_TEST_MAIN
