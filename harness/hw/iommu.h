/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The face that every reference IOMMU shows: registers to software, translation and ATS messages
 * to devices. vtd.h, amdvi.h and smmuv3.h each make one.
 */
#ifndef NIT_HW_IOMMU_H
#define NIT_HW_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "freedom.h"
#include "inflight.h"
#include "mem.h"
#include "trace.h"

struct endpoint;
struct hw_iommu;
struct machine;

enum hw_access {
	HW_READ = 1,
	HW_WRITE = 2,
	HW_EXEC = 4,
	HW_PRIV = 8,
};

enum hw_request_type {
	HW_UNTRANSLATED,
	HW_TRANSLATION_REQUEST,	/* ATS: of a device's ATC */
	HW_TRANSLATED,		/* ATS: the address is already physical */
};

/**
 * struct hw_request - a request of a device, within one 4 KiB page
 * @pasid: valid if @has_pasid, as the PASID prefix of a TLP
 * @access: HW_READ, HW_WRITE or both (atomic), with HW_EXEC and HW_PRIV as the prefix has them
 */
struct hw_request {
	enum hw_request_type type;
	uint16_t rid;
	bool has_pasid;
	uint32_t pasid;
	uint64_t addr;
	uint8_t access;
};

/**
 * struct hw_translation - the answer
 * @pa: of the byte asked for
 * @shift: log2 of the size of the translation that it lies in (what S and the address say in ATS)
 * @perm: HW_READ | HW_WRITE | ...; a translation completion may have neither
 * @global: the ATS global bit
 * @untranslated_only: the ATS U bit: to be used as untranslated request only
 * @token: with HW_STALLED, and nothing else: names the request in endpoint_resume()
 */
struct hw_translation {
	uint64_t pa;
	uint8_t shift;
	uint8_t perm;
	bool global;
	bool untranslated_only;
	uint64_t token;
};

enum hw_status {
	HW_OK,
	HW_FAULT,	/* aborted; where it is so configured, recorded by the IOMMU */
	HW_UNSUPPORTED,	/* ATS: UR or CA; the function must stop using ATS for this */
	HW_STALLED,	/* SMMUv3 stall model: comes back with endpoint_resume() of its token */
};

/** struct hw_page_request - PCIe PRI page request message; @last ends the group @index */
struct hw_page_request {
	uint16_t rid;
	bool has_pasid;
	uint32_t pasid;
	uint64_t addr;
	uint16_t index;
	bool last;
	uint8_t access;
};

/** struct hw_ats_invalidate - PCIe ATS invalidate request message, decoded */
struct hw_ats_invalidate {
	uint8_t itag;
	bool has_pasid;
	uint32_t pasid;
	bool global;
	uint64_t first;		/* the range, both inclusive; whole space: 0 to UINT64_MAX */
	uint64_t last;
};

/**
 * struct hw_counts - what happened, exactly; counted by the IOMMU
 * @over_removed: entries removed beyond what the command obliges to
 */
struct hw_counts {
	_Atomic uint64_t commands;
	_Atomic uint64_t syncs;
	_Atomic uint64_t walks;
	_Atomic uint64_t table_reads;
	_Atomic uint64_t removed;
	_Atomic uint64_t over_removed;
	_Atomic uint64_t ats_invalidates;
	_Atomic uint64_t faults;
};

/**
 * struct hw_iommu_ops - one kind of IOMMU
 * @mmio_read, @mmio_write: aligned accesses of 4 or 8 bytes at @offset of its registers
 * @translate: any thread. HW_OK with *@translation; everything else was recorded as the
 *	specification says. The caller is in flight (hw/inflight.h) until it has used the address.
 * @page_request: a PRI message arrives; it lands in the IOMMU's queue, or is answered by the IOMMU
 * @ats_complete: an invalidate completion arrives: @itags is the ITag vector, @count the CC field:
 *	how many of them each of these ITags gets; 0 means 8
 * @step: let time pass: delayed and pending work proceeds; true if anything did or still may
 * @awaited: has a command that software waits for (a wait, a CMD_SYNC) not been completed yet?
 * @reset: as after power-on
 *
 * An IOMMU calls endpoint_ats_invalidate() and endpoint_prg_response() from mmio_write and step;
 * an endpoint never calls the IOMMU back from within those, but from its own step.
 */
struct hw_iommu_ops {
	const char *name;
	size_t mmio_size;
	uint64_t (*mmio_read)(struct hw_iommu *iommu, uint64_t offset, unsigned int size);
	void (*mmio_write)(struct hw_iommu *iommu, uint64_t offset, unsigned int size,
			   uint64_t value);
	enum hw_status (*translate)(struct hw_iommu *iommu, const struct hw_request *request,
				    struct hw_translation *translation);
	void (*page_request)(struct hw_iommu *iommu, const struct hw_page_request *request);
	void (*ats_complete)(struct hw_iommu *iommu, uint16_t rid, uint32_t itags,
			     unsigned int count);
	bool (*step)(struct hw_iommu *iommu);
	bool (*awaited)(struct hw_iommu *iommu);
	void (*reset)(struct hw_iommu *iommu);
	void (*destroy)(struct hw_iommu *iommu);
};

/**
 * struct hw_iommu - the common part; first member of each kind's own struct
 * @unit: name for traces: "vtd0"
 * @segment_ops: none; RIDs are unique in a machine
 * @caches_absent: of AMD-Vi: NpCache of the capability header, which is not among the registers
 */
struct hw_iommu {
	const struct hw_iommu_ops *ops;
	bool caches_absent;
	struct machine *machine;
	struct hw_mem *mem;
	struct hw_trace *trace;
	struct inflight *inflight;
	char unit[16];
	struct freedom freedom;
	struct hw_counts counts;
};

#define hw_count(_counter, _n) atomic_fetch_add_explicit(&(_counter), _n, memory_order_relaxed)

/** hw_count_alone() - The same where a lock is held under which all of this counter are counted */
#define hw_count_alone(_counter, _n) \
	atomic_store_explicit(&(_counter), \
			      atomic_load_explicit(&(_counter), memory_order_relaxed) + (_n), \
			      memory_order_relaxed)

#endif
