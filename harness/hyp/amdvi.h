/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's side of AMD-Vi; for its own files (amdvi*.c) only.
 *
 * One device table serves all IOMMUs, and DomainIDs are the hypervisor's, the same on all of them.
 * A DomainID tags what an IOMMU caches; who stops using one flushes it first (amd_domid_put).
 */
#ifndef NIT_HYP_AMDVI_H
#define NIT_HYP_AMDVI_H

#include "hyp.h"
#include "pgtable/pgtable.h"
#include "spec/amdvi.h"

#define AMD_IOMMUS 4
#define AMD_DOMIDS 65536
#define AMD_HOST_LEVELS 4
#define AMD_CMDBUF_LEN 8			/* log2 of entries: the least there is */
#define AMD_CMDBUF_ENTRIES (1u << AMD_CMDBUF_LEN)
#define AMD_LOG_LEN 9

/* Every page there is, as an address range */
#define AMD_ALL_ADDRESSES 0, UINT64_MAX

enum amd_domain_kind {
	AMD_HOST,	/* v1 table */
	AMD_GUEST,	/* v2 table of the hypervisor's: for PASIDs */
	AMD_NESTED,	/* a guest's device table entry on a v1 table */
};

/**
 * struct amd_domain
 * @domid: of a v1 table: the tag of its entries where it is used unnested
 * @dte: of a nested one: the guest's entry; @vdomain: its DomainID
 */
struct amd_domain {
	struct hyp_domain base;
	enum amd_domain_kind kind;
	uint16_t domid;
	struct pgtable pt;
	uint64_t dte[4];
	struct amd_vdomain *vdomain;
};

/**
 * struct amd_log - a log that the IOMMU writes: events, page requests
 * @head_reg: of the register; @head: byte offset of the next entry to read
 */
struct amd_log {
	uint64_t base;
	unsigned int head_reg;
	uint32_t head;
};

/**
 * struct amd_iommu - one IOMMU
 * @cmdbuf: its command buffer; @tail: byte offset, where the next command goes
 * @sync: where COMPLETION_WAIT stores; @sync_value: of the last one
 * @waiting: inside a sync: logs that an interrupt is about wait until it is over
 * @failed: a command found no room; @halted: the last sync found the command buffer stopped
 * @private: hardware vIOMMU: the private address space of the IOMMU, while @private_users use it
 * @gids: bit n: guest id n is in use
 */
struct amd_iommu {
	struct hyp *hyp;
	unsigned int number;
	uint64_t efr;
	uint64_t efr2;
	uint64_t cmdbuf;
	uint32_t tail;
	uint64_t sync;
	uint64_t sync_value;
	bool waiting;
	bool failed;
	bool halted;
	struct amd_log events;
	struct amd_log requests;
	struct amd_domain private;
	unsigned int private_users;
	uint64_t gids;
};

/** struct amd_vdomain - one DomainID of a guest, shared by all nested domains that have it */
struct amd_vdomain {
	struct amd_vdomain *next;
	uint16_t guest;
	uint16_t host;
	unsigned int users;
};

/**
 * struct amd_viommu
 * @gid: hardware vIOMMU: its guest id; 0: software only
 * @trans_id: the DeviceID whose entry leads hardware to guest memory
 * @queues: bit n: hardware queue of type IOMMU_HW_QUEUE_TYPE_AMD_CMD + n is there
 */
struct amd_viommu {
	struct hyp_viommu *viommu;
	struct amd_viommu *next;
	struct amd_vdomain *vdomains;
	uint16_t gid;
	uint16_t trans_id;
	unsigned int queues;
};

/** struct amd_pasid - what a PASID of a device uses; PASID 0 is the RID's (GIOV) */
struct amd_pasid {
	uint32_t pasid;
	struct amd_domain *domain;
};

/**
 * struct amd_device
 * @domain: of the RID; NULL: blocked
 * @gcr3: the hypervisor's GCR3 table, while it has v2 tables; @gcr3_domid: tag of their entries
 * @ats, @pri, @pasid: enabled in the device
 * @timed_out: did not answer an invalidation, and has not been fenced yet
 * @fenced: blocked for that, until it is attached anew
 */
struct amd_device {
	struct hyp_device *device;
	struct amd_domain *domain;
	uint64_t gcr3;
	uint16_t gcr3_domid;
	unsigned int pasid_count;
	struct amd_pasid pasids[HYP_ATTACHMENTS];
	bool ats;
	bool pri;
	bool pasid;
	bool timed_out;
	bool fenced;
};

/**
 * struct amd - hyp->priv
 * @devtab_ids: DeviceIDs that the device table has entries for; no device has those from
 *	@first_trans_id on; @trans_ids: bit n: @first_trans_id + n is in use
 */
struct amd {
	uint64_t devtab;
	uint64_t devtab_size;
	uint32_t devtab_ids;
	uint16_t first_trans_id;
	unsigned int iommu_count;
	struct amd_iommu iommus[AMD_IOMMUS];
	struct amd_device devices[PLATFORM_DEVICES];
	struct amd_viommu *viommus;
	uint64_t domids[AMD_DOMIDS / 64];
	uint64_t trans_ids;
};

static inline struct amd *amd_of(struct hyp *hyp)
{
	return hyp->priv;
}

static inline struct amd_device *amd_device_of(struct hyp_device *device)
{
	return device->priv;
}

static inline struct amd_iommu *amd_iommu_of(struct amd_device *device)
{
	return &amd_of(device->device->hyp)->iommus[device->device->pdev->iommu];
}

static inline uint16_t amd_rid(const struct amd_device *device)
{
	return device->device->pdev->rid;
}

static inline struct amd_domain *amd_domain_of(struct hyp_domain *domain)
{
	return (struct amd_domain *)domain;
}

#define amd_each_iommu(_amdvi, _iommu) \
	for (struct amd_iommu *_iommu = (_amdvi)->iommus; \
	     _iommu < (_amdvi)->iommus + (_amdvi)->iommu_count; _iommu++)

#define amd_each_device(_amdvi, _device) \
	for (struct amd_device *_device = (_amdvi)->devices; \
	     _device < (_amdvi)->devices + PLATFORM_DEVICES && _device->device; _device++)

/* amd_queue.c: commands */

int amd_queue_start(struct amd_iommu *iommu);
/** amd_queue_ring() - Let the IOMMU see what was queued; amd_sync() does, too */
void amd_queue_ring(struct amd_iommu *iommu);
/** amd_queue() - Put a command into the buffer; it counts as begun, not as done */
void amd_queue(struct amd_iommu *iommu, const uint64_t cmd[2]);
/**
 * amd_sync() - Wait until all commands so far are done
 * Return: 0; -ETIMEDOUT: a device did not answer, and is fenced now, or the IOMMU did not;
 * -EIO: a command was illegal.
 */
int amd_sync(struct amd_iommu *iommu);
int amd_sync_all(struct amd *amd);
/** amd_fence_silent() - Fence devices that did not answer; true: there was one */
bool amd_fence_silent(struct amd_iommu *iommu);

/* amd_log.c: what the IOMMU reports */

int amd_logs_start(struct amd_iommu *iommu);
/** amd_logs_read() - Take everything out of both logs */
void amd_logs_read(struct amd_iommu *iommu);
void amd_interrupt(struct hyp *hyp, uint64_t addr, uint32_t data);
int amd_page_response(struct hyp_device *device, uint32_t pasid, uint32_t group, uint32_t code);

/* amd_flush.c: which commands a change asks for; each waits until it is done */

/** amd_inv_range() - ADDR and S of the smallest block that holds [@first, @last] */
uint64_t amd_inv_range(uint64_t first, uint64_t last);
/** amd_queue_pages() - INVALIDATE_IOMMU_PAGES with PDE; @pasid: HYP_NO_PASID for GN = 0 */
void amd_queue_pages(struct amd_iommu *iommu, uint16_t domid, uint32_t pasid, uint64_t first,
		       uint64_t last);
/** amd_queue_atc() - INVALIDATE_IOTLB_PAGES to a device with ATS on */
void amd_queue_atc(struct amd_device *device, uint32_t pasid, uint64_t first, uint64_t last);
int amd_drain_atc(struct amd_device *device);
int amd_flush_dte(struct amd_iommu *iommu, uint16_t rid);
/** amd_flush_domain() - After a change of [@first, @last] of a paging domain */
int amd_flush_domain(struct amd_domain *domain, uint64_t first, uint64_t last);
/** amd_flush_pasid() - After a change of what @pasid of @device uses */
int amd_flush_pasid(struct amd_device *device, uint32_t pasid);

/** amd_domid_get() - The lowest free DomainID; 0: none left */
uint16_t amd_domid_get(struct amd *amd);
/** amd_domid_put() - Flushes it first; @guest_tables: it tagged entries of a guest's tables */
void amd_domid_put(struct amd *amd, uint16_t domid, bool guest_tables);

/* amd_table.c: device table entries, attaching */

int amd_table_start(struct hyp *hyp);
/** amd_table_write() - Entry @rid becomes @dte, by way of blocked if that takes several stores */
int amd_table_write(struct amd_iommu *iommu, uint16_t rid, const uint64_t dte[4]);
void amd_table_block(struct amd_iommu *iommu, uint16_t rid);
/** amd_table_refresh() - Write the entry again for what @device uses, other bits changed */
int amd_table_refresh(struct amd_device *device);
/** amd_host_dte() - The words of an entry that leads to the v1 table of @domain */
void amd_host_dte(const struct amd_domain *domain, uint16_t domid, uint64_t dte[4]);
/** amd_fence() - Nothing of @device gets through any more; waits */
void amd_fence(struct amd_device *device);
int amd_attach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *domain,
		 struct hyp_domain *old);
void amd_detach(struct hyp_device *device, uint32_t pasid, struct hyp_domain *old);

/* amd_domain.c: paging domains */

int amd_paging_alloc(struct hyp_device *device, uint32_t flags, struct hyp_domain **domain);
void amd_domain_free(struct hyp_domain *domain);
int amd_map(struct hyp_domain *domain, uint64_t iova, uint64_t pa, uint64_t len, uint32_t prot);
int amd_unmap(struct hyp_domain *domain, uint64_t iova, uint64_t len);
int amd_set_dirty(struct hyp_domain *domain, bool on);
int amd_read_dirty(struct hyp_domain *domain, uint64_t iova, uint64_t len, uint32_t flags,
		     struct hyp_dirty *dirty);

/* amd_nested.c: vIOMMUs, and what a guest says through them */

int amd_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
		       struct hyp_viommu *viommu, uint32_t flags, uint32_t type, const void *data,
		       uint32_t len, struct hyp_domain **domain);
void amd_nested_free(struct amd_domain *domain);
int amd_viommu_alloc(struct hyp_viommu *viommu, struct hyp_device *device, void *data,
		       uint32_t len);
void amd_viommu_free(struct hyp_viommu *viommu);
int amd_vdevice_add(struct hyp_vdevice *vdevice);
void amd_vdevice_remove(struct hyp_vdevice *vdevice);
struct amd_vdomain *amd_vdomain_find(struct amd_viommu *viommu, uint16_t guest);

/* amd_invalidate.c */

int amd_invalidate(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
		     uint64_t entries, uint32_t entry_len, uint32_t *num);

/* amdvi_vf.c: the hardware vIOMMU. All but _alloc do nothing for a vIOMMU without a guest id. */

int amd_vf_alloc(struct amd_viommu *viommu);
void amd_vf_free(struct amd_viommu *viommu);
/** amd_vf_translate_write() - Write the entry again that leads hardware to guest memory */
int amd_vf_translate_write(struct amd_viommu *viommu);
/** amd_vf_map_device(), _domain() - Entry @guest of a mapping table; @host < 0: none */
int amd_vf_map_device(struct amd_viommu *viommu, uint16_t guest, int host);
int amd_vf_map_domain(struct amd_viommu *viommu, uint16_t guest, int host);
int amd_hw_queue_alloc(struct hyp_hw_queue *queue);
void amd_hw_queue_free(struct hyp_hw_queue *queue);
int amd_viommu_mmio(struct hyp_viommu *viommu, uint64_t offset, unsigned int size, bool write,
		      uint64_t *value);

#endif
