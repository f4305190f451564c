// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/dma.h"
#include "smmuv3.h"

#define L2_CDS 64		/* of a level-2 table, STE_S1FMT_4K */
#define TLBIS_MAX 256		/* longer ranges become TLBI_NH_ASID */
#define RANGE_MAX (1ull << 31)	/* granules: SCALE has 5 bits without IDR5.DS */

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

int guest_smmuv3_init(struct guest_smmuv3 *guest, struct pages *mem)
{
	*guest = (struct guest_smmuv3){
		.mem = mem, .page_shift = 12, .va_bits = 48, .next_asid = 1,
	};
	guest->strtab = pages_alloc(mem, (uint64_t)SMMU_STE_SIZE << GUEST_SMMUV3_SIDS_LOG2);
	return guest->strtab ? 0 : -ENOMEM;
}

void guest_smmuv3_fini(struct guest_smmuv3 *guest)
{
	if (guest->strtab)
		pages_free(guest->mem, guest->strtab,
			   (uint64_t)SMMU_STE_SIZE << GUEST_SMMUV3_SIDS_LOG2);
	guest->strtab = 0;
}

uint64_t *guest_smmuv3_ste(const struct guest_smmuv3 *guest, uint32_t sid)
{
	if (sid >> GUEST_SMMUV3_SIDS_LOG2)
		return NULL;
	return pages_ptr(guest->mem, guest->strtab + (uint64_t)sid * SMMU_STE_SIZE);
}

void guest_smmuv3_config(struct guest_smmuv3 *guest, uint32_t sid, unsigned int config)
{
	uint64_t *ste = guest_smmuv3_ste(guest, sid);

	store(&ste[0], (ste[0] & ~STE0_CONFIG) | STE0_V | smmu_put(STE0_CONFIG, config));
}

static unsigned int ssid_bits(const struct guest_smmuv3 *guest)
{
	unsigned int bits = smmu_get(SMMU_IDR1_SSIDSIZE, guest->idr[1]);

	return bits < GUEST_SMMUV3_SSIDS_LOG2 ? bits : GUEST_SMMUV3_SSIDS_LOG2;
}

/* Tables of CDs in two levels, where the guest wants them and the SMMU can */
static bool two_level(const struct guest_smmuv3 *guest)
{
	return guest->cd_two_level && guest->idr[0] & SMMU_IDR0_CD2L;
}

static uint64_t cd_table_size(const struct guest_smmuv3 *guest)
{
	return two_level(guest) ? 4096 :
	       (uint64_t)SMMU_CD_SIZE << GUEST_SMMUV3_SSIDS_LOG2;
}

/* The words that are ignored while the STE aborts, then the one that decides (3.21.3.1). */
int guest_smmuv3_stage1(struct guest_smmuv3 *guest, uint32_t sid, bool ats)
{
	uint64_t *ste = guest_smmuv3_ste(guest, sid), table = ste[0] & STE0_S1CONTEXTPTR;

	if (!table)
		table = pages_alloc(guest->mem, cd_table_size(guest));
	if (!table)
		return -ENOMEM;
	store(&ste[1], smmu_put(STE1_S1DSS, STE_S1DSS_SSID0) | smmu_put(STE1_S1CIR, 1) |
		       smmu_put(STE1_S1COR, 1) | smmu_put(STE1_S1CSH, 3) |
		       smmu_put(STE1_EATS, ats ? STE_EATS_FULL : STE_EATS_NONE));
	store(&ste[0], STE0_V | smmu_put(STE0_CONFIG, STE_CONFIG_S1) | table |
		       smmu_put(STE0_S1FMT, two_level(guest) ? STE_S1FMT_4K : STE_S1FMT_LINEAR) |
		       smmu_put(STE0_S1CDMAX, ssid_bits(guest)));
	return 0;
}

void guest_smmuv3_forget(struct guest_smmuv3 *guest, uint32_t sid)
{
	uint64_t *ste = guest_smmuv3_ste(guest, sid), table = ste[0] & STE0_S1CONTEXTPTR;
	uint64_t *l1 = pages_ptr(guest->mem, table);

	if (!table)
		return;
	for (unsigned int i = 0; two_level(guest) && i < 4096 / 8; i++)
		if (l1[i] & SMMU_L1CD_V)
			pages_free(guest->mem, l1[i] & SMMU_L1CD_L2PTR, L2_CDS * SMMU_CD_SIZE);
	pages_free(guest->mem, table, cd_table_size(guest));
	store(&ste[0], STE0_V);
}

uint64_t *guest_smmuv3_cd(struct guest_smmuv3 *guest, uint32_t sid, uint32_t ssid)
{
	uint64_t table = guest_smmuv3_ste(guest, sid)[0] & STE0_S1CONTEXTPTR, *l1, l2;

	if (!table || ssid >> ssid_bits(guest))
		return NULL;
	if (!two_level(guest))
		return pages_ptr(guest->mem, table + (uint64_t)ssid * SMMU_CD_SIZE);
	l1 = (uint64_t *)pages_ptr(guest->mem, table) + ssid / L2_CDS;
	if (!*l1) {
		l2 = pages_alloc(guest->mem, L2_CDS * SMMU_CD_SIZE);
		if (!l2)
			return NULL;
		store(l1, l2 | SMMU_L1CD_V);
	}
	l2 = *l1 & SMMU_L1CD_L2PTR;
	return pages_ptr(guest->mem, l2 + ssid % L2_CDS * SMMU_CD_SIZE);
}

void guest_smmuv3_cd_words(const struct guest_smmuv3 *guest, const struct pgtable *stage1,
			   uint16_t asid, uint64_t cd[SMMU_CD_WORDS])
{
	uint64_t tg = guest->page_shift == 12 ? SMMU_TG0_4K :
		      guest->page_shift == 14 ? SMMU_TG0_16K : SMMU_TG0_64K;

	memset(cd, 0, SMMU_CD_SIZE);
	cd[0] = CD0_V | CD0_AA64 | CD0_R | CD0_A | CD0_ASET | CD0_EPD1 | guest->cd_flags |
		smmu_put(CD0_T0SZ, 64 - guest->va_bits) | smmu_put(CD0_TG0, tg) |
		smmu_put(CD0_IR0, 1) | smmu_put(CD0_OR0, 1) | smmu_put(CD0_SH0, 3) |
		smmu_put(CD0_IPS, smmu_get(SMMU_IDR5_OAS, guest->idr[5])) |
		smmu_put(CD0_ASID, asid);
	if (!(guest->cd_flags & CD0_HA))
		cd[0] |= CD0_AFFD;
	cd[1] = stage1->root & CD1_TTB0;
	cd[3] = 0xff;		/* attribute 0: normal memory, write-back */
}

uint64_t *guest_smmuv3_next(struct guest_smmuv3_list *list)
{
	if (list->count == GUEST_SMMUV3_LIST)
		abort();
	return list->c[list->count++];
}

void guest_smmuv3_sync(struct guest_smmuv3_list *list)
{
	smmuv3_cmd_sync(guest_smmuv3_next(list), CMD_SYNC_CS_NONE, 0, 0);
}

static bool uses_ranges(const struct guest_smmuv3 *guest)
{
	return guest->idr[3] & SMMU_IDR3_RIL && !guest->one_by_one;
}

/* (num + 1) * 2^scale granules each (4.4.1.1); one granule is said without a range */
static void tlbi_ranges(const struct guest_smmuv3 *guest, struct guest_smmuv3_list *list,
			uint16_t asid, uint64_t addr, uint64_t pages, bool leaf)
{
	while (pages) {
		unsigned int scale = __builtin_ctzll(pages), num = (pages >> scale) & 31;
		uint64_t *c = guest_smmuv3_next(list);

		smmuv3_cmd_tlbi_nh_va(c, 0, asid, addr, leaf);
		if (scale || num > 1)
			smmuv3_cmd_tlbi_range(c, num - 1, scale, 1 + (guest->page_shift - 12) / 2,
					      0);
		addr += ((uint64_t)num << scale) << guest->page_shift;
		pages -= (uint64_t)num << scale;
	}
}

void guest_smmuv3_tlbi(const struct guest_smmuv3 *guest, struct guest_smmuv3_list *list,
		       uint16_t asid, uint64_t iova, uint64_t len, bool leaf)
{
	uint64_t first = iova >> guest->page_shift;
	uint64_t pages = ((iova + len - 1) >> guest->page_shift) - first + 1;

	if (pages > (uses_ranges(guest) ? RANGE_MAX : TLBIS_MAX)) {
		smmuv3_cmd_tlbi_nh_asid(guest_smmuv3_next(list), 0, asid);
		return;
	}
	if (uses_ranges(guest)) {
		tlbi_ranges(guest, list, asid, first << guest->page_shift, pages, leaf);
		return;
	}
	for (uint64_t page = first; page < first + pages; page++)
		smmuv3_cmd_tlbi_nh_va(guest_smmuv3_next(list), 0, asid, page << guest->page_shift,
				      leaf);
}

void guest_smmuv3_atc_inv(struct guest_smmuv3_list *list, uint32_t sid, uint32_t pasid,
			  uint64_t iova, uint64_t len)
{
	uint64_t first = iova >> 12, last = (iova + len - 1) >> 12;
	unsigned int size = first == last ? 0 : 64 - __builtin_clzll(first ^ last);
	uint64_t addr = size >= CMD_ATC_SIZE_ALL ? 0 : first >> size << size << 12;

	if (pasid == DMA_NO_PASID)
		smmuv3_cmd_atc_inv(guest_smmuv3_next(list), sid, addr, size);
	else
		smmuv3_cmd_atc_inv_ssid(guest_smmuv3_next(list), sid, pasid, false, addr, size);
}
