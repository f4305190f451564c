// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each command means (IHI 0070 chapter 4): which bits it has, when it is illegal, what it
 * obliges to remove. A table; a command is one line and one function.
 */
#include "smmuv3_impl.h"

/**
 * struct command - one command
 * @fields: its bits in both words; others are reserved (4.1.5)
 * @needs: IDR0 bits without which it is illegal
 * @guest: a guest's own queue takes it (Tegra241: the commands that Linux sends there, and SYNC)
 * @ranged: it takes a range (4.4.1.1)
 * @format: for traces, of both words
 */
struct command {
	enum smmuv3_class class;
	uint64_t fields[2];
	uint32_t needs;
	bool guest;
	bool ranged;
	const char *format;
	void (*act)(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2]);
};

/* ---- Translation caches: what to remove ---- */

/**
 * struct scope - a TLBI, decoded
 * @by: TLB_BY_*; @first, @last: addresses
 * @tg: granule of the entries, 0: any; @ttl: level of the leaf entries, 0: any
 * @leaf: leaf entries only
 */
struct scope {
	unsigned int by;
	uint32_t domain;
	uint32_t space;
	uint64_t first;
	uint64_t last;
	uint8_t tg;
	uint8_t ttl;
	bool leaf;
};

/* What commands of all VMIDs leave alone, what a hint exempts, pieces of another size */
struct keep {
	bool el1_only;
	bool all_el2;
	uint8_t tg;
	uint8_t ttl;
	bool walk;
	uint8_t whole;
};

static bool keep(const struct tlb_entry *entry, const void *arg)
{
	const struct keep *keep = arg;
	unsigned int level = smmu_get(TAG_LEVEL, entry->tag) - 1;

	if (keep->el1_only && entry->domain >= DOMAIN_EL2)
		return true;
	if (keep->all_el2 && entry->domain < DOMAIN_EL2)
		return true;
	if (keep->tg && keep->tg != (entry->tag & TAG_TG))
		return true;
	if (keep->ttl && (keep->walk ? (int)level >= keep->ttl : (int)level != keep->ttl))
		return true;
	return keep->whole && smmu_get(TAG_SHIFT, entry->tag) != keep->whole;
}

static void remove_matching(struct smmuv3 *smmu, enum smmuv3_cache cache,
			    const struct scope *scope, struct keep filter)
{
	bool filtered = filter.el1_only || filter.all_el2 || filter.tg || filter.ttl ||
			filter.whole;
	struct tlb_match match = {
		.by = scope->by, .domain = scope->domain, .space = scope->space,
		.first = scope->first, .last = scope->last,
		.keep = filtered ? keep : NULL, .arg = &filter,
	};

	/* Stage-2 entries have no space to compare. */
	if (cache == CACHE_S2 || cache == CACHE_S2_WALK)
		match.by &= ~(TLB_BY_SPACE | TLB_AND_GLOBAL);
	hw_count_alone(smmu->iommu.counts.removed, tlb_remove(smmu->caches[cache], &match));
}

/* All bytes that translation table entries of 2^@shift bytes have in common with the range */
static struct scope widened(const struct scope *scope, unsigned int shift)
{
	struct scope wide = *scope;

	wide.first &= ~((1ull << shift) - 1);
	wide.last |= (1ull << shift) - 1;
	return wide;
}

/*
 * Leaf entries, and intermediate ones unless @leaf. A leaf that is cached in pieces (a block on
 * stage-2 pages) goes with all its pieces: they all hold the same translation table entry.
 */
static void remove_stage(struct smmuv3 *smmu, unsigned int stage, const struct scope *scope,
			 struct keep filter)
{
	enum smmuv3_cache leaf = stage == 1 ? CACHE_S1 : CACHE_S2, walk = leaf + 1;
	uint64_t split = __atomic_load_n(&smmu->split[stage - 1], __ATOMIC_RELAXED);

	filter.tg = scope->tg;
	filter.ttl = scope->ttl;
	/* What others are made of goes first, or a walk in between would bring it back. */
	if (!scope->leaf && !FAULT("smmuv3.tlbi-keeps-walk-cache",
				   "TLBI without leaf keeps intermediate entries")) {
		filter.walk = true;
		remove_matching(smmu, walk, scope, filter);
		filter.walk = false;
	}
	remove_matching(smmu, leaf, scope, filter);
	if (!(scope->by & TLB_BY_ADDR) ||
	    FAULT("smmuv3.tlbi-misses-pieces", "TLBI by address misses the pieces of a block"))
		return;
	for (; split; split &= split - 1) {
		struct scope wide = widened(scope, __builtin_ctzll(split));

		filter.whole = __builtin_ctzll(split);
		remove_matching(smmu, leaf, &wide, filter);
	}
}

static unsigned int tg_shift(unsigned int tg)
{
	return 10 + 2 * tg;
}

/* The addresses and hints of a TLBI by address */
static void scope_addr(struct smmuv3 *smmu, const uint64_t c[2], uint64_t addr_mask,
		       struct scope *scope)
{
	unsigned int tg = smmu_get(CMD1_TLBI_TG, c[1]);
	unsigned int num = smmu_get(CMD0_TLBI_NUM, c[0]), scale = smmu_get(CMD0_TLBI_SCALE, c[0]);
	unsigned __int128 size;

	scope->by |= TLB_BY_ADDR;
	scope->leaf = c[1] & CMD1_LEAF;
	scope->first = scope->last = c[1] & addr_mask;
	if (FAULT("smmuv3.tlbi-leaf-inverted", "the leaf flag of TLBI is taken for its opposite"))
		scope->leaf = !scope->leaf;
	if (!smmu->config.ril || !tg) {
		scope->last |= 0xfff;
		return;
	}
	if (!smmu->config.ds)
		scale &= 31;
	if (scale > 39)
		scale = 39;
	scope->tg = tg;
	scope->ttl = smmu_get(CMD1_TLBI_TTL, c[1]);
	if (tg == CMD_TLBI_TG_16K && scope->ttl == 1 && !smmu->config.ds)
		scope->ttl = 0;
	if (FAULT("smmuv3.range-num-off-by-one", "a range has NUM granules, not NUM + 1") && num)
		num--;
	if (FAULT("smmuv3.range-scale-off-by-one", "the scale of a range counts from one") && scale)
		scale--;
	if (FAULT("smmuv3.range-granule-4k", "a range counts in 4 KiB whatever its granule"))
		tg = CMD_TLBI_TG_4K;
	size = (unsigned __int128)(num + 1) << scale << tg_shift(tg);
	/* The top of the address space ends a range, it does not wrap (4.4.1.1). */
	if (size > ~0ull - scope->first)
		scope->last = ~0ull;
	else
		scope->last = scope->first + (uint64_t)size - 1;
	if (FAULT("smmuv3.ttl-off-by-one", "the level hint counts from the leaf") && scope->ttl)
		scope->ttl = 4 - scope->ttl;
}

static bool vmid_ok(const struct smmuv3 *smmu, const uint64_t c[2])
{
	return !smmu->config.s2p || smmu->config.vmid16 || !(smmu_get(CMD0_TLBI_VMID, c[0]) >> 8);
}

static bool asid_ok(const struct smmuv3 *smmu, const uint64_t c[2])
{
	return smmu->config.asid16 || !(smmu_get(CMD0_TLBI_ASID, c[0]) >> 8);
}

static void scope_vmid(struct smmuv3 *smmu, const uint64_t c[2], struct scope *scope)
{
	scope->by |= TLB_BY_DOMAIN;
	scope->domain = smmu->config.s2p ? smmu_get(CMD0_TLBI_VMID, c[0]) : 0;
	if (FAULT("smmuv3.tlbi-vmid-8-bits", "TLBI compares 8 bits of the VMID"))
		scope->domain &= 0xff;
}

static void scope_asid(const uint64_t c[2], struct scope *scope)
{
	scope->by |= TLB_BY_SPACE;
	scope->space = smmu_get(CMD0_TLBI_ASID, c[0]);
	if (FAULT("smmuv3.tlbi-asid-8-bits", "TLBI compares 8 bits of the ASID"))
		scope->space &= 0xff;
}

static void nh_all(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (!vmid_ok(smmu, c))
		return;
	scope_vmid(smmu, c, &scope);
	if (FAULT("smmuv3.nh-all-other-vmid", "TLBI_NH_ALL hits the next VMID only"))
		scope.domain ^= 1;
	remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

static void nh_asid(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (!vmid_ok(smmu, c) || !asid_ok(smmu, c) ||
	    FAULT("smmuv3.nh-asid-ignored", "TLBI_NH_ASID does nothing"))
		return;
	scope_vmid(smmu, c, &scope);
	scope_asid(c, &scope);
	remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

static void nh_va(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (!vmid_ok(smmu, c) || !asid_ok(smmu, c))
		return;
	scope_vmid(smmu, c, &scope);
	scope_asid(c, &scope);
	scope_addr(smmu, c, CMD1_ADDR, &scope);
	if (!FAULT("smmuv3.nh-va-keeps-global", "TLBI_NH_VA leaves global entries"))
		scope.by |= TLB_AND_GLOBAL;
	if (FAULT("smmuv3.nh-va-asid-zero", "TLBI_NH_VA takes ASID 0 whatever it says"))
		scope.space = 0;
	remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

static void nh_vaa(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (!vmid_ok(smmu, c))
		return;
	scope_vmid(smmu, c, &scope);
	scope_addr(smmu, c, CMD1_ADDR, &scope);
	if (FAULT("smmuv3.nh-vaa-asid-zero", "TLBI_NH_VAA hits ASID 0 only"))
		scope.by |= TLB_BY_SPACE;
	remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

static void s2_ipa(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (!vmid_ok(smmu, c) || FAULT("smmuv3.s2-ipa-ignored", "TLBI_S2_IPA does nothing"))
		return;
	scope_vmid(smmu, c, &scope);
	scope_addr(smmu, c, CMD1_TLBI_IPA, &scope);
	remove_stage(smmu, 2, &scope, (struct keep){ 0 });
}

static void s12_vmall(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (!vmid_ok(smmu, c))
		return;
	scope_vmid(smmu, c, &scope);
	if (!FAULT("smmuv3.s12-vmall-keeps-stage-2", "TLBI_S12_VMALL leaves stage 2"))
		remove_stage(smmu, 2, &scope, (struct keep){ 0 });
	if (!FAULT("smmuv3.s12-vmall-keeps-stage-1", "TLBI_S12_VMALL leaves stage 1"))
		remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

static void nsnh_all(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (FAULT("smmuv3.nsnh-all-vmid-zero", "TLBI_NSNH_ALL hits VMID 0 only"))
		scope.by = TLB_BY_DOMAIN;
	remove_stage(smmu, 2, &scope, (struct keep){ .el1_only = true });
	remove_stage(smmu, 1, &scope, (struct keep){ .el1_only = true });
}

/* EL2 commands name one of its two regimes by CR2.E2H (4.4.2.8). */
static struct scope scope_el2(struct smmuv3 *smmu)
{
	return (struct scope){
		.by = TLB_BY_DOMAIN,
		.domain = smmu->cr2 & SMMU_CR2_E2H ? DOMAIN_EL2_E2H : DOMAIN_EL2,
	};
}

static void el2_all(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { 0 };

	if (FAULT("smmuv3.el2-all-ignored", "TLBI_EL2_ALL does nothing"))
		return;
	remove_stage(smmu, 1, &scope, (struct keep){ .all_el2 = true });
}

static void el2_asid(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = { .by = TLB_BY_DOMAIN, .domain = DOMAIN_EL2_E2H };

	if (!asid_ok(smmu, c))
		return;
	scope_asid(c, &scope);
	remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

static void el2_va(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = scope_el2(smmu);

	scope_addr(smmu, c, CMD1_ADDR, &scope);
	if (scope.domain == DOMAIN_EL2_E2H) {
		if (!asid_ok(smmu, c))
			return;
		scope_asid(c, &scope);
		scope.by |= TLB_AND_GLOBAL;
	}
	remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

static void el2_vaa(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct scope scope = scope_el2(smmu);

	scope_addr(smmu, c, CMD1_ADDR, &scope);
	remove_stage(smmu, 1, &scope, (struct keep){ 0 });
}

/* ---- Configuration caches. A StreamID out of range has no effect (4.1.7). ---- */

static bool command_sid(const struct smmuv3 *smmu, const uint64_t c[2], uint32_t *sid)
{
	*sid = smmu_get(CMD0_SID, c[0]);
	return !(*sid >> smmu->config.sid_bits);
}

static void cfgi_ste(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	bool leaf = c[1] & CMD1_LEAF;
	uint32_t sid;

	if (FAULT("smmuv3.cfgi-ste-always-leaf", "CMD_CFGI_STE keeps level-1 descriptors"))
		leaf = true;
	if (command_sid(smmu, c, &sid))
		smmuv3_config_forget_ste(smmu, sid, ~0u, leaf);
}

static void cfgi_ste_range(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	unsigned int range = smmu_get(CMD1_CFGI_RANGE, c[1]);
	uint32_t mask, sid = smmu_get(CMD0_SID, c[0]);

	if (range == CMD_CFGI_RANGE_ALL &&
	    FAULT("smmuv3.cfgi-all-ignored", "CMD_CFGI_ALL does nothing"))
		return;
	if (FAULT("smmuv3.ste-range-off-by-one", "CMD_CFGI_STE_RANGE covers half its range"))
		mask = ~((1u << range) - 1);
	else
		mask = range == 31 ? 0 : ~((2u << range) - 1);
	smmuv3_config_forget_ste(smmu, sid, mask, false);
}

static void cfgi_cd(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	uint32_t sid, ssid = smmu_get(CMD0_SSID, c[0]);
	bool leaf = c[1] & CMD1_LEAF;

	if (FAULT("smmuv3.cfgi-cd-ssid-zero", "CMD_CFGI_CD takes SubstreamID 0 whatever it says"))
		ssid = 0;
	if (FAULT("smmuv3.cfgi-cd-always-leaf", "CMD_CFGI_CD keeps level-1 descriptors"))
		leaf = true;
	if (command_sid(smmu, c, &sid) && !(ssid >> smmu->config.ssid_bits))
		smmuv3_config_forget_cd(smmu, sid, ssid, leaf);
}

static void cfgi_cd_all(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	uint32_t sid;

	if (!command_sid(smmu, c, &sid))
		return;
	if (FAULT("smmuv3.cfgi-cd-all-first-only", "CMD_CFGI_CD_ALL hits SubstreamID 0 only"))
		smmuv3_config_forget_cd(smmu, sid, 0, false);
	else
		smmuv3_config_forget_cds(smmu, sid);
}

/* ---- Prefetch: may do nothing (4.2) ---- */

static void prefetch(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	struct hw_request request = {
		.type = HW_UNTRANSLATED, .access = HW_READ, .has_pasid = c[0] & CMD0_SSV,
		.pasid = c[0] & CMD0_SSV ? smmu_get(CMD0_SSID, c[0]) : 0,
	};
	unsigned int count, stride = 12 + smmu_get(CMD1_PREFETCH_STRIDE, c[1]);
	uint32_t sid;

	if (!(smmu->cr0 & SMMU_CR0_SMMUEN) || !command_sid(smmu, c, &sid))
		return;
	if ((c[0] & CMD0_OPCODE) == CMD_PREFETCH_CONFIG)
		return;
	request.rid = sid;
	request.addr = c[1] & CMD1_ADDR;
	count = smmu_get(CMD1_PREFETCH_SIZE, c[1]);
	for (unsigned int i = 0; i < 1u << (count < 4 ? count : 4); i++) {
		smmuv3_prefetch(smmu, &request);
		request.addr += 1ull << stride;
	}
}

/* ---- ATS and PRI ---- */

static void pri_resp(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	static const uint8_t codes[] = { 0xf, 1, 0 };
	struct endpoint *endpoint;
	uint32_t sid;

	if (!(smmu->cr0 & SMMU_CR0_SMMUEN) || !command_sid(smmu, c, &sid))
		return;
	endpoint = machine_endpoint(smmu->iommu.machine, sid);
	if (!endpoint || FAULT("smmuv3.pri-resp-lost", "CMD_PRI_RESP is not sent"))
		return;
	endpoint_prg_response(endpoint, c[0] & CMD0_SSV, smmu_get(CMD0_SSID, c[0]),
			      smmu_get(CMD1_PRI_PRGINDEX, c[1]),
			      codes[smmu_get(CMD1_PRI_RESP, c[1])]);
}

static void resume(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	smmuv3_resume(smmu, c);
}

static void stall_term(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	smmuv3_stall_term(smmu, smmu_get(CMD0_SID, c[0]), false);
}

/* ---- The table ---- */

#define F_SID		CMD0_SID
#define F_SUB		(CMD0_SSV | CMD0_SSID)
#define F_TAGS		(CMD0_TLBI_VMID | CMD0_TLBI_ASID)
#define F_RANGE0	(CMD0_TLBI_NUM | CMD0_TLBI_SCALE)
#define F_RANGE1	(CMD1_LEAF | CMD1_TLBI_TTL | CMD1_TLBI_TG)
#define F_VA		(CMD1_ADDR | F_RANGE1)
#define F_IPA		(CMD1_TLBI_IPA | F_RANGE1)
#define F_PREFETCH	(CMD1_PREFETCH_SIZE | CMD1_PREFETCH_STRIDE)
#define F_SYNC		(CMD0_SYNC_CS | CMD0_SYNC_MSH | CMD0_SYNC_MSIATTR | CMD0_SYNC_MSIDATA)

#define S1P	SMMU_IDR0_S1P
#define S2P	SMMU_IDR0_S2P
#define HYP	SMMU_IDR0_HYP

/* How smmuv3_command_trace() prints them; what a form does not have is 0 or not named */
#define BY_VMID	" vmid %#llx"
#define BY_ASID	BY_VMID " asid %#llx"
#define BY_ADDR	BY_ASID " addr %#llx leaf %llu num.scale.tg.ttl %#llx"
#define BY_SID	" sid %#llx"
#define BY_SPAN	BY_SID " size %llu ssid %#llx ssv %llu addr %#llx"

#define COMMAND(_name, _class, _f0, _f1, _needs, _format, _act, ...) \
	[CMD_ ## _name] = { \
		.class = CLASS_ ## _class, .needs = _needs, \
		.fields = { CMD0_OPCODE | (_f0), _f1 }, \
		.format = "queue %lld CMD_" #_name _format, .act = _act, __VA_ARGS__ \
	}
#define GUEST	.guest = true
#define RANGED	.ranged = true

static const struct command commands[256] = {
	COMMAND(PREFETCH_CONFIG, NOW, F_SID | F_SUB, 0, 0, BY_SID, prefetch),
	COMMAND(PREFETCH_ADDR, NOW, F_SID | F_SUB, CMD1_ADDR | F_PREFETCH, 0, BY_SPAN, prefetch),
	COMMAND(CFGI_STE, CONFIG, F_SID, CMD1_LEAF, 0, BY_SID " leaf %llu", cfgi_ste),
	COMMAND(CFGI_STE_RANGE, CONFIG, F_SID, CMD1_CFGI_RANGE, 0,
		BY_SID " range %llu", cfgi_ste_range),
	COMMAND(CFGI_CD, CONFIG, F_SID | CMD0_SSID, CMD1_LEAF, S1P,
		BY_SID " leaf %llu ssid %#llx", cfgi_cd),
	COMMAND(CFGI_CD_ALL, CONFIG, F_SID, 0, S1P, BY_SID, cfgi_cd_all),
	COMMAND(TLBI_NH_ALL, S1, CMD0_TLBI_VMID, 0, S1P, BY_VMID, nh_all),
	COMMAND(TLBI_NH_ASID, S1, F_TAGS, 0, S1P, BY_ASID, nh_asid, GUEST),
	COMMAND(TLBI_NH_VA, S1, F_TAGS | F_RANGE0, F_VA, S1P, BY_ADDR, nh_va, GUEST, RANGED),
	COMMAND(TLBI_NH_VAA, S1, CMD0_TLBI_VMID | F_RANGE0, F_VA, S1P, BY_ADDR, nh_vaa, RANGED),
	COMMAND(TLBI_EL2_ALL, S1, 0, 0, S1P | HYP, "", el2_all),
	COMMAND(TLBI_EL2_ASID, S1, CMD0_TLBI_ASID, 0, S1P | HYP, BY_ASID, el2_asid),
	COMMAND(TLBI_EL2_VA, S1, CMD0_TLBI_ASID | F_RANGE0, F_VA, S1P | HYP,
		BY_ADDR, el2_va, RANGED),
	COMMAND(TLBI_EL2_VAA, S1, F_RANGE0, F_VA, S1P | HYP, BY_ADDR, el2_vaa, RANGED),
	COMMAND(TLBI_S12_VMALL, S2, CMD0_TLBI_VMID, 0, S2P, BY_VMID, s12_vmall),
	COMMAND(TLBI_S2_IPA, S2, CMD0_TLBI_VMID | F_RANGE0, F_IPA, S2P, BY_ADDR, s2_ipa, RANGED),
	COMMAND(TLBI_NSNH_ALL, S2, 0, 0, 0, "", nsnh_all),
	COMMAND(ATC_INV, ATS, F_SID | F_SUB | CMD0_ATC_GLOBAL, CMD1_ADDR | CMD1_ATC_SIZE,
		SMMU_IDR0_ATS, BY_SPAN, smmuv3_ats_invalidate, GUEST),
	COMMAND(PRI_RESP, NOW, F_SID | F_SUB, CMD1_PRI_PRGINDEX | CMD1_PRI_RESP, SMMU_IDR0_PRI,
		BY_SID " response %#llx", pri_resp),
	COMMAND(RESUME, NOW, F_SID | CMD0_RESUME_RETRY | CMD0_RESUME_ABORT, CMD1_RESUME_STAG, 0,
		BY_SID " stag %llu action %#llx", resume),
	COMMAND(STALL_TERM, NOW, F_SID, 0, 0, BY_SID, stall_term),
	COMMAND(SYNC, NOW, F_SYNC, CMD1_SYNC_MSIADDR, 0, " data %#llx cs %llu", NULL, GUEST),
};

static const struct command *find(const uint64_t c[2])
{
	const struct command *command = &commands[c[0] & CMD0_OPCODE];

	return command->format ? command : NULL;
}

/* The reserved combinations of a range (4.4.1.1) */
static bool range_illegal(const struct smmuv3 *smmu, const uint64_t c[2])
{
	unsigned int tg = smmu_get(CMD1_TLBI_TG, c[1]), ttl = smmu_get(CMD1_TLBI_TTL, c[1]);
	unsigned int num = smmu_get(CMD0_TLBI_NUM, c[0]), scale = smmu_get(CMD0_TLBI_SCALE, c[0]);

	if (!smmu->config.ril)
		return !smmu->config.lenient && (tg || ttl || num || scale);
	if (!tg)
		return !smmu->config.lenient && (ttl || num || scale);
	if (!smmu->config.ds && scale & 32)
		return !smmu->config.lenient;
	if (tg == CMD_TLBI_TG_16K && ttl == 1 && !smmu->config.ds)
		ttl = 0;
	return !num && !scale && !ttl;
}

static bool fields_illegal(const struct smmuv3 *smmu, const uint64_t c[2])
{
	switch (c[0] & CMD0_OPCODE) {
	case CMD_ATC_INV:
		return smmu_get(CMD1_ATC_SIZE, c[1]) > CMD_ATC_SIZE_ALL &&
		       !FAULT("smmuv3.atc-size-unchecked", "CMD_ATC_INV takes a size over 52");
	case CMD_PRI_RESP:
		return smmu_get(CMD1_PRI_RESP, c[1]) == 3;
	case CMD_RESUME:
	case CMD_STALL_TERM:
		return smmu->config.stall_model == SMMU_STALL_NEVER;
	case CMD_SYNC:
		return smmu_get(CMD0_SYNC_CS, c[0]) == 3;
	default:
		return false;
	}
}

/* A guest's queue: VMID forced, StreamID replaced, completion by polling only */
static bool make_physical(struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq,
			  const struct command *command, uint64_t c[2])
{
	uint16_t vmid;
	int64_t sid;

	if (!smmuv3_cmdqv_guest(smmu, cmdq, &vmid))
		return true;
	if (!command->guest &&
	    !FAULT("smmuv3.vcmdq-unfiltered", "a guest's queue takes every command"))
		return false;
	if (command->class == CLASS_ATS) {
		sid = smmuv3_cmdqv_sid(smmu, cmdq, smmu_get(CMD0_SID, c[0]));
		if (sid < 0)
			return false;
		c[0] = (c[0] & ~CMD0_SID) | smmu_put(CMD0_SID, sid);
	} else if (command->class == CLASS_S1 || command->class == CLASS_S2) {
		if (!FAULT("smmuv3.vcmdq-vmid-not-forced", "a guest names the VMID in its queue"))
			c[0] = (c[0] & ~CMD0_TLBI_VMID) | smmu_put(CMD0_TLBI_VMID, vmid);
	} else if ((c[0] & CMD0_OPCODE) == CMD_SYNC) {
		return smmu_get(CMD0_SYNC_CS, c[0]) == CMD_SYNC_CS_NONE;
	}
	return true;
}

unsigned int smmuv3_command_check(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, uint64_t c[2])
{
	const struct command *command = find(c);

	if (!command || (command->needs & ~smmu->idr[0]))
		return SMMU_CERROR_ILL;
	if (!smmu->config.lenient &&
	    (c[0] & ~command->fields[0] || c[1] & ~command->fields[1]))
		return SMMU_CERROR_ILL;
	if (c[0] & CMD0_SSEC && !command->ranged && command->class != CLASS_S1 &&
	    command->class != CLASS_S2)
		return SMMU_CERROR_ILL;
	if (command->ranged && range_illegal(smmu, c) &&
	    !FAULT("smmuv3.range-reserved-accepted", "the reserved range is no error"))
		return SMMU_CERROR_ILL;
	if (fields_illegal(smmu, c) || !make_physical(smmu, cmdq, command, c))
		return SMMU_CERROR_ILL;
	return SMMU_CERROR_NONE;
}

enum smmuv3_class smmuv3_command_class(const uint64_t c[2])
{
	return find(c)->class;
}

void smmuv3_command_trace(struct smmuv3 *smmu, const struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	const struct command *command = find(c);
	long long queue = cmdq->vintf < 0 ? -1 : (long long)cmdq->index;
	uint64_t range = smmu_get(CMD0_TLBI_NUM, c[0]) << 16 |
			 smmu_get(CMD0_TLBI_SCALE, c[0]) << 8 |
			 smmu_get(CMD1_TLBI_TG, c[1]) << 4 | smmu_get(CMD1_TLBI_TTL, c[1]);
	uint64_t low = c[1] & 0xfff;

	if (command->class == CLASS_S1 || command->class == CLASS_S2)
		smmu_trace(smmu, command->format, queue, smmu_get(CMD0_TLBI_VMID, c[0]),
			   smmu_get(CMD0_TLBI_ASID, c[0]), c[1] & CMD1_ADDR, c[1] & CMD1_LEAF,
			   range);
	else if ((c[0] & CMD0_OPCODE) == CMD_SYNC)
		smmu_trace(smmu, command->format, queue, c[0] >> 32, smmu_get(CMD0_SYNC_CS, c[0]));
	else if ((c[0] & CMD0_OPCODE) == CMD_RESUME)
		smmu_trace(smmu, command->format, queue, c[0] >> 32, c[1],
			   smmu_get(CMD0_RESUME_RETRY | CMD0_RESUME_ABORT, c[0]));
	else
		smmu_trace(smmu, command->format, queue, c[0] >> 32, low,
			   smmu_get(CMD0_SSID, c[0]), smmu_get(CMD0_SSV, c[0]), c[1] & CMD1_ADDR);
}

void smmuv3_command_do(struct smmuv3 *smmu, struct smmuv3_cmdq *cmdq, const uint64_t c[2])
{
	find(c)->act(smmu, cmdq, c);
}
