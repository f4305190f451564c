/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's side of AMD-Vi: device table, GCR3 tables, command buffer and logs in guest memory.
 *
 * The driver is a plain one: each device has a DomainID and a GCR3 table of its own, PASID 0 of
 * which serves requests without PASID (GIOV). A list is what it writes into its command buffer
 * between two stores to the tail register.
 */
#ifndef NIT_GUEST_AMDVI_H
#define NIT_GUEST_AMDVI_H

#include "core/pages.h"
#include "spec/amdvi.h"

#define GUEST_AMDVI_LIST	640
#define GUEST_AMDVI_DEVICES	4
#define GUEST_AMDVI_DEVICE_IDS	1024
#define GUEST_AMDVI_QUEUE_LEN	8	/* log2 of entries: 256, the least there is */
#define GUEST_AMDVI_QUEUE_BYTES	(AMDVI_LOG_ENTRY_SIZE << GUEST_AMDVI_QUEUE_LEN)

/** struct guest_amdvi_device - @rid: as the guest sees it; @gcr3: its table; @spaces: in use */
struct guest_amdvi_device {
	uint16_t rid;
	uint16_t domain;
	uint64_t gcr3;
	bool ats;
	bool pri;
	unsigned int spaces;
};

/**
 * struct guest_amdvi
 * @mem: guest memory
 * @glx: levels of GCR3 tables, minus one; @levels: of page tables, 4 or 5
 * @cmdbuf, @evtlog, @pprlog: guest physical, GUEST_AMDVI_QUEUE_BYTES each
 * @tail: of the command buffer; @evt_head, @ppr_head: of the logs; byte offsets
 * @sync: where its COMPLETION_WAITs store; @sequence: the last value asked for
 * @next_domain: DomainIDs are given out in turn
 * @quiet: it does not want to hear of I/O page faults (DTE.SA)
 */
struct guest_amdvi {
	struct pages *mem;
	unsigned int glx;
	unsigned int levels;
	uint64_t devtab;
	uint64_t cmdbuf;
	uint64_t evtlog;
	uint64_t pprlog;
	uint32_t tail;
	uint32_t evt_head;
	uint32_t ppr_head;
	uint64_t sync;
	uint64_t sequence;
	uint16_t next_domain;
	bool quiet;
	unsigned int device_count;
	struct guest_amdvi_device devices[GUEST_AMDVI_DEVICES];
};

/** struct guest_amdvi_list - native commands */
struct guest_amdvi_list {
	unsigned int count;
	uint64_t c[GUEST_AMDVI_LIST][2];
};

/** guest_amdvi_init() - Tables with every device blocked, empty queues; 0 or -ENOMEM */
int guest_amdvi_init(struct guest_amdvi *guest, struct pages *mem, unsigned int glx,
		     unsigned int levels);

/** guest_amdvi_add_device() - A DomainID and a GCR3 table for @rid; -ENOMEM, -ENOSPC */
int guest_amdvi_add_device(struct guest_amdvi *guest, uint16_t rid, bool ats, bool pri);
/** guest_amdvi_share() - @rid uses the DomainID and the GCR3 table of @other from now on */
void guest_amdvi_share(struct guest_amdvi *guest, uint16_t rid, uint16_t other);
struct guest_amdvi_device *guest_amdvi_device(struct guest_amdvi *guest, uint16_t rid);

/** guest_amdvi_dte() - The 4 words of the device table entry of @rid */
uint64_t *guest_amdvi_dte(struct guest_amdvi *guest, uint16_t rid);
/** guest_amdvi_dte_set() - It translates by the device's GCR3 table; _block(): it blocks all */
void guest_amdvi_dte_set(struct guest_amdvi *guest, uint16_t rid);
void guest_amdvi_dte_block(struct guest_amdvi *guest, uint16_t rid);

/** guest_amdvi_gcr3_entry() - Of @pasid of @rid; NULL: no memory, or more than the table holds */
uint64_t *guest_amdvi_gcr3_entry(struct guest_amdvi *guest, uint16_t rid, uint32_t pasid);

/** guest_amdvi_next() - Room for one more command; the encoders of spec/amdvi.h fill it */
uint64_t *guest_amdvi_next(struct guest_amdvi_list *list);

/**
 * guest_amdvi_pages() - INVALIDATE_IOMMU_PAGES for the smallest block that holds [@iova, +@len)
 * @len: UINT64_MAX: every address; @leaf: no directory entry changed
 */
void guest_amdvi_pages(struct guest_amdvi_list *list, uint16_t domain, uint32_t pasid,
		       uint64_t iova, uint64_t len, bool leaf);
/** guest_amdvi_iotlb() - INVALIDATE_IOTLB_PAGES; @pasid 0: what has no PASID */
void guest_amdvi_iotlb(struct guest_amdvi_list *list, uint16_t rid, uint32_t pasid, uint64_t iova,
		       uint64_t len);
void guest_amdvi_devtab(struct guest_amdvi_list *list, uint16_t rid);

/** guest_amdvi_wait() - COMPLETION_WAIT that stores the next sequence number */
void guest_amdvi_wait(struct guest_amdvi *guest, struct guest_amdvi_list *list);
/** guest_amdvi_waited() - Has the last one stored? */
bool guest_amdvi_waited(const struct guest_amdvi *guest);

/**
 * guest_amdvi_write() - Put commands of @list from number @first on into the command buffer
 * @head: where the IOMMU stands. Return: how many there was room for; @guest->tail is behind them
 */
unsigned int guest_amdvi_write(struct guest_amdvi *guest, const struct guest_amdvi_list *list,
			       unsigned int first, uint32_t head);

/** guest_amdvi_read_log() - The next entry of the log at @base, unless *@head is @tail */
bool guest_amdvi_read_log(struct guest_amdvi *guest, uint64_t base, uint32_t *head, uint32_t tail,
			  uint64_t entry[2]);

#endif
