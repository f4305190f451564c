// SPDX-License-Identifier: GPL-2.0-only
/* Registers, 11.4: a table of what software may write, and what then happens. */
#include "vtd_internal.h"

#define BITS32 0xffffffffull

/**
 * struct vtd_register
 * @rw: bits that keep what is written; @w1c: bits that a written 1 clears
 * @written: called under the lock, after the write
 * @fault: changes at any moment by what devices do: under the fault lock
 */
struct vtd_register {
	uint16_t offset;
	uint8_t size;
	bool fault;
	uint64_t rw;
	uint64_t w1c;
	void (*written)(struct vtd *vtd, uint64_t value);
};

/* ---- Interrupts: control, data, address and upper address in a row ---- */

void vtd_event(struct vtd *vtd, unsigned int control)
{
	uint32_t value = vtd_get32(vtd, control);

	if (value & VTD_ECTL_IM) {
		vtd_set32(vtd, control, value | VTD_ECTL_IP);
		return;
	}
	vtd_set32(vtd, control, value & ~(uint32_t)VTD_ECTL_IP);
	if (control == VTD_FECTL_REG && FAULT("vtd.fault-event-lost", "Faults raise no event"))
		return;
	if (control == VTD_PECTL_REG &&
	    FAULT("vtd.page-event-lost", "Page requests raise no event"))
		return;
	hw_msi(vtd->iommu.mem,
	       vtd_get32(vtd, control + 8) | (uint64_t)vtd_get32(vtd, control + 12) << 32,
	       vtd_get32(vtd, control + 4));
}

/* Unmasking delivers what is pending, clearing the cause forgets it (11.4.7.2). */
static void event_control(struct vtd *vtd, unsigned int control, bool cause)
{
	uint32_t value = vtd_get32(vtd, control);

	if (!cause)
		vtd_set32(vtd, control, value & ~(uint32_t)VTD_ECTL_IP);
	else if (value & VTD_ECTL_IP && !(value & VTD_ECTL_IM))
		vtd_event(vtd, control);
}

static void fault_event(struct vtd *vtd, uint64_t value)
{
	pthread_mutex_lock(&vtd->fault_lock);
	event_control(vtd, VTD_FECTL_REG, vtd_get32(vtd, VTD_FSTS_REG) & 0xff);
	pthread_mutex_unlock(&vtd->fault_lock);
}

static void page_event(struct vtd *vtd, uint64_t value)
{
	pthread_mutex_lock(&vtd->fault_lock);
	event_control(vtd, VTD_PECTL_REG, vtd_get32(vtd, VTD_PRS_REG) & 3);
	pthread_mutex_unlock(&vtd->fault_lock);
}

static void wait_event(struct vtd *vtd, uint64_t value)
{
	event_control(vtd, VTD_IECTL_REG, vtd_get32(vtd, VTD_ICS_REG) & VTD_ICS_IWC);
}

/* ---- What writes do ---- */

static void set_root(struct vtd *vtd)
{
	uint64_t root = vtd_get64(vtd, VTD_RTADDR_REG);

	if (atomic_load(&vtd->root) && FAULT("vtd.root-set-once", "A second root table is ignored"))
		return;
	vtd_trace(vtd, "set root table %#llx ttm %llu", root & VTD_ADDR_4K,
		  VTD_GET(VTD_RTADDR_TTM, root));
	atomic_store(&vtd->root, root);
	atomic_fetch_add(&vtd->epoch, 1);
	vtd_set32(vtd, VTD_GSTS_REG, vtd_get32(vtd, VTD_GSTS_REG) | VTD_GCMD_SRTP);
}

static void enable_translation(struct vtd *vtd, bool on)
{
	vtd_trace(vtd, "translation enable %llu", on);
	atomic_store(&vtd->translating, on);
}

/* 11.4.4.1: one-shot bits act when written; TE, QIE and IRE are levels. */
static void global_command(struct vtd *vtd, uint64_t value)
{
	const uint32_t levels = VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_IRE | VTD_GCMD_CFI;
	uint32_t status = vtd_get32(vtd, VTD_GSTS_REG);

	if (!vtd->config.queue)
		value &= ~VTD_GCMD_QIE;
	if (value & VTD_GCMD_SRTP)
		set_root(vtd);
	if (value & VTD_GCMD_SIRTP)
		status |= VTD_GCMD_SIRTP;
	status |= vtd_get32(vtd, VTD_GSTS_REG) & VTD_GCMD_SRTP;
	status = (status & ~levels) | (value & levels);
	if ((status ^ vtd_get32(vtd, VTD_GSTS_REG)) & VTD_GCMD_TE)
		enable_translation(vtd, status & VTD_GCMD_TE);
	if ((status ^ vtd_get32(vtd, VTD_GSTS_REG)) & VTD_GCMD_QIE)
		vtd_queue_enable(vtd, status & VTD_GCMD_QIE);
	vtd_set32(vtd, VTD_GSTS_REG, status);
	vtd_set32(vtd, VTD_GCMD_REG, 0);
}

/* 6.5.1: register-based invalidation is for legacy mode without the queue. */
static bool registers_serve(struct vtd *vtd)
{
	return !vtd->queue_on && vtd_ttm(vtd) == VTD_TTM_LEGACY;
}

static void context_command(struct vtd *vtd, uint64_t value)
{
	uint64_t command = vtd_get64(vtd, VTD_CCMD_REG);
	unsigned int granularity = VTD_GET(VTD_CCMD_CIRG, command);
	uint64_t d[4];

	if (!(command & VTD_CCMD_ICC))
		return;
	if (!registers_serve(vtd))
		granularity = 0;
	if (granularity) {
		vtd_inv_context(d, granularity, VTD_GET(VTD_CCMD_DID, command),
				VTD_GET(VTD_CCMD_SID, command), VTD_GET(VTD_CCMD_FM, command));
		vtd_invalidate(vtd, d[0], d[1]);
	}
	command &= ~(VTD_CCMD_ICC | VTD_CCMD_CAIG);
	vtd_set64(vtd, VTD_CCMD_REG, command | VTD_PUT(VTD_CCMD_CAIG, granularity));
}

void vtd_registers_step(struct vtd *vtd)
{
	uint64_t command = vtd_get64(vtd, VTD_IOTLB_OFFSET);

	if (!vtd->iotlb_busy ||
	    !(inflight_drained(vtd->iommu.inflight, &vtd->iotlb_snapshot) ||
	      FAULT("vtd.register-no-drain", "IVT clears before requests in flight are drained")))
		return;
	vtd->iotlb_busy = false;
	vtd_trace(vtd, "iotlb register done");
	vtd_set64(vtd, VTD_IOTLB_OFFSET, command & ~VTD_IOTLB_IVT);
}

static void iotlb_command(struct vtd *vtd, uint64_t value)
{
	uint64_t command = vtd_get64(vtd, VTD_IOTLB_OFFSET), iva = vtd_get64(vtd, VTD_IVA_OFFSET);
	unsigned int granularity = VTD_GET(VTD_IOTLB_IIRG, command);
	uint64_t d[4];

	if (!(command & VTD_IOTLB_IVT) || vtd->iotlb_busy)
		return;
	if (!registers_serve(vtd) ||
	    (granularity == VTD_PAGE && VTD_GET(VTD_IVA_AM, iva) > vtd->config.mamv &&
	     !FAULT("vtd.register-mamv-ignored", "IVA_REG takes masks beyond MAMV")))
		granularity = 0;
	if (granularity) {
		vtd_inv_iotlb(d, granularity, VTD_GET(VTD_IOTLB_DID, command), iva,
			      VTD_GET(VTD_IVA_AM, iva), iva & VTD_IVA_IH);
		vtd_invalidate(vtd, d[0], d[1]);
	}
	vtd->iotlb_snapshot.used = 0;
	if (command & (VTD_IOTLB_DR | VTD_IOTLB_DW))
		inflight_take(vtd->iommu.inflight, INFLIGHT_UNTRANSLATED, &vtd->iotlb_snapshot);
	command &= ~VTD_IOTLB_IAIG;
	vtd_set64(vtd, VTD_IOTLB_OFFSET, command | VTD_PUT(VTD_IOTLB_IAIG, granularity));
	vtd->iotlb_busy = true;
	vtd_registers_step(vtd);
}

/* IQE and ITE hold the queue up until software clears them (6.5.2.10, 6.5.2.11). */
static void fault_status(struct vtd *vtd, uint64_t value)
{
	fault_event(vtd, value);
	if (vtd_get32(vtd, VTD_FSTS_REG) & (VTD_FSTS_IQE | VTD_FSTS_ITE))
		return;
	vtd->stopped = false;
	vtd_queue_tail(vtd);
}

static void fault_record(struct vtd *vtd, uint64_t value)
{
	pthread_mutex_lock(&vtd->fault_lock);
	vtd_fault_cleared(vtd);
	pthread_mutex_unlock(&vtd->fault_lock);
	fault_event(vtd, value);
}

static void queue_tail(struct vtd *vtd, uint64_t value)
{
	vtd_queue_tail(vtd);
}

static const struct vtd_register registers[] = {
	{ VTD_VER_REG, 4 },
	{ VTD_CAP_REG, 8 },
	{ VTD_ECAP_REG, 8 },
	{ VTD_GCMD_REG, 4, .rw = BITS32, .written = global_command },
	{ VTD_GSTS_REG, 4 },
	{ VTD_RTADDR_REG, 8, .rw = VTD_ADDR_4K | VTD_RTADDR_TTM },
	{ VTD_CCMD_REG, 8, .rw = ~VTD_CCMD_CAIG, .written = context_command },
	{ VTD_FSTS_REG, 4, true, .w1c = VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE,
	  .written = fault_status },
	{ VTD_FECTL_REG, 4, true, .rw = VTD_ECTL_IM, .written = fault_event },
	{ VTD_FEDATA_REG, 4, true, .rw = BITS32 },
	{ VTD_FEADDR_REG, 4, true, .rw = BITS32 },
	{ VTD_FEUADDR_REG, 4, true, .rw = BITS32 },
	{ VTD_IQH_REG, 8 },
	{ VTD_IQT_REG, 8, .rw = VTD_IQ_OFFSET, .written = queue_tail },
	{ VTD_IQA_REG, 8, .rw = VTD_ADDR_4K | VTD_IQA_QS | VTD_IQA_DW },
	{ VTD_ICS_REG, 4, .w1c = VTD_ICS_IWC, .written = wait_event },
	{ VTD_IECTL_REG, 4, .rw = VTD_ECTL_IM, .written = wait_event },
	{ VTD_IEDATA_REG, 4, .rw = BITS32 },
	{ VTD_IEADDR_REG, 4, .rw = BITS32 },
	{ VTD_IEUADDR_REG, 4, .rw = BITS32 },
	{ VTD_IQERCD_REG, 8 },
	{ VTD_IRTA_REG, 8, .rw = ~0ull },
	{ VTD_PQH_REG, 8, true, .rw = VTD_PQ_OFFSET },
	{ VTD_PQT_REG, 8, true, .rw = VTD_PQ_OFFSET },
	{ VTD_PQA_REG, 8, true, .rw = VTD_ADDR_4K | VTD_PQA_PQS },
	{ VTD_PRS_REG, 4, true, .w1c = VTD_PRS_PPR | VTD_PRS_PRO, .written = page_event },
	{ VTD_PECTL_REG, 4, true, .rw = VTD_ECTL_IM, .written = page_event },
	{ VTD_PEDATA_REG, 4, true, .rw = BITS32 },
	{ VTD_PEADDR_REG, 4, true, .rw = BITS32 },
	{ VTD_PEUADDR_REG, 4, true, .rw = BITS32 },
	{ VTD_IVA_OFFSET, 8, .rw = VTD_ADDR_4K | VTD_IVA_AM | VTD_IVA_IH },
	{ VTD_IOTLB_OFFSET, 8, .rw = ~VTD_IOTLB_IAIG, .written = iotlb_command },
};

/* All fault recording registers are alike: read only but for F. */
static const struct vtd_register record = {
	0, 8, true, .w1c = VTD_FRCD_F, .written = fault_record,
};

/* ---- Accesses ---- */

static const struct vtd_register *find(struct vtd *vtd, uint64_t offset, unsigned int *base)
{
	const struct vtd_register *found;

	if (offset >= VTD_FRCD_OFFSET &&
	    offset < VTD_FRCD_OFFSET + 16u * vtd->config.fault_records) {
		*base = offset & ~7ull;
		return offset & 8 ? &record : NULL;
	}
	if (!vtd->map[offset / 4])
		return NULL;
	found = &registers[vtd->map[offset / 4] - 1];
	*base = found->offset;
	return found;
}

static void write_half(struct vtd *vtd, const struct vtd_register *reg, unsigned int base,
		       uint64_t offset, uint32_t value)
{
	unsigned int shift = (offset - base) * 8;
	uint32_t rw = reg->rw >> shift, w1c = reg->w1c >> shift;
	uint32_t before = vtd_get32(vtd, offset);

	vtd_set32(vtd, offset, (((before & ~rw) | (value & rw)) & ~(value & w1c)));
}

/* One register, whole or half. */
static void write_one(struct vtd *vtd, uint64_t offset, unsigned int size, uint64_t value)
{
	const struct vtd_register *reg;
	unsigned int base;

	reg = find(vtd, offset, &base);
	if (!reg)
		return;
	if (reg->fault)
		pthread_mutex_lock(&vtd->fault_lock);
	write_half(vtd, reg, base, offset, value);
	if (size == 8)
		write_half(vtd, reg, base, offset + 4, value >> 32);
	if (reg->fault)
		pthread_mutex_unlock(&vtd->fault_lock);
	if (size == 4 && reg->size == 8 &&
	    FAULT("vtd.register-half-ignored", "Commands in two halves are not carried out"))
		return;
	if (reg->written)
		reg->written(vtd, value);
}

static bool access_ok(uint64_t offset, unsigned int size)
{
	return (size == 4 || size == 8) && !(offset % size) && offset < VTD_MMIO_SIZE;
}

void vtd_mmio_write(struct hw_iommu *iommu, uint64_t offset, unsigned int size, uint64_t value)
{
	struct vtd *vtd = to_vtd(iommu);
	const struct vtd_register *reg;
	unsigned int base;

	if (!access_ok(offset, size))
		return;
	pthread_mutex_lock(&vtd->lock);
	reg = find(vtd, offset, &base);
	if (size == 8 && (!reg || reg->size == 4)) {
		write_one(vtd, offset, 4, value);
		write_one(vtd, offset + 4, 4, value >> 32);
	} else {
		write_one(vtd, offset, size, value);
	}
	pthread_mutex_unlock(&vtd->lock);
}

uint64_t vtd_mmio_read(struct hw_iommu *iommu, uint64_t offset, unsigned int size)
{
	struct vtd *vtd = to_vtd(iommu);
	uint64_t value;

	if (!access_ok(offset, size))
		return 0;
	pthread_mutex_lock(&vtd->lock);
	if (offset / 8 == VTD_IOTLB_OFFSET / 8)
		vtd_registers_step(vtd);
	value = size == 8 ? vtd_get64(vtd, offset) : vtd_get32(vtd, offset);
	pthread_mutex_unlock(&vtd->lock);
	return value;
}

/* ---- After power-on ---- */

static uint64_t capability(const struct vtd_config *c)
{
	uint64_t widths = VTD_CAP_SAGAW_39 | VTD_CAP_SAGAW_48 |
			  (c->five_level ? VTD_CAP_SAGAW_57 : 0);

	return VTD_PUT(VTD_CAP_ND, (c->domain_bits - 4) / 2) |
	       VTD_PUT(VTD_CAP_CM, c->caching_mode) | widths |
	       VTD_PUT(VTD_CAP_MGAW, c->mgaw - 1) | VTD_CAP_ZLR |
	       VTD_PUT(VTD_CAP_FRO, VTD_FRCD_OFFSET / 16) |
	       (c->large_2m ? VTD_CAP_SSLPS_2M : 0) | (c->large_1g ? VTD_CAP_SSLPS_1G : 0) |
	       VTD_PUT(VTD_CAP_PSI, c->psi) | VTD_PUT(VTD_CAP_NFR, c->fault_records - 1) |
	       VTD_PUT(VTD_CAP_MAMV, c->mamv) | VTD_PUT(VTD_CAP_DWD, c->drain) |
	       VTD_PUT(VTD_CAP_DRD, c->drain) | VTD_PUT(VTD_CAP_FS1GP, c->first_1g) |
	       VTD_PUT(VTD_CAP_FS5LP, c->five_level);
}

static uint64_t extended_capability(const struct vtd_config *c)
{
	return VTD_ECAP_C | VTD_PUT(VTD_ECAP_QI, c->queue) | VTD_PUT(VTD_ECAP_DT, c->ats) |
	       VTD_PUT(VTD_ECAP_PT, c->pass_through) | VTD_ECAP_SC |
	       VTD_PUT(VTD_ECAP_IRO, VTD_IVA_OFFSET / 16) | VTD_PUT(VTD_ECAP_NEST, c->nested) |
	       VTD_PUT(VTD_ECAP_PRS, c->prs) | VTD_PUT(VTD_ECAP_ERS, c->ers) |
	       VTD_PUT(VTD_ECAP_SRS, c->srs) | VTD_PUT(VTD_ECAP_EAFS, c->eafs) |
	       VTD_PUT(VTD_ECAP_PSS, c->pasid_bits ? c->pasid_bits - 1 : 0) |
	       VTD_PUT(VTD_ECAP_PASID, c->pasid_bits > 0) | VTD_PUT(VTD_ECAP_DIT, c->dit) |
	       VTD_PUT(VTD_ECAP_PDS, c->pds) | VTD_PUT(VTD_ECAP_SMTS, c->scalable) |
	       VTD_PUT(VTD_ECAP_SSADS, c->ssads) | VTD_PUT(VTD_ECAP_SSTS, c->second_stage) |
	       VTD_PUT(VTD_ECAP_FSTS, c->first_stage) | VTD_PUT(VTD_ECAP_SMPWCS, c->smpwcs) |
	       VTD_PUT(VTD_ECAP_RPS, c->rps) | VTD_PUT(VTD_ECAP_RPRIVS, c->rps);
}

void vtd_registers_reset(struct vtd *vtd)
{
	for (unsigned int offset = 0; offset < VTD_MMIO_SIZE; offset += 4)
		vtd_set32(vtd, offset, 0);
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		vtd->map[registers[i].offset / 4] = i + 1;
		if (registers[i].size == 8)
			vtd->map[registers[i].offset / 4 + 1] = i + 1;
	}
	vtd_set32(vtd, VTD_VER_REG, 0x60);
	vtd_set64(vtd, VTD_CAP_REG, capability(&vtd->config));
	vtd_set64(vtd, VTD_ECAP_REG, extended_capability(&vtd->config));
	vtd_set32(vtd, VTD_FECTL_REG, VTD_ECTL_IM);
	vtd_set32(vtd, VTD_IECTL_REG, VTD_ECTL_IM);
	vtd_set32(vtd, VTD_PECTL_REG, VTD_ECTL_IM);
}
