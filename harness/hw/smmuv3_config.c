// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream table entries and context descriptors (IHI 0070 3.3, chapter 5): how they are found, when
 * they are illegal, and what is cached of them.
 *
 * Every structure is cached by itself, as fetched, valid or not (3.21.3): level-1 stream table
 * descriptors, STEs, level-1 CD table descriptors and CDs by the StreamID that found them. What an
 * STE and a CD make together for a (StreamID, SubstreamID) is kept in slots that translations read
 * without a lock; a slot lives no longer than what it was made of.
 */
#include <stdlib.h>

#include "smmuv3_impl.h"

/* ---- Slots ---- */

/* What a context looks like to who copies it */
typedef uint64_t word __attribute__((may_alias));

static bool slot_read(struct smmuv3 *smmu, uint64_t key, uint16_t sid,
		      struct smmuv3_context *context)
{
	struct smmuv3_slot *slot = smmuv3_slot(smmu, key);
	uint64_t seq = reg_get(slot->seq);
	word *words = (word *)context;

	if (seq & 1 || reg_get(slot->key) != key ||
	    reg_get(slot->version) != reg_get(smmu->versions[sid]))
		return false;
	for (unsigned int i = 0; i < CONTEXT_WORDS; i++)
		words[i] = reg_get(slot->words[i]);
	return reg_get(slot->seq) == seq;
}

/* Under @config_lock */
static void slot_write(struct smmuv3 *smmu, uint64_t key, uint16_t sid,
		       const struct smmuv3_context *context)
{
	struct smmuv3_slot *slot = smmuv3_slot(smmu, key);
	const word *words = (const word *)context;

	__atomic_fetch_add(&slot->seq, 1, __ATOMIC_ACQ_REL);
	reg_set(slot->key, key);
	reg_set(slot->version, smmu->versions[sid]);
	for (unsigned int i = 0; i < CONTEXT_WORDS; i++)
		reg_set(slot->words[i], words[i]);
	__atomic_fetch_add(&slot->seq, 1, __ATOMIC_ACQ_REL);
}

static void slots_forget(struct smmuv3 *smmu, uint32_t sid)
{
	__atomic_fetch_add(&smmu->versions[sid], 1, __ATOMIC_ACQ_REL);
}

/* ---- Streams: all under @config_lock ---- */

static void cached_clear(struct smmuv3_cached *cached, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		cached[i].index = SLOT_EMPTY;
}

static struct smmuv3_stream *stream_get(struct smmuv3 *smmu, uint32_t sid)
{
	struct smmuv3_stream *stream = smmu->streams[sid];
	uint32_t slots = 1u << (smmu->config.ssid_bits < 10 ? smmu->config.ssid_bits : 10);

	if (stream)
		return stream;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	stream->sid = sid;
	stream->cd_mask = slots - 1;
	stream->cds = calloc(slots, sizeof(*stream->cds));
	stream->l1cds = calloc(slots, sizeof(*stream->l1cds));
	if (!stream->cds || !stream->l1cds) {
		free(stream->cds);
		free(stream->l1cds);
		free(stream);
		return NULL;
	}
	cached_clear(stream->cds, slots);
	cached_clear(stream->l1cds, slots);
	stream->next = smmu->stream_list;
	smmu->stream_list = stream;
	smmu->streams[sid] = stream;
	return stream;
}

static bool may_cache(const struct smmuv3 *smmu)
{
	return reg_get(smmu->cr0) & SMMU_CR0_SMMUEN;
}

/* A draw of the freedom to forget */
static bool evicted(struct smmuv3 *smmu)
{
	return freedom_take(&smmu->iommu.freedom, smmu->iommu.freedom.evict);
}

static bool fetch(struct smmuv3_walk *walk, uint64_t pa, uint64_t *words, unsigned int count)
{
	walk->reads += count;
	for (unsigned int i = 0; i < count; i++)
		if (hw_read64(walk->smmu->iommu.mem, pa + i * 8, &words[i]))
			return false;
	return true;
}

/* ---- Stream table, 3.3.1, 3.3.2 ---- */

static int bad_streamid(struct smmuv3_walk *walk)
{
	bool record = reg_get(walk->smmu->cr2) & SMMU_CR2_RECINVSID;

	smmuv3_walk_fails(walk, record ? EVENT_C_BAD_STREAMID : 0, false, 0, 0);
	return -1;
}

static int l1std_get(struct smmuv3_walk *walk, uint32_t index, uint64_t base, uint64_t *l1std)
{
	struct smmuv3 *smmu = walk->smmu;
	struct smmuv3_cached *cached = &smmu->l1stds[index % 1024];

	if (cached->index == index && !evicted(smmu)) {
		*l1std = cached->words[0];
		return 0;
	}
	if (!fetch(walk, base + index * 8, l1std, 1)) {
		smmuv3_walk_fails(walk, EVENT_F_STE_FETCH, false, 0, base + index * 8);
		return -1;
	}
	if (may_cache(smmu)) {
		cached->index = index;
		cached->words[0] = *l1std;
	}
	return 0;
}

static int ste_addr(struct smmuv3_walk *walk, uint32_t sid, uint64_t *addr)
{
	struct smmuv3 *smmu = walk->smmu;
	uint32_t cfg = reg_get(smmu->strtab_cfg);
	unsigned int log2size = smmu_get(SMMU_STRTAB_CFG_LOG2SIZE, cfg);
	unsigned int split = smmu_get(SMMU_STRTAB_CFG_SPLIT, cfg), span, align;
	uint64_t base = reg_get(smmu->strtab_base) & SMMU_STRTAB_BASE_ADDR, l1std;

	if (log2size < 32 && sid >> log2size)
		return bad_streamid(walk);
	if (smmu_get(SMMU_STRTAB_CFG_FMT, cfg) != SMMU_STRTAB_2LEVEL || !smmu->config.two_level) {
		*addr = (base & ~((64ull << log2size) - 1)) + sid * 64ull;
		return 0;
	}
	align = log2size > split ? log2size - split : 0;
	base &= ~((8ull << align) - 1);
	if (l1std_get(walk, sid >> split, base, &l1std))
		return -1;
	span = smmu_get(SMMU_L1STD_SPAN, l1std);
	if (!span || span > 11 || span > split + 1 ||
	    (sid & ((1u << split) - 1)) >> (span - 1))
		return bad_streamid(walk);
	*addr = (l1std & SMMU_L1STD_L2PTR & ~((64ull << (span - 1)) - 1)) +
		(sid & ((1u << split) - 1)) * 64ull;
	return 0;
}

static int ste_get(struct smmuv3_walk *walk, uint32_t sid, struct smmuv3_stream **out,
		   uint64_t ste[SMMU_STE_WORDS], bool *atschk)
{
	struct smmuv3 *smmu = walk->smmu;
	struct smmuv3_stream *stream = stream_get(smmu, sid);
	uint64_t addr;

	*out = stream;
	if (stream && stream->ste_cached && !evicted(smmu)) {
		memcpy(ste, stream->ste, SMMU_STE_SIZE);
		*atschk = stream->atschk;
		return 0;
	}
	*atschk = reg_get(smmu->cr0) & SMMU_CR0_ATSCHK;
	if (ste_addr(walk, sid, &addr))
		return -1;
	if (!fetch(walk, addr, ste, SMMU_STE_WORDS)) {
		smmuv3_walk_fails(walk, EVENT_F_STE_FETCH, false, 0, addr);
		return -1;
	}
	if (stream && may_cache(smmu)) {
		memcpy(stream->ste, ste, SMMU_STE_SIZE);
		stream->atschk = *atschk;
		stream->ste_cached = true;
	}
	return 0;
}

/* ---- Validity, 5.2.2 and 5.4.2 ---- */

static const uint8_t tg0_shift[4] = { 12, 16, 14, 0 };
static const uint8_t tg1_shift[4] = { 0, 14, 12, 16 };

static uint8_t command_tg(unsigned int page_shift)
{
	return page_shift == 12 ? CMD_TLBI_TG_4K :
	       page_shift == 14 ? CMD_TLBI_TG_16K : CMD_TLBI_TG_64K;
}

static bool granule_supported(const struct smmuv3 *smmu, unsigned int page_shift)
{
	return (page_shift == 12 && smmu->config.granules & SMMUV3_4K) ||
	       (page_shift == 14 && smmu->config.granules & SMMUV3_16K) ||
	       (page_shift == 16 && smmu->config.granules & SMMUV3_64K);
}

static unsigned int out_bits(const struct smmuv3 *smmu, unsigned int encoded, bool wide)
{
	unsigned int bits = smmu_address_bits[encoded], oas = smmu_address_bits[smmu->config.oas];

	if (bits > oas)
		bits = oas;
	return bits > 48 && !wide ? 48 : bits;
}

static bool decode_s2(struct smmuv3 *smmu, const uint64_t *ste, struct smmuv3_context *context)
{
	struct smmuv3_half *half = &context->s2_half;
	unsigned int sl0 = smmu_get(STE2_S2SL0, ste[2]), stride, size, most;
	int top;

	half->page_shift = tg0_shift[smmu_get(STE2_S2TG, ste[2])];
	half->bits = 64 - smmu_get(STE2_S2T0SZ, ste[2]);
	if (!(ste[2] & STE2_S2AA64) || ste[2] & STE2_S2ENDI ||
	    !granule_supported(smmu, half->page_shift))
		return false;
	half->wide = half->page_shift == 16 ? smmu->config.oas >= 6 :
		     smmu->config.ds && ste[3] & STE3_S2DS;
	half->out_bits = out_bits(smmu, smmu_get(STE2_S2PS, ste[2]), half->wide);
	half->tg = command_tg(half->page_shift);
	most = half->wide ? 52 : 48;
	if (most > smmu_address_bits[smmu->config.oas])
		most = smmu_address_bits[smmu->config.oas];
	if (half->bits < 25 || half->bits > most)
		return false;
	if (half->page_shift == 12)
		half->level = half->wide && ste[3] & STE3_S2SL0_2 ? -1 : 2 - (int)sl0;
	else
		half->level = 3 - (int)sl0;
	if (half->page_shift == 12 && sl0 == 3)
		return false;
	/* As many index bits at the first level as one table has, or 4 more: 16 tables in a row. */
	stride = half->page_shift - 3;
	size = half->page_shift + stride * (3 - half->level);
	top = half->bits - size;
	if (top < 1 || top > (int)stride + 4)
		return false;
	half->table = ste[3] & STE3_S2TTB;
	half->table &= ~((8ull << top) - 1);
	context->s2 = (struct smmuv3_stage){
		.on = true, .stall = ste[2] & STE2_S2S, .record = ste[2] & STE2_S2R,
		.ignore_access = ste[2] & STE2_S2AFFD, .set_access = ste[2] & STE2_S2HA,
		.set_dirty = ste[2] & STE2_S2HA && ste[2] & STE2_S2HD,
	};
	context->s2_protect_walk = ste[2] & STE2_S2PTW;
	if (((ste[2] & (STE2_S2HA | STE2_S2HD)) && !smmu->config.httu) ||
	    (ste[2] & STE2_S2HD && smmu->config.httu < SMMU_HTTU_DIRTY))
		return false;
	if (context->s2.stall ? smmu->config.stall_model == SMMU_STALL_NEVER :
				smmu->config.stall_model == SMMU_STALL_ALWAYS)
		return false;
	return !(half->table >> half->out_bits);
}

/* STRW counts only for stage 1 alone (5.2.2 IgnoreSTESTRW). */
static bool strw_used(const struct smmuv3 *smmu, unsigned int config)
{
	return smmu->config.s1p && smmu->config.hyp && config == STE_CONFIG_S1;
}

static bool ste_legal(struct smmuv3 *smmu, const uint64_t *ste, struct smmuv3_context *context)
{
	unsigned int config = smmu_get(STE0_CONFIG, ste[0]);
	unsigned int eats = smmu_get(STE1_EATS, ste[1]), cdmax = smmu_get(STE0_S1CDMAX, ste[0]);
	bool s1 = config & 1, s2 = config & 2;

	if (!(config & 4))
		return true;
	if ((s1 && !smmu->config.s1p) || (s2 && !smmu->config.s2p))
		return false;
	if (smmu->config.ats && config != STE_CONFIG_BYPASS) {
		if (eats == STE_EATS_SPLIT && (config != STE_CONFIG_NESTED ||
					       ste[2] & STE2_S2S || !smmu->config.split_ats))
			return false;
		if (eats == STE_EATS_FULL && ste[2] & STE2_S2S && s2)
			return false;
	}
	if (strw_used(smmu, config) && ste[1] & SMMU_BIT(30))
		return false;
	if (s1) {
		if (ste[1] & STE1_S1STALLD && smmu->config.stall_model != SMMU_STALL_BOTH)
			return false;
		if (smmu->config.ssid_bits && cdmax > smmu->config.ssid_bits)
			return false;
		if (smmu->config.ssid_bits && cdmax && !smmu->config.cd_two_level &&
		    (smmu_get(STE0_S1FMT, ste[0]) == STE_S1FMT_4K ||
		     smmu_get(STE0_S1FMT, ste[0]) == STE_S1FMT_64K))
			return false;
		if ((ste[0] & STE0_S1CONTEXTPTR) >> smmu_address_bits[smmu->config.oas])
			return false;
	}
	if (!smmu->config.vmid16 && smmu_get(STE2_S2VMID, ste[2]) >> 8 &&
	    smmu->config.s2p && config != STE_CONFIG_BYPASS)
		return false;
	return !s2 || decode_s2(smmu, ste, context);
}

static bool decode_half(struct smmuv3 *smmu, const struct smmuv3_context *context,
			struct smmuv3_half *half, unsigned int txsz, unsigned int ips, bool ds,
			uint64_t ttb)
{
	unsigned int stride, most;

	if (half->disabled)
		return true;
	if (!granule_supported(smmu, half->page_shift))
		return false;
	ds = ds && smmu->config.ds && half->page_shift != 16;
	half->wide = half->page_shift == 16 ? smmu->config.oas >= 6 : ds;
	half->tg = command_tg(half->page_shift);
	half->bits = 64 - txsz;
	most = ds || (half->page_shift == 16 && smmu->config.vax) ? 52 : 48;
	if (half->bits < 25 || half->bits > most)
		return false;
	half->out_bits = out_bits(smmu, ips, half->wide);
	stride = half->page_shift - 3;
	half->level = 4 - (int)((half->bits - half->page_shift + stride - 1) / stride);
	half->table = ttb & ~((8ull << (half->bits - half->page_shift -
					stride * (3 - half->level))) - 1);
	return !(half->table >> half->out_bits);
}

static bool cd_legal(struct smmuv3 *smmu, const uint64_t *ste, const uint64_t *cd,
		     struct smmuv3_context *context)
{
	unsigned int ips = smmu_get(CD0_IPS, cd[0]);
	struct smmuv3_half *half = context->s1_half;
	bool one_range = context_domain(context) == DOMAIN_EL2;

	if (!(cd[0] & CD0_V) || !(cd[0] & CD0_AA64) || !(cd[0] & CD0_A) || cd[0] & CD0_ENDI)
		return false;
	if (ste[1] & STE1_S1STALLD && cd[0] & CD0_S)
		return false;
	if (cd[0] & CD0_S ? smmu->config.stall_model == SMMU_STALL_NEVER :
			    smmu->config.stall_model == SMMU_STALL_ALWAYS)
		return false;
	if ((cd[0] & (CD0_HA | CD0_HD) && !smmu->config.httu) ||
	    (cd[0] & CD0_HD && smmu->config.httu < SMMU_HTTU_DIRTY))
		return false;
	if (!smmu->config.asid16 && smmu_get(CD0_ASID, cd[0]) >> 8 && !one_range)
		return false;
	half[0].disabled = cd[0] & CD0_EPD0;
	half[0].page_shift = tg0_shift[smmu_get(CD0_TG0, cd[0])];
	half[0].tbi = cd[0] & CD0_TBI0;
	half[0].no_hierarchy = cd[1] & CD1_HAD0;
	half[1].disabled = cd[0] & CD0_EPD1 || one_range;
	half[1].page_shift = tg1_shift[smmu_get(CD0_TG1, cd[0])];
	half[1].tbi = cd[0] & CD0_TBI1;
	half[1].no_hierarchy = cd[2] & CD2_HAD1;
	if (!decode_half(smmu, context, &half[0], smmu_get(CD0_T0SZ, cd[0]), ips,
			 cd[2] & CD2_DS, cd[1] & CD1_TTB0) ||
	    !decode_half(smmu, context, &half[1], smmu_get(CD0_T1SZ, cd[0]), ips,
			 cd[2] & CD2_DS, cd[2] & CD2_TTB1))
		return false;
	context->s1 = (struct smmuv3_stage){
		.on = true, .stall = cd[0] & CD0_S, .record = cd[0] & CD0_R,
		.ignore_access = cd[0] & CD0_AFFD, .set_access = cd[0] & CD0_HA,
		.set_dirty = cd[0] & CD0_HA && cd[0] & CD0_HD,
	};
	context->wxn = cd[0] & CD0_WXN;
	context->tags |= one_range ? 0 : smmu_get(CD0_ASID, cd[0]) << 32;
	context->flags |= CONTEXT_S1 | (half[0].tbi ? CONTEXT_TBI0 : 0) |
			  (half[1].tbi ? CONTEXT_TBI1 : 0) | (cd[0] & CD0_ASET ? CONTEXT_ASET : 0);
	return true;
}

/* ---- Context descriptors, 3.3.3 ---- */

/* The CD table of a nested stream is in IPA space. */
static int cd_pa(struct smmuv3_walk *walk, uint64_t ipa, uint64_t *pa)
{
	struct smmuv3_result result;

	*pa = ipa;
	if (!walk->context.s2.on)
		return 0;
	if (smmuv3_walk_s2(walk, ipa, HW_READ, EVENT_CLASS_CD, &result))
		return -1;
	*pa = result.out;
	return 0;
}

/* Level-2 tables come in two sizes; what was cached for one does not serve the other. */
static uint32_t l1cd_key(uint32_t index, unsigned int bits)
{
	return bits << 24 | index;
}

static int l1cd_get(struct smmuv3_walk *walk, struct smmuv3_stream *stream, uint64_t table,
		    uint32_t index, unsigned int bits, uint64_t *l1cd)
{
	struct smmuv3_cached *cached = stream ? &stream->l1cds[index & stream->cd_mask] : NULL;
	uint64_t pa;

	if (cached && cached->index == l1cd_key(index, bits) && !evicted(walk->smmu)) {
		*l1cd = cached->words[0];
		return 0;
	}
	if (cd_pa(walk, table + index * 8, &pa))
		return -1;
	if (!fetch(walk, pa, l1cd, 1)) {
		smmuv3_walk_fails(walk, EVENT_F_CD_FETCH, false, 0, pa);
		return -1;
	}
	if (cached && may_cache(walk->smmu)) {
		cached->index = l1cd_key(index, bits);
		cached->words[0] = *l1cd;
	}
	return 0;
}

static int cd_addr(struct smmuv3_walk *walk, struct smmuv3_stream *stream, const uint64_t *ste,
		   uint32_t ssid, uint64_t *addr)
{
	uint64_t table = ste[0] & STE0_S1CONTEXTPTR, l1cd;
	unsigned int format = smmu_get(STE0_S1FMT, ste[0]);
	unsigned int bits = format == STE_S1FMT_4K ? 6 : 10;

	if (!walk->smmu->config.ssid_bits || !smmu_get(STE0_S1CDMAX, ste[0]) ||
	    (format != STE_S1FMT_4K && format != STE_S1FMT_64K)) {
		*addr = table + ssid * 64ull;
		return 0;
	}
	if (l1cd_get(walk, stream, table, ssid >> bits, bits, &l1cd))
		return -1;
	if (!(l1cd & SMMU_L1CD_V)) {
		smmuv3_walk_fails(walk, EVENT_C_BAD_SUBSTREAMID, false, 0, 0);
		return -1;
	}
	*addr = (l1cd & SMMU_L1CD_L2PTR) + (ssid & ((1u << bits) - 1)) * 64ull;
	return 0;
}

static int cd_get(struct smmuv3_walk *walk, struct smmuv3_stream *stream, const uint64_t *ste,
		  uint32_t ssid, uint64_t cd[SMMU_CD_WORDS])
{
	struct smmuv3_cached *cached = stream ? &stream->cds[ssid & stream->cd_mask] : NULL;
	uint64_t addr, pa;

	if (cached && cached->index == ssid && !evicted(walk->smmu)) {
		memcpy(cd, cached->words, SMMU_CD_SIZE);
		return 0;
	}
	if (cd_addr(walk, stream, ste, ssid, &addr) || cd_pa(walk, addr, &pa))
		return -1;
	if (!fetch(walk, pa, cd, SMMU_CD_WORDS)) {
		smmuv3_walk_fails(walk, EVENT_F_CD_FETCH, false, 0, pa);
		return -1;
	}
	if (cached && may_cache(walk->smmu)) {
		cached->index = ssid;
		memcpy(cached->words, cd, SMMU_CD_SIZE);
	}
	return 0;
}

/* ---- A request's context ---- */

static uint32_t stream_domain(struct smmuv3 *smmu, const uint64_t *ste, unsigned int config)
{
	if (strw_used(smmu, config) && smmu_get(STE1_STRW, ste[1]) == STE_STRW_EL2)
		return reg_get(smmu->cr2) & SMMU_CR2_E2H ? DOMAIN_EL2_E2H : DOMAIN_EL2;
	return smmu->config.s2p ? smmu_get(STE2_S2VMID, ste[2]) : 0;
}

static int substream(struct smmuv3_walk *walk, const struct hw_request *request,
		     const uint64_t *ste, bool *skip_s1, uint32_t *ssid)
{
	unsigned int cdmax = walk->smmu->config.ssid_bits ? smmu_get(STE0_S1CDMAX, ste[0]) : 0;
	unsigned int dss = smmu_get(STE1_S1DSS, ste[1]);

	*ssid = request->has_pasid ? request->pasid : 0;
	*skip_s1 = !(walk->context.ste_config & 1);
	if (request->has_pasid && (*skip_s1 || !cdmax || request->pasid >> cdmax)) {
		smmuv3_walk_fails(walk, EVENT_C_BAD_SUBSTREAMID, false, 0, 0);
		return -1;
	}
	if (*skip_s1 || !cdmax)
		return 0;
	if (!request->has_pasid && dss == STE_S1DSS_BYPASS) {
		*skip_s1 = true;
		return 0;
	}
	if (request->has_pasid ? !request->pasid && dss == STE_S1DSS_SSID0 :
				 dss != STE_S1DSS_SSID0) {
		smmuv3_walk_fails(walk, EVENT_F_STREAM_DISABLED, false, 0, 0);
		return -1;
	}
	return 0;
}

static int lookup_locked(struct smmuv3_walk *walk, const struct hw_request *request,
			 enum smmuv3_lookup lookup, uint64_t key)
{
	struct smmuv3 *smmu = walk->smmu;
	struct smmuv3_context *context = &walk->context;
	struct smmuv3_stream *stream;
	uint64_t ste[SMMU_STE_WORDS], cd[SMMU_CD_WORDS];
	bool atschk, skip_s1;
	uint32_t ssid;

	memset(context, 0, sizeof(*context));
	if (ste_get(walk, request->rid, &stream, ste, &atschk))
		return -1;
	if (!(ste[0] & STE0_V) || !ste_legal(smmu, ste, context)) {
		smmuv3_walk_fails(walk, EVENT_C_BAD_STE, false, 0, 0);
		return -1;
	}
	context->ste_config = smmu_get(STE0_CONFIG, ste[0]);
	context->tags = stream_domain(smmu, ste, context->ste_config);
	context->flags = (ste[1] & STE1_MEV ? CONTEXT_MERGE : 0) |
			 (ste[1] & STE1_PPAR ? CONTEXT_PPAR : 0) |
			 (context->s2.on ? CONTEXT_S2 : 0) |
			 smmu_put(CONTEXT_PRIV, smmu_get(STE1_PRIVCFG, ste[1])) |
			 smmu_put(CONTEXT_INST, smmu_get(STE1_INSTCFG, ste[1]));
	context->eats = smmu->config.ats && context->ste_config > STE_CONFIG_BYPASS ?
			smmu_get(STE1_EATS, ste[1]) : STE_EATS_NONE;
	if (context->eats == 3 || (context->eats == STE_EATS_SPLIT && !atschk))
		context->eats = STE_EATS_NONE;
	if (!(context->ste_config & 4) || lookup == LOOKUP_STE_ONLY) {
		slot_write(smmu, key, request->rid, context);
		return 0;
	}
	if (substream(walk, request, ste, &skip_s1, &ssid))
		return -1;
	context->ssid = ssid;
	if (!skip_s1) {
		if (cd_get(walk, stream, ste, ssid, cd))
			return -1;
		if (!cd_legal(smmu, ste, cd, context)) {
			smmuv3_walk_fails(walk, EVENT_C_BAD_CD, false, 0, 0);
			return -1;
		}
	}
	if (may_cache(smmu))
		slot_write(smmu, key, request->rid, context);
	return 0;
}

int smmuv3_config_lookup(struct smmuv3_walk *walk, const struct hw_request *request,
			 enum smmuv3_lookup lookup)
{
	struct smmuv3 *smmu = walk->smmu;
	uint64_t key = smmuv3_key(request->rid, request->has_pasid, request->pasid, lookup);
	int result;

	if (request->rid >> smmu->config.sid_bits) {
		memset(&walk->context, 0, sizeof(walk->context));
		return bad_streamid(walk);
	}
	if (request->has_pasid && request->pasid >> 20) {
		memset(&walk->context, 0, sizeof(walk->context));
		smmuv3_walk_fails(walk, EVENT_C_BAD_SUBSTREAMID, false, 0, 0);
		return -1;
	}
	if (!smmu->iommu.freedom.evict && slot_read(smmu, key, request->rid, &walk->context))
		return 0;
	pthread_mutex_lock(&smmu->config_lock);
	result = lookup_locked(walk, request, lookup, key);
	pthread_mutex_unlock(&smmu->config_lock);
	return result;
}

/* ---- Invalidation, 4.3 ---- */

static void count_removed(struct smmuv3 *smmu, bool removed)
{
	if (removed)
		hw_count_alone(smmu->iommu.counts.removed, 1);
}

static void forget_slot(struct smmuv3 *smmu, struct smmuv3_cached *cached, uint32_t index)
{
	if (cached->index != index)
		return;
	cached->index = SLOT_EMPTY;
	count_removed(smmu, true);
}

static void forget_cds_locked(struct smmuv3 *smmu, struct smmuv3_stream *stream)
{
	for (uint32_t i = 0; i <= stream->cd_mask; i++) {
		count_removed(smmu, stream->cds[i].index != SLOT_EMPTY);
		count_removed(smmu, stream->l1cds[i].index != SLOT_EMPTY);
	}
	cached_clear(stream->cds, stream->cd_mask + 1);
	if (!FAULT("smmuv3.cfgi-cd-all-keeps-l1cd", "CMD_CFGI_CD_ALL forgets level-1 descriptors"))
		cached_clear(stream->l1cds, stream->cd_mask + 1);
}

static unsigned int strtab_split(const struct smmuv3 *smmu)
{
	return smmu_get(SMMU_STRTAB_CFG_SPLIT, smmu->strtab_cfg);
}

/** smmuv3_config_forget_ste() - STEs with @sid in all bits of @mask, with their CDs (4.3.1) */
void smmuv3_config_forget_ste(struct smmuv3 *smmu, uint32_t sid, uint32_t mask, bool leaf)
{
	uint32_t split_mask = mask >> strtab_split(smmu);

	pthread_mutex_lock(&smmu->config_lock);
	for (struct smmuv3_stream *stream = smmu->stream_list; stream; stream = stream->next) {
		if ((stream->sid ^ sid) & mask)
			continue;
		count_removed(smmu, stream->ste_cached);
		stream->ste_cached = false;
		if (!FAULT("smmuv3.cfgi-ste-keeps-cds", "CMD_CFGI_STE leaves the stream's CDs"))
			forget_cds_locked(smmu, stream);
		slots_forget(smmu, stream->sid);
	}
	for (unsigned int i = 0; !leaf && i < 1024; i++)
		if (smmu->l1stds[i].index != SLOT_EMPTY &&
		    !((smmu->l1stds[i].index ^ sid >> strtab_split(smmu)) & split_mask))
			forget_slot(smmu, &smmu->l1stds[i], smmu->l1stds[i].index);
	pthread_mutex_unlock(&smmu->config_lock);
}

/** smmuv3_config_forget_cd() - One CD of a StreamID; unless @leaf, what led to it too (4.3.3) */
void smmuv3_config_forget_cd(struct smmuv3 *smmu, uint32_t sid, uint32_t ssid, bool leaf)
{
	struct smmuv3_stream *stream;

	pthread_mutex_lock(&smmu->config_lock);
	stream = smmu->streams[sid];
	if (stream) {
		forget_slot(smmu, &stream->cds[ssid & stream->cd_mask], ssid);
		for (unsigned int bits = 6; !leaf && bits <= 10; bits += 4)
			forget_slot(smmu, &stream->l1cds[ssid >> bits & stream->cd_mask],
				    l1cd_key(ssid >> bits, bits));
		slots_forget(smmu, sid);
	}
	pthread_mutex_unlock(&smmu->config_lock);
}

/** smmuv3_config_forget_cds() - All CDs of a StreamID (4.3.4) */
void smmuv3_config_forget_cds(struct smmuv3 *smmu, uint32_t sid)
{
	pthread_mutex_lock(&smmu->config_lock);
	if (smmu->streams[sid]) {
		forget_cds_locked(smmu, smmu->streams[sid]);
		slots_forget(smmu, sid);
	}
	pthread_mutex_unlock(&smmu->config_lock);
}

/** smmuv3_config_reset() - Forget all, free the streams */
void smmuv3_config_reset(struct smmuv3 *smmu)
{
	struct smmuv3_stream *stream, *next;

	pthread_mutex_lock(&smmu->config_lock);
	for (stream = smmu->stream_list; stream; stream = next) {
		next = stream->next;
		slots_forget(smmu, stream->sid);
		smmu->streams[stream->sid] = NULL;
		free(stream->cds);
		free(stream->l1cds);
		free(stream);
	}
	smmu->stream_list = NULL;
	cached_clear(smmu->l1stds, 1024);
	pthread_mutex_unlock(&smmu->config_lock);
}
