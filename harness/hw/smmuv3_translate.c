// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request from arrival to answer (IHI 0070 chapter 15): untranslated, ATS translation request,
 * ATS translated. The way of a hit is short and takes no lock.
 */
#include "smmuv3_impl.h"

/* ---- Faults ---- */

static bool translation_related(uint8_t event)
{
	return event >= EVENT_F_TRANSLATION && event <= EVENT_F_PERMISSION;
}

static bool is_privileged(const struct smmuv3_context *context, const struct hw_request *request)
{
	unsigned int config = smmu_get(CONTEXT_PRIV, context->flags);

	return config >= 2 ? config == 3 : request->has_pasid && request->access & HW_PRIV;
}

static bool is_instruction(const struct smmuv3_context *context, const struct hw_request *request)
{
	unsigned int config = smmu_get(CONTEXT_INST, context->flags);
	bool exec = config >= 2 ? config == 3 : request->has_pasid && request->access & HW_EXEC;

	return exec && !(request->access & HW_WRITE);
}

static void make_event(const struct smmuv3_walk *walk, const struct hw_request *request,
		       uint64_t words[4])
{
	const struct smmuv3_fault *fault = &walk->fault;

	words[0] = fault->event | smmu_put(EVENT0_SID, request->rid);
	words[1] = words[2] = words[3] = 0;
	if (fault->event == EVENT_C_BAD_SUBSTREAMID)
		words[0] |= smmu_put(EVENT0_SSID, request->has_pasid ? request->pasid : 0);
	else if (request->has_pasid)
		words[0] |= EVENT0_SSV | smmu_put(EVENT0_SSID, request->pasid);
	if (fault->event == EVENT_F_STE_FETCH || fault->event == EVENT_F_CD_FETCH)
		words[3] = fault->ipa & EVENT3_FETCH_ADDR;
	if (fault->event < EVENT_F_WALK_EABT && fault->event != EVENT_F_BAD_ATS_TREQ &&
	    fault->event != EVENT_F_TRANSL_FORBIDDEN)
		return;
	words[1] = smmu_put(EVENT1_CLASS, fault->class) | (fault->s2 ? EVENT1_S2 : 0) |
		   (request->access & HW_WRITE ? 0 : EVENT1_RNW) |
		   (is_instruction(&walk->context, request) ? EVENT1_IND : 0) |
		   (is_privileged(&walk->context, request) ? EVENT1_PNU : 0) |
		   (fault->ttrnw && fault->class == EVENT_CLASS_TTD ? EVENT1_TTRNW : 0);
	words[2] = request->addr;
	if (fault->event == EVENT_F_WALK_EABT)
		words[3] = fault->ipa & EVENT3_FETCH_ADDR;
	else if (fault->s2)
		words[3] = fault->ipa & EVENT3_IPA;
}

/* What becomes of a request that failed: terminated, with a record or without, or stalled (3.12) */
static enum hw_status fail(struct smmuv3_walk *walk, const struct hw_request *request,
			   struct hw_translation *translation)
{
	const struct smmuv3_fault *fault = &walk->fault;
	const struct smmuv3_context *context = &walk->context;
	const struct smmuv3_stage *stage = fault->s2 ? &context->s2 : &context->s1;
	bool related = translation_related(fault->event), merge = context->flags & CONTEXT_MERGE;
	uint64_t words[4];
	int token;

	hw_count(walk->smmu->iommu.counts.faults, 1);
	hw_count(walk->smmu->iommu.counts.table_reads, walk->reads);
	/* Before there is a valid STE there is no MEV to forbid merging (7.3.1). */
	if (fault->event && fault->event <= EVENT_C_BAD_STE)
		merge = true;
	make_event(walk, request, words);
	smmu_trace(walk->smmu, "fault %#llx sid %#llx addr %#llx stage %llu class %llu ipa %#llx",
		   fault->event, request->rid, request->addr, fault->s2 + 1, fault->class,
		   fault->ipa);
	if (related && request->type == HW_UNTRANSLATED && stage->on && stage->stall &&
	    !FAULT("smmuv3.stall-terminates", "the stall model terminates requests")) {
		token = smmuv3_stall(walk->smmu, request->rid, words);
		if (token >= 0) {
			translation->token = token;
			return HW_STALLED;
		}
	}
	if (fault->event && (!related || !stage->on || stage->record || stage->stall))
		smmuv3_event(walk->smmu, words, merge);
	return HW_FAULT;
}

/*
 * Translation requests hear of faults from their completion; only F_BAD_ATS_TREQ is recorded
 * (3.9.1.2), and configuration errors if CR2.REC_CFG_ATS says so.
 */
static enum hw_status fail_ats(struct smmuv3_walk *walk, const struct hw_request *request,
			       struct hw_translation *translation)
{
	struct smmuv3 *smmu = walk->smmu;
	uint64_t words[4];

	hw_count(smmu->iommu.counts.table_reads, walk->reads);
	if (translation_related(walk->fault.event)) {
		*translation = (struct hw_translation){ .pa = 0, .shift = 12 };
		return HW_OK;
	}
	hw_count(smmu->iommu.counts.faults, 1);
	if (walk->fault.event == EVENT_F_BAD_ATS_TREQ ||
	    (walk->fault.event && reg_get(smmu->cr2) & SMMU_CR2_REC_CFG_ATS)) {
		make_event(walk, request, words);
		smmuv3_event(smmu, words, walk->context.flags & CONTEXT_MERGE);
	}
	smmu_trace(smmu, "ats request refused event %#llx sid %#llx addr %#llx", walk->fault.event,
		   request->rid, request->addr);
	return HW_UNSUPPORTED;
}

/* ---- Answers ---- */

static unsigned int needed(const struct smmuv3_context *context, const struct hw_request *request)
{
	if (is_instruction(context, request))
		return HW_EXEC;
	return request->access & (HW_READ | HW_WRITE);
}

/* The address that stage 1 sees: without the tag where CD.TBIx ignores it (3.4.1) */
static uint64_t input_addr(uint64_t flags, uint64_t addr)
{
	bool high = addr >> 55 & 1;

	if (!(flags & (high ? CONTEXT_TBI1 : CONTEXT_TBI0)))
		return addr;
	return high ? addr | SMMU_BITS(63, 56) : addr & ~SMMU_BITS(63, 56);
}

static void answer(struct smmuv3_walk *walk, const struct hw_request *request,
		   struct hw_translation *translation, uint64_t pa, unsigned int shift,
		   unsigned int perm)
{
	unsigned int wanted = HW_READ | HW_WRITE;

	if (request->type == HW_TRANSLATION_REQUEST) {
		/* Write only where asked for, so that clean pages stay clean (13.7). */
		wanted = HW_READ | (request->access & (HW_WRITE | HW_EXEC));
		if (!(perm & HW_READ))
			perm &= ~HW_EXEC;
	}
	translation->pa = pa;
	translation->shift = shift;
	translation->perm = perm & wanted;
	translation->global = false;
	translation->untranslated_only = false;
}

/* Identity: nothing translates */
static void answer_bypass(struct smmuv3_walk *walk, const struct hw_request *request,
			  struct hw_translation *translation)
{
	answer(walk, request, translation, request->addr, 12, PERM_ALL & ~HW_EXEC);
}

/* ---- Both stages, from the tables ---- */

static int walk_s1_checked(struct smmuv3_walk *walk, const struct hw_request *request,
			   uint64_t addr, bool priv, unsigned int need, struct smmuv3_result *s1)
{
	bool write = need & HW_WRITE;

	if (smmuv3_walk_s1(walk, addr, write, priv, s1))
		return -1;
	if (!walk->lenient && need & ~(s1->perm >> (priv ? PERM_PRIV : 0)) & PERM_ALL)
		return -smmuv3_walk_fails(walk, EVENT_F_PERMISSION, false, EVENT_CLASS_IN, 0);
	return 0;
}

static void cache_s1(struct smmuv3_walk *walk, uint64_t addr, const struct smmuv3_result *s1,
		     const struct smmuv3_result *s2)
{
	const struct smmuv3_context *context = &walk->context;
	struct tlb_entry entry = {
		.domain = context_domain(context),
		.space = s1->global ? TLB_ANY_SPACE : context_asid(context),
		.shift = s1->shift < s2->shift ? s1->shift : s2->shift,
		.perm = s1->perm,
		.flags = (s2->perm & PERM_ALL) | (s1->clean ? ENTRY_S1_CLEAN : 0) |
			 (s2->clean ? ENTRY_S2_CLEAN : 0) | (s1->global ? ENTRY_GLOBAL : 0) |
			 (context->flags & CONTEXT_ASET ? ENTRY_ASET : 0),
		.tag = smmu_put(TAG_TG, s1->tg) | smmu_put(TAG_LEVEL, s1->level + 1) |
		       smmu_put(TAG_SHIFT, s1->entry_shift),
	};

	entry.out = s2->out & ~((1ull << entry.shift) - 1);
	if (FAULT("smmuv3.block-base-lost", "a block is cached as if its page 0 were asked for"))
		entry.out = s2->out & ~0xfffull;
	entry.aux = s1->out & ~((1ull << entry.shift) - 1);
	if (context_domain(context) == DOMAIN_EL2)
		entry.space = TLB_ANY_SPACE;
	smmuv3_cache(walk, CACHE_S1, &entry, addr);
}

/* What stage 1 alone grants of what an ATS request asks for: nothing ends the walk (3.9.1.2). */
static unsigned int granted(const struct smmuv3_walk *walk, unsigned int need, unsigned int perm)
{
	return walk->lenient ? need & perm : need;
}

static int walk_both(struct smmuv3_walk *walk, const struct hw_request *request, uint64_t addr,
		     struct smmuv3_result *s1, struct smmuv3_result *s2)
{
	const struct smmuv3_context *context = &walk->context;
	bool priv = is_privileged(context, request);
	unsigned int need = needed(context, request);

	if (walk->lenient)
		need |= HW_READ;	/* what an ATS request wants at least (PCIe 10.2.2 NW) */
	*s1 = (struct smmuv3_result){ .out = addr, .shift = 63, .perm = 077 };
	*s2 = (struct smmuv3_result){ .shift = 63, .perm = PERM_ALL };
	if (context->s1.on) {
		if (walk_s1_checked(walk, request, addr, priv, need, s1)) {
			if (walk->fault.event == EVENT_F_TRANSLATION && !walk->fault.s2 &&
			    FAULT("smmuv3.absent-is-cached", "what is not mapped is cached")) {
				*s1 = (struct smmuv3_result){ .shift = 12, .entry_shift = 12 };
				cache_s1(walk, addr, s1, s2);
			}
			return -1;
		}
		need = granted(walk, need, s1->perm >> (priv ? PERM_PRIV : 0));
	} else if (addr >> smmu_address_bits[walk->smmu->config.oas]) {
		return -smmuv3_walk_fails(walk, EVENT_F_ADDR_SIZE, false, EVENT_CLASS_IN, 0);
	}
	s2->out = s1->out;
	if (context->s2.on && (need || !walk->lenient) &&
	    smmuv3_walk_s2(walk, s1->out, need, EVENT_CLASS_IN, s2))
		return -1;
	if (context->s1.on && (need || !walk->lenient))
		cache_s1(walk, addr, s1, s2);
	return 0;
}

/* One more page, that nobody has asked for yet */
static void prefetch_next(struct smmuv3_walk *walk, const struct hw_request *request,
			  const struct smmuv3_result *s1, const struct smmuv3_result *s2)
{
	struct hw_request next = *request;
	unsigned int shift = s1->shift < s2->shift ? s1->shift : s2->shift;

	if (shift >= 48)
		return;
	next.addr += 1ull << shift;
	next.access &= ~HW_WRITE;
	next.access |= HW_READ;
	smmuv3_prefetch(walk->smmu, &next);
}

void smmuv3_prefetch(struct smmuv3 *smmu, const struct hw_request *request)
{
	struct smmuv3_result s1, s2;
	struct smmuv3_walk walk;

	smmuv3_walk_init(&walk, smmu);
	walk.silent = true;
	if (!smmuv3_config_lookup(&walk, request, LOOKUP_TRANSLATE) &&
	    (walk.context.s1.on || walk.context.s2.on))
		walk_both(&walk, request, input_addr(walk.context.flags, request->addr), &s1, &s2);
	hw_count(smmu->iommu.counts.table_reads, walk.reads);
}

/* May translation requests be answered for this stream at all? The STE alone decides (7.3.6). */
static bool ats_refused(struct smmuv3_walk *walk, const struct hw_request *request)
{
	const struct smmuv3_context *context = &walk->context;
	struct hw_request stream = *request;

	stream.has_pasid = false;
	stream.pasid = 0;
	if (smmuv3_config_lookup(walk, &stream, LOOKUP_STE_ONLY))
		return true;
	if (!(context->ste_config & 4))
		return smmuv3_walk_fails(walk, 0, false, 0, 0);
	if (context->eats == STE_EATS_NONE &&
	    !FAULT("smmuv3.ats-ignores-eats", "a stream without EATS gets ATS translations"))
		return smmuv3_walk_fails(walk, EVENT_F_BAD_ATS_TREQ, false, 0, 0);
	return false;
}

static enum hw_status answer_walked(struct smmuv3_walk *walk, const struct hw_request *request,
				    struct hw_translation *translation,
				    const struct smmuv3_result *s1, const struct smmuv3_result *s2)
{
	bool ats = request->type == HW_TRANSLATION_REQUEST;
	unsigned int shift = s1->shift < s2->shift ? s1->shift : s2->shift;
	unsigned int priv = is_privileged(&walk->context, request) ? PERM_PRIV : 0;
	unsigned int perm = s1->perm >> priv & s2->perm & PERM_ALL;

	if (ats && ((s1->clean || s2->clean) && !(request->access & HW_WRITE)))
		perm &= ~HW_WRITE;
	if (shift > smmu_address_bits[walk->smmu->config.oas])
		shift = smmu_address_bits[walk->smmu->config.oas];
	answer(walk, request, translation,
	       ats && walk->context.eats == STE_EATS_SPLIT && s1->shift != 63 ? s1->out : s2->out,
	       shift, perm);
	return HW_OK;
}

static enum hw_status translate_slow(struct smmuv3 *smmu, const struct hw_request *request,
				     struct hw_translation *translation)
{
	bool ats = request->type == HW_TRANSLATION_REQUEST;
	struct smmuv3_result s1, s2;
	struct smmuv3_walk walk;

	smmuv3_walk_init(&walk, smmu);
	walk.lenient = ats;
	if (ats && ats_refused(&walk, request))
		return fail_ats(&walk, request, translation);
	if (smmuv3_config_lookup(&walk, request, LOOKUP_TRANSLATE))
		return ats ? fail_ats(&walk, request, translation) :
			     fail(&walk, request, translation);
	if (!(walk.context.ste_config & 4)) {
		smmuv3_walk_fails(&walk, 0, false, 0, 0);
		return fail(&walk, request, translation);
	}
	if (!walk.context.s1.on && !walk.context.s2.on) {
		answer_bypass(&walk, request, translation);
		return HW_OK;
	}
	hw_count(smmu->iommu.counts.walks, 1);
	if (walk_both(&walk, request, input_addr(walk.context.flags, request->addr), &s1, &s2))
		return ats ? fail_ats(&walk, request, translation) :
			     fail(&walk, request, translation);
	hw_count(smmu->iommu.counts.table_reads, walk.reads);
	if (freedom_take(&smmu->iommu.freedom, smmu->iommu.freedom.prefetch))
		prefetch_next(&walk, request, &s1, &s2);
	return answer_walked(&walk, request, translation, &s1, &s2);
}

/* ---- Translated requests, 3.9.1.3 ---- */

static enum hw_status translated(struct smmuv3 *smmu, const struct hw_request *request,
				 struct hw_translation *translation)
{
	struct hw_request stream = *request;
	struct smmuv3_result s2;
	struct smmuv3_walk walk;

	smmuv3_walk_init(&walk, smmu);
	memset(&walk.context, 0, sizeof(walk.context));
	if (!(reg_get(smmu->cr0) & SMMU_CR0_SMMUEN)) {
		smmuv3_walk_fails(&walk, EVENT_F_TRANSL_FORBIDDEN, false, 0, 0);
		return fail(&walk, request, translation);
	}
	if (request->addr >> smmu_address_bits[smmu->config.oas])
		return HW_FAULT;
	if (!(reg_get(smmu->cr0) & SMMU_CR0_ATSCHK)) {
		answer_bypass(&walk, request, translation);
		return HW_OK;
	}
	stream.has_pasid = false;	/* IDR3.PASIDTT == 0 */
	stream.pasid = 0;
	if (smmuv3_config_lookup(&walk, &stream, LOOKUP_STE_ONLY)) {
		if (!(reg_get(smmu->cr2) & SMMU_CR2_REC_CFG_ATS))
			walk.fault.event = 0;
		return fail(&walk, request, translation);
	}
	if (!(walk.context.ste_config & 4)) {
		smmuv3_walk_fails(&walk, 0, false, 0, 0);
		return fail(&walk, request, translation);
	}
	if (walk.context.eats == STE_EATS_NONE &&
	    !FAULT("smmuv3.translated-unchecked", "ATSCHK does not look at EATS")) {
		smmuv3_walk_fails(&walk, EVENT_F_TRANSL_FORBIDDEN, false, 0, 0);
		return fail(&walk, request, translation);
	}
	if (walk.context.eats != STE_EATS_SPLIT) {
		answer_bypass(&walk, request, translation);
		return HW_OK;
	}
	if (smmuv3_walk_s2(&walk, request->addr, request->access & (HW_READ | HW_WRITE),
			   EVENT_CLASS_IN, &s2))
		return fail(&walk, request, translation);
	hw_count(smmu->iommu.counts.table_reads, walk.reads);
	answer(&walk, request, translation, s2.out, s2.shift, s2.perm);
	return HW_OK;
}

/* ---- Hits ---- */

/* The tags and flags of the context for a request, if it is in its slot */
static inline bool fast_context(struct smmuv3 *smmu, const struct hw_request *request,
				uint64_t *tags, uint64_t *flags)
{
	uint64_t key = smmuv3_key(request->rid, request->has_pasid,
				  request->has_pasid ? request->pasid : 0, LOOKUP_TRANSLATE);
	struct smmuv3_slot *slot = smmuv3_slot(smmu, key);
	uint64_t seq = reg_get(slot->seq);

	if (seq & 1 || reg_get(slot->key) != key ||
	    reg_get(slot->version) != reg_get(smmu->versions[request->rid]))
		return false;
	*tags = reg_get(slot->words[0]);
	*flags = reg_get(slot->words[1]);
	return reg_get(slot->seq) == seq;
}

/* Global entries serve their own ASET only (3.17.1). */
static inline bool wrong_aset(const struct tlb_entry *entry, uint64_t flags)
{
	return entry->flags & ENTRY_GLOBAL &&
	       !(entry->flags & ENTRY_ASET) != !(flags & CONTEXT_ASET);
}

enum fast { FAST_HIT, FAST_MISS, FAST_UNDECIDED };

/* A hit that decides by itself. A refusal goes the long way. */
static enum fast fast_hit(struct smmuv3 *smmu, const struct hw_request *request, uint64_t tags,
			  uint64_t flags, struct hw_translation *translation)
{
	struct smmuv3_context context = { .tags = tags, .flags = flags };
	enum smmuv3_cache cache = flags & CONTEXT_S1 ? CACHE_S1 : CACHE_S2;
	uint64_t addr = flags & CONTEXT_S1 ? input_addr(flags, request->addr) : request->addr;
	unsigned int need = needed(&context, request), perm;
	uint32_t space = cache == CACHE_S1 ? (uint32_t)(tags >> 32) : TLB_ANY_SPACE;
	struct tlb_entry entry;

	if (!tlb_lookup(smmu->caches[cache], (uint32_t)tags, space, 0, addr, &entry))
		return FAST_MISS;
	if (freedom_take(&smmu->iommu.freedom, smmu->iommu.freedom.evict))
		return FAST_MISS;
	if (cache == CACHE_S1) {
		if (wrong_aset(&entry, flags))
			return FAST_MISS;
		perm = entry.perm;
		if (is_privileged(&context, request))
			perm >>= PERM_PRIV;
		perm &= entry.flags & PERM_ALL;
	} else {
		perm = entry.perm;
	}
	if (need & HW_WRITE && entry.flags & (ENTRY_S1_CLEAN | ENTRY_S2_CLEAN))
		return FAST_MISS;
	if (need & ~perm)
		return FAST_UNDECIDED;
	translation->pa = entry.out + (addr - entry.addr);
	if (FAULT("smmuv3.hit-at-4k", "a hit in a block takes its first 4 KiB"))
		translation->pa = entry.out + (addr & 0xfff);
	translation->shift = entry.shift;
	translation->perm = perm & (HW_READ | HW_WRITE);
	translation->global = false;
	translation->untranslated_only = false;
	return FAST_HIT;
}

/*
 * A hit that refuses is a hit too: permissions are cached like addresses. ATS requests come here as
 * well, that take what is granted.
 */
static bool slow_hit(struct smmuv3 *smmu, const struct hw_request *request,
		     struct hw_translation *translation, enum hw_status *status)
{
	struct smmuv3_result s1 = { .shift = 63, .perm = 077 };
	struct smmuv3_result s2 = { .shift = 63, .perm = PERM_ALL };
	bool ats = request->type == HW_TRANSLATION_REQUEST, priv;
	enum smmuv3_cache cache;
	struct tlb_entry entry;
	struct smmuv3_walk walk;
	unsigned int need;
	uint64_t addr;

	smmuv3_walk_init(&walk, smmu);
	if (smmuv3_config_lookup(&walk, request, LOOKUP_TRANSLATE) ||
	    !(walk.context.s1.on || walk.context.s2.on) ||
	    (ats && walk.context.eats == STE_EATS_NONE))
		return false;
	cache = walk.context.s1.on ? CACHE_S1 : CACHE_S2;
	addr = cache == CACHE_S1 ? input_addr(walk.context.flags, request->addr) : request->addr;
	if (!tlb_lookup(smmu->caches[cache], context_domain(&walk.context),
			cache == CACHE_S1 ? context_asid(&walk.context) : TLB_ANY_SPACE, 0, addr,
			&entry))
		return false;
	if (freedom_take(&smmu->iommu.freedom, smmu->iommu.freedom.evict))
		return false;
	if (wrong_aset(&entry, walk.context.flags))
		return false;
	need = needed(&walk.context, request);
	priv = is_privileged(&walk.context, request);
	if (need & HW_WRITE && entry.flags & (ENTRY_S1_CLEAN | ENTRY_S2_CLEAN))
		return false;
	if (cache == CACHE_S1) {
		s1.perm = entry.perm;
		s1.shift = entry.shift;
		s1.clean = entry.flags & ENTRY_S1_CLEAN;
		s1.out = entry.aux + (addr - entry.addr);
		s2.perm = entry.flags & PERM_ALL;
	} else {
		s2.perm = entry.perm;
		s1.out = addr;
	}
	s2.clean = entry.flags & ENTRY_S2_CLEAN;
	s2.shift = entry.shift;
	s2.out = entry.out + (addr - entry.addr);
	*status = HW_OK;
	if (!ats && cache == CACHE_S1 && need & ~(s1.perm >> (priv ? PERM_PRIV : 0))) {
		smmuv3_walk_fails(&walk, EVENT_F_PERMISSION, false, EVENT_CLASS_IN, 0);
		*status = fail(&walk, request, translation);
	} else if (!ats && need & ~s2.perm) {
		smmuv3_walk_fails(&walk, EVENT_F_PERMISSION, true, EVENT_CLASS_IN, s1.out);
		*status = fail(&walk, request, translation);
	} else {
		*status = answer_walked(&walk, request, translation, &s1, &s2);
	}
	return true;
}

static void trace_translation(struct smmuv3 *smmu, const struct hw_request *request,
			      const struct hw_translation *translation, enum hw_status status)
{
	smmu_trace(smmu, "request type %llu sid %#llx pasid %#llx addr %#llx status %llu pa %#llx",
		   request->type, request->rid, request->has_pasid ? request->pasid : ~0u,
		   request->addr, status, status == HW_OK ? translation->pa : 0);
}

static enum hw_status translation_off(struct smmuv3 *smmu, const struct hw_request *request,
				      struct hw_translation *translation)
{
	struct smmuv3_walk walk = { .smmu = smmu };

	if (request->type == HW_TRANSLATION_REQUEST) {
		smmuv3_walk_fails(&walk, EVENT_F_BAD_ATS_TREQ, false, 0, 0);
		return fail_ats(&walk, request, translation);
	}
	if (reg_get(smmu->gbpa) & SMMU_GBPA_ABORT ||
	    request->addr >> smmu_address_bits[smmu->config.oas]) {
		hw_count(smmu->iommu.counts.faults, 1);
		return HW_FAULT;
	}
	answer_bypass(&walk, request, translation);
	return HW_OK;
}

static enum hw_status dispatch(struct smmuv3 *smmu, const struct hw_request *request,
			       struct hw_translation *translation)
{
	enum fast fast = FAST_UNDECIDED;
	enum hw_status status;
	uint64_t tags, flags;

	if (__builtin_expect(request->type == HW_TRANSLATED, 0))
		return translated(smmu, request, translation);
	if (__builtin_expect(!(reg_get(smmu->cr0) & SMMU_CR0_SMMUEN), 0))
		return translation_off(smmu, request, translation);
	if (request->type == HW_UNTRANSLATED && fast_context(smmu, request, &tags, &flags) &&
	    flags & (CONTEXT_S1 | CONTEXT_S2))
		fast = fast_hit(smmu, request, tags, flags, translation);
	if (fast == FAST_HIT)
		return HW_OK;
	if (fast == FAST_UNDECIDED && slow_hit(smmu, request, translation, &status))
		return status;
	return translate_slow(smmu, request, translation);
}

enum hw_status smmuv3_translate(struct hw_iommu *iommu, const struct hw_request *request,
				struct hw_translation *translation)
{
	struct smmuv3 *smmu = to_smmuv3(iommu);
	enum hw_status status = dispatch(smmu, request, translation);

	if (__builtin_expect(hw_trace_wants_dma(iommu->trace), 0))
		trace_translation(smmu, request, translation, status);
	return status;
}
