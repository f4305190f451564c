/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's side of VT-d: its root, context and PASID tables, and its invalidation descriptors.
 *
 * All of it is in guest memory, as a virtual IOMMU in scalable mode with caching mode would see it.
 * A list is what a guest puts into its queue between two writes of the tail.
 */
#ifndef NIT_GUEST_VTD_H
#define NIT_GUEST_VTD_H

#include "core/pages.h"
#include "spec/vtd.h"

#define GUEST_VTD_LIST	640
#define GUEST_VTD_PASIDS (1u << 13)	/* PDTS = 0: 128 directory entries */

/**
 * struct guest_vtd
 * @mem: guest memory
 * @root: guest physical address of the root table
 * @status: where its wait descriptors store; @sequence: the last value asked for
 * @levels: of its first-stage tables, 4 or 5; @entry_flags: VTD_PASID_SRE, _WPE, _EAFE
 * @next_did: domain ids are handed out in turn
 */
struct guest_vtd {
	struct pages *mem;
	uint64_t root;
	uint64_t status;
	uint32_t sequence;
	unsigned int levels;
	uint64_t entry_flags;
	uint16_t next_did;
};

/** struct guest_vtd_list - native commands, 256 bits each */
struct guest_vtd_list {
	unsigned int count;
	uint64_t d[GUEST_VTD_LIST][4];
};

int guest_vtd_init(struct guest_vtd *guest, struct pages *mem);
void guest_vtd_fini(struct guest_vtd *guest);

/** guest_vtd_add_device() - A context entry with an empty PASID directory */
int guest_vtd_add_device(struct guest_vtd *guest, uint16_t rid, bool ats, bool pri);

/** guest_vtd_context() - The 4 quadwords of the context entry of @rid; NULL: has none */
uint64_t *guest_vtd_context(struct guest_vtd *guest, uint16_t rid);

/** guest_vtd_pasid_entry() - The 8 quadwords of @pasid (0: RID_PASID); NULL: there are none */
uint64_t *guest_vtd_pasid_entry(struct guest_vtd *guest, uint16_t rid, uint32_t pasid);

/** guest_vtd_pasid_set() - First stage at @root under @did; @pgtt of enum vtd_pgtt */
void guest_vtd_pasid_set(struct guest_vtd *guest, uint64_t *entry, enum vtd_pgtt pgtt,
			 uint16_t did, uint64_t root);
void guest_vtd_pasid_clear(uint64_t *entry);

/** guest_vtd_next() - Room for one more descriptor; the encoders of spec/vtd.h fill it */
uint64_t *guest_vtd_next(struct guest_vtd_list *list);

/**
 * guest_vtd_invalidate() - What 6.5.3 asks for after a first-stage change: PASID-based IOTLB
 * @pasid: 0 for the RID; @leaf: no paging-structure entry changed
 */
void guest_vtd_invalidate(struct guest_vtd_list *list, uint16_t did, uint32_t pasid, uint64_t iova,
			  uint64_t len, bool leaf);
/** guest_vtd_invalidate_atc() - And then the device's: @pasid 0 is a request without PASID */
void guest_vtd_invalidate_atc(struct guest_vtd_list *list, uint16_t rid, uint32_t pasid,
			      uint64_t iova, uint64_t len);
/** guest_vtd_invalidate_entry() - After a change of a PASID entry: PASID cache, then the IOTLB */
void guest_vtd_invalidate_entry(struct guest_vtd_list *list, uint16_t did, uint32_t pasid);

/** guest_vtd_wait() - A wait that stores the next sequence number */
void guest_vtd_wait(struct guest_vtd *guest, struct guest_vtd_list *list);
/** guest_vtd_waited() - Has the last wait stored its number? */
bool guest_vtd_waited(const struct guest_vtd *guest);

#endif
