/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's side of SMMUv3: its stream table, its CD tables, and the commands that it queues.
 *
 * All of it is in guest memory. A list is what a guest writes into its command queue between two
 * writes of PROD; it ends with the CMD_SYNC that the guest waits for. Sections are those of the
 * architecture specification, IHI 0070.
 */
#ifndef NIT_GUEST_SMMUV3_H
#define NIT_GUEST_SMMUV3_H

#include "core/pages.h"
#include "pgtable/pgtable.h"
#include "spec/smmuv3.h"

#define GUEST_SMMUV3_LIST 640
#define GUEST_SMMUV3_SIDS_LOG2 10	/* of its linear stream table */
#define GUEST_SMMUV3_SSIDS_LOG2 10	/* of its CD tables */

/**
 * struct guest_smmuv3
 * @mem: guest memory
 * @strtab: guest physical address of the stream table
 * @idr: of the virtual SMMU, as far as guests look
 * @page_shift, @va_bits: of the stage-1 tables that it makes: 12, 14 or 16; up to 48
 * @cd_two_level: its CD tables have two levels (STE_S1FMT_4K)
 * @one_by_one: it does not use ranges (IDR3.RIL), even where there are
 * @cd_flags: more bits of word 0 of its CDs: CD0_HA, CD0_HD, CD0_S
 * @next_asid: ASIDs are handed out in turn
 */
struct guest_smmuv3 {
	struct pages *mem;
	uint64_t strtab;
	uint32_t idr[6];
	unsigned int page_shift;
	unsigned int va_bits;
	bool cd_two_level;
	bool one_by_one;
	uint64_t cd_flags;
	uint16_t next_asid;
};

/** struct guest_smmuv3_list - native commands */
struct guest_smmuv3_list {
	unsigned int count;
	uint64_t c[GUEST_SMMUV3_LIST][2];
};

int guest_smmuv3_init(struct guest_smmuv3 *guest, struct pages *mem);
void guest_smmuv3_fini(struct guest_smmuv3 *guest);

/** guest_smmuv3_ste() - The 8 words of the STE of @sid; NULL: beyond the table */
uint64_t *guest_smmuv3_ste(const struct guest_smmuv3 *guest, uint32_t sid);

/** guest_smmuv3_stage1() - The STE of @sid translates by a CD table, that is made if it has none */
int guest_smmuv3_stage1(struct guest_smmuv3 *guest, uint32_t sid, bool ats);
/** guest_smmuv3_config() - The STE of @sid aborts (STE_CONFIG_ABORT), or bypasses */
void guest_smmuv3_config(struct guest_smmuv3 *guest, uint32_t sid, unsigned int config);
/** guest_smmuv3_forget() - Give the CD table of @sid back */
void guest_smmuv3_forget(struct guest_smmuv3 *guest, uint32_t sid);

/** guest_smmuv3_cd() - The 8 words of the CD; NULL: no table, no memory, beyond the table */
uint64_t *guest_smmuv3_cd(struct guest_smmuv3 *guest, uint32_t sid, uint32_t ssid);
/** guest_smmuv3_cd_words() - What a CD for @stage1 under @asid says */
void guest_smmuv3_cd_words(const struct guest_smmuv3 *guest, const struct pgtable *stage1,
			   uint16_t asid, uint64_t cd[SMMU_CD_WORDS]);

/** guest_smmuv3_next() - Room for one more command; the encoders of spec/smmuv3.h fill it */
uint64_t *guest_smmuv3_next(struct guest_smmuv3_list *list);
void guest_smmuv3_sync(struct guest_smmuv3_list *list);

/** guest_smmuv3_tlbi() - TLBI_NH_VA of [@iova, +@len): ranges, page by page, or the whole ASID */
void guest_smmuv3_tlbi(const struct guest_smmuv3 *guest, struct guest_smmuv3_list *list,
		       uint16_t asid, uint64_t iova, uint64_t len, bool leaf);
/** guest_smmuv3_atc_inv() - The smallest ATC_INV that covers it; @pasid DMA_NO_PASID: without */
void guest_smmuv3_atc_inv(struct guest_smmuv3_list *list, uint32_t sid, uint32_t pasid,
			  uint64_t iova, uint64_t len);

#endif
