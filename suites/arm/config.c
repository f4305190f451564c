// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of the guest's STEs and CDs: cached by StreamID and SubstreamID until the guest says so,
 * and gone with the CMD_SYNC behind that (3.21.3, 4.3).
 */
#include "vm_fixture.h"

#define LIST() struct guest_smmuv3_list list = {}
#define GUEST() (&vmm_smmuv3(&self->vm)->guest)
#define CD() guest_smmuv3_cd(GUEST(), self->device->rid, guest_ssid(&self->space))
#define STE() guest_smmuv3_ste(GUEST(), self->device->rid)

/* The commands of the list, then the device's own cache */
#define SEND() do { \
	guest_smmuv3_sync(&list); \
	EXECUTE(&list); \
	FLUSH_ATC(); \
} while (0)

/* A second table of the guest under the same ASID, that maps @_iova to @_page */
#define OTHER_TABLE(_iova, _page) ({ \
	struct vm_space other; \
	ASSERT_EQ(0, vm_space_init(&self->vm, &other, self->space.pasid)); \
	ASSERT_EQ(0, vm_map(&other, _iova, _page, self->granule, RW)); \
	other; \
})

/* An address that no TLB knows: what it reaches tells which CD is used. */
#define FRESH (self->iova + 3 * SIZE_1G)

/* Another table in the CD. TTB0 is one word: it may change while the CD is valid (3.21.3). */
#define SWITCH_TABLE(_other) (CD()[1] = (_other).stage1.root & CD1_TTB0)

TEST_F(nested, cd_is_cached_until_cfgi_cd)
{
	struct vm_space other = OTHER_TABLE(FRESH, self->page[1]);
	LIST();

	RULE("SMMU-08");
	MAP(self->iova, self->page[0], self->granule);
	MAP(FRESH, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	SWITCH_TABLE(other);
	STILL_REACHES(FRESH, self->page[0]);
	smmuv3_cmd_cfgi_cd(guest_smmuv3_next(&list), self->device->rid, guest_ssid(&self->space),
			   true);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SEND();
	REACHES(FRESH, self->page[1]);
	vm_space_fini(&other);
}

/* The CD of another SubstreamID is another CD. */
TEST_F(nested, cfgi_cd_keys_on_substream)
{
	struct vm_space other = OTHER_TABLE(FRESH, self->page[1]);
	LIST();

	RULE("SMMU-08");
	NEEDS(&self->target, TARGET_PASID);
	MAP(self->iova, self->page[0], self->granule);
	MAP(FRESH, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	SWITCH_TABLE(other);
	smmuv3_cmd_cfgi_cd(guest_smmuv3_next(&list), self->device->rid,
			   guest_ssid(&self->space) ^ 1, true);
	SEND();
	STILL_REACHES(FRESH, self->page[0]);
	smmuv3_cmd_cfgi_cd(guest_smmuv3_next(&list), self->device->rid, guest_ssid(&self->space),
			   false);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SEND();
	REACHES(FRESH, self->page[1]);
	vm_space_fini(&other);
}

TEST_F(nested, cfgi_cd_all_takes_every_substream)
{
	struct vm_space other = OTHER_TABLE(FRESH, self->page[1]);
	LIST();

	RULE("SMMU-08");
	MAP(self->iova, self->page[0], self->granule);
	MAP(FRESH, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	SWITCH_TABLE(other);
	STILL_REACHES(FRESH, self->page[0]);
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), self->device->rid);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SEND();
	REACHES(FRESH, self->page[1]);
	vm_space_fini(&other);
}

/* A CD is no translation: what was translated under its ASID stays until a TLBI. */
TEST_F(nested, cfgi_cd_is_no_tlbi)
{
	struct vm_space other = OTHER_TABLE(self->iova, self->page[1]);
	LIST();

	RULE("SMMU-08");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	SWITCH_TABLE(other);
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), self->device->rid);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SEND();
	REACHES(self->iova, self->page[1]);
	vm_space_fini(&other);
}

/* And the other way round: TLBI_NH_ALL leaves CDs where they are. */
TEST_F(nested, tlbi_is_no_cfgi)
{
	struct vm_space other = OTHER_TABLE(self->iova, self->page[1]);
	LIST();

	RULE("SMMU-08");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	SWITCH_TABLE(other);
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	SEND();
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_cfgi_cd_all(guest_smmuv3_next(&list), self->device->rid);
	smmuv3_cmd_tlbi_nh_all(guest_smmuv3_next(&list), 0);
	SEND();
	REACHES(self->iova, self->page[1]);
	vm_space_fini(&other);
}

/* A new ASID needs no TLBI: nothing is known under it. */
TEST_F(nested, other_asid_in_the_cd)
{
	struct vm_space other = OTHER_TABLE(self->iova, self->page[1]);
	LIST();

	RULE("SMMU-48");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_replace(self->device, &other, &self->space));
	EXPECT_DMA(self->device, &other, self->iova, self->page[1]);
	ASSERT_EQ(0, vm_replace(self->device, &self->space, &other));
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SEND();
	REACHES(self->iova, self->page[0]);
	vm_space_fini(&other);
}

/* An ASID that is used again for another table must be flushed first: that is the guest's to do. */
TEST_F(nested, asid_used_again)
{
	LIST();

	RULE("NEST-09");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	REFUSED(self->iova);
	UNMAP(self->iova, self->granule);
	MAP(self->iova, self->page[1], self->granule);
	ASSERT_EQ(0, vm_attach(self->device, &self->space));
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SEND();
	REACHES(self->iova, self->page[1]);
}

TEST_F(nested, cd_made_invalid)
{
	LIST();

	RULE("SMMU-08");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	CD()[0] &= ~CD0_V;
	STILL_REACHES(self->iova, self->page[0]);
	smmuv3_cmd_cfgi_cd(guest_smmuv3_next(&list), self->device->rid, guest_ssid(&self->space),
			   true);
	SEND();
	REFUSED(self->iova);
}

/* A CD that was not valid may have been cached as such. */
TEST_F(nested, cd_made_valid)
{
	LIST();

	RULE("SMMU-59");
	MAP(self->iova, self->page[0], self->granule);
	ASSERT_EQ(0, vm_detach(self->device, &self->space));
	REFUSED(self->iova);
	CD()[0] |= CD0_V;
	STILL_REACHES(self->iova, VM_NOWHERE);
	smmuv3_cmd_cfgi_cd(guest_smmuv3_next(&list), self->device->rid, guest_ssid(&self->space),
			   true);
	SEND();
	REACHES(self->iova, self->page[0]);
}

/* ---- STEs: the VMM attaches anew ---- */

#define CFGI_STE() smmuv3_cmd_cfgi_ste(guest_smmuv3_next(&list), self->device->rid, true)

TEST_F(nested, ste_aborts_until_it_translates_again)
{
	LIST();

	RULE("SMMU-54");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	guest_smmuv3_config(GUEST(), self->device->rid, STE_CONFIG_ABORT);
	STILL_REACHES(self->iova, self->page[0]);
	CFGI_STE();
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	REFUSED(self->iova);
	guest_smmuv3_config(GUEST(), self->device->rid, STE_CONFIG_S1);
	STILL_REACHES(self->iova, VM_NOWHERE);
	CFGI_STE();
	SEND();
	REACHES(self->iova, self->page[0]);
}

TEST_F(nested, ste_made_invalid)
{
	LIST();

	RULE("SMMU-54");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	STE()[0] &= ~STE0_V;
	STILL_REACHES(self->iova, self->page[0]);
	CFGI_STE();
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	REFUSED(self->iova);
	STE()[0] |= STE0_V;
	CFGI_STE();
	SEND();
	REACHES(self->iova, self->page[0]);
}

/* Bypass: guest physical addresses, translated by stage 2 alone */
TEST_F(nested, ste_bypasses)
{
	LIST();

	RULE("SMMU-54");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	guest_smmuv3_config(GUEST(), self->device->rid, STE_CONFIG_BYPASS);
	CFGI_STE();
	guest_smmuv3_sync(&list);
	EXECUTE(&list);
	self->space.pasid = DMA_NO_PASID;
	REACHES(self->page[2], self->page[2]);
	REFUSED(self->iova);
	REFUSED(VM_RAM_BASE - VM_PAGE);
}

/* CFGI_STE takes the CDs that were cached through the STE, even if it reads the same (4.3.1). */
TEST_F(nested, cfgi_ste_takes_cds)
{
	struct vm_space other = OTHER_TABLE(FRESH, self->page[1]);
	LIST();

	RULE("SMMU-60");
	MAP(self->iova, self->page[0], self->granule);
	MAP(FRESH, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	SWITCH_TABLE(other);
	STILL_REACHES(FRESH, self->page[0]);
	CFGI_STE();
	smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(&list), 0, self->space.domain);
	SEND();
	REACHES(FRESH, self->page[1]);
	vm_space_fini(&other);
}

/* A range of StreamIDs, aligned to its size whatever StreamID is written (4.3.2); and all */
TEST_F(nested, cfgi_ste_range)
{
	LIST();

	RULE("SMMU-08");
	MAP(self->iova, self->page[0], self->granule);
	for (unsigned int range = 0; range < 32; range += range < 4 ? 1 : 9) {
		guest_smmuv3_config(GUEST(), self->device->rid, STE_CONFIG_S1);
		smmuv3_cmd_cfgi_all(guest_smmuv3_next(&list));
		SEND();
		REACHES(self->iova, self->page[0]);
		guest_smmuv3_config(GUEST(), self->device->rid, STE_CONFIG_ABORT);
		smmuv3_cmd_cfgi_ste_range(guest_smmuv3_next(&list),
					  self->device->rid ^ (2u << range), range);
		guest_smmuv3_sync(&list);
		if (range < 16)
			EXECUTE(&list);
		list.count = 0;
		STILL_REACHES(self->iova, self->page[0]);
		smmuv3_cmd_cfgi_ste_range(guest_smmuv3_next(&list), self->device->rid ^ 1, range);
		guest_smmuv3_sync(&list);
		EXECUTE(&list);
		REFUSED(self->iova);
	}
}

/* Another CD table: the whole of the guest's address spaces at once */
TEST_F(nested, other_cd_table)
{
	uint64_t table = vm_pages(&self->vm, 64 * 1024), before = STE()[0];
	uint64_t *cd = pages_ptr(&self->vm.mem, table);
	struct vm_space other = OTHER_TABLE(self->iova, self->page[1]);
	LIST();

	RULE("SMMU-60");
	MAP(self->iova, self->page[0], self->granule);
	REACHES(self->iova, self->page[0]);
	memset(cd, 0, 64 * 1024);
	guest_smmuv3_cd_words(GUEST(), &other.stage1, other.domain,
			      cd + guest_ssid(&self->space) * SMMU_CD_WORDS);
	STE()[0] = (before & ~(STE0_S1CONTEXTPTR | STE0_S1FMT)) | table;
	STILL_REACHES(self->iova, self->page[0]);
	CFGI_STE();
	SEND();
	REACHES(self->iova, self->page[1]);
	STE()[0] = before;
	CFGI_STE();
	SEND();
	REACHES(self->iova, self->page[0]);
	vm_space_fini(&other);
}

/* S1DSS says what a request without SubstreamID is: CD 0, nothing, or not stage 1's business. */
TEST_F(nested, default_substream)
{
	struct vm_space plain;
	LIST();

	RULE("SMMU-61");
	NEEDS(&self->target, TARGET_PASID);
	ASSERT_EQ(0, vm_space_init(&self->vm, &plain, DMA_NO_PASID));
	STE()[1] = (STE()[1] & ~STE1_S1DSS) | smmu_put(STE1_S1DSS, STE_S1DSS_TERMINATE);
	CFGI_STE();
	SEND();
	EXPECT_NO_DMA(self->device, &plain, self->page[0]);
	STE()[1] = (STE()[1] & ~STE1_S1DSS) | smmu_put(STE1_S1DSS, STE_S1DSS_BYPASS);
	CFGI_STE();
	SEND();
	EXPECT_DMA(self->device, &plain, self->page[0], self->page[0]);
	vm_space_fini(&plain);
}

NIT_TEST_MAIN
