// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/iommufd.h>

#include "core/check.h"
#include "journal.h"
#include "spec/smmuv3.h"

#define ENTRIES_SHOWN 8

void journal_open(struct journal *journal)
{
	*journal = (struct journal){ .kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	if (journal->kmsg >= 0)
		lseek(journal->kmsg, 0, SEEK_END);
	ktrace_open(&journal->ktrace);
}

void journal_close(struct journal *journal)
{
	if (journal->kmsg >= 0)
		close(journal->kmsg);
	journal->kmsg = -1;
	ktrace_close(&journal->ktrace);
}

void journal_add(struct journal *journal, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(journal->lines[journal->count++ % JOURNAL_LINES], JOURNAL_LINE, format, ap);
	va_end(ap);
}

static const char *result(int rc, char *text, size_t size)
{
	if (!rc)
		return "ok";
	snprintf(text, size, "-%s", errno_name(-rc));
	return text;
}

/* As 4.1.1 of the SMMUv3 specification numbers them: those that a guest may send */
static const char *smmuv3_command(uint8_t opcode)
{
	static const struct {
		uint8_t opcode;
		const char *name;
	} names[] = {
		{ CMD_CFGI_STE, "CFGI_STE" }, { CMD_CFGI_STE_RANGE, "CFGI_STE_RANGE" },
		{ CMD_CFGI_CD, "CFGI_CD" }, { CMD_CFGI_CD_ALL, "CFGI_CD_ALL" },
		{ CMD_TLBI_NH_ALL, "TLBI_NH_ALL" }, { CMD_TLBI_NH_ASID, "TLBI_NH_ASID" },
		{ CMD_TLBI_NH_VA, "TLBI_NH_VA" }, { CMD_TLBI_NH_VAA, "TLBI_NH_VAA" },
		{ CMD_TLBI_NSNH_ALL, "TLBI_NSNH_ALL" }, { CMD_ATC_INV, "ATC_INV" },
		{ CMD_SYNC, "SYNC" },
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].opcode == opcode)
			return names[i].name;
	return "?";
}

static void add_entry(struct journal *journal, uint32_t type, const uint64_t *entry)
{
	if (type == IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3)
		journal_add(journal, "  %s %#llx %#llx", smmuv3_command(entry[0]),
			    (unsigned long long)entry[0], (unsigned long long)entry[1]);
	else if (type == IOMMU_HWPT_INVALIDATE_DATA_VTD_S1)
		journal_add(journal, "  addr %#llx pages %llu flags %#llx",
			    (unsigned long long)entry[0], (unsigned long long)entry[1],
			    (unsigned long long)entry[2] & UINT32_MAX);
}

static void add_invalidate(struct journal *journal, const struct iommu_hwpt_invalidate *cmd, int rc)
{
	const uint8_t *entries = (const uint8_t *)(uintptr_t)cmd->data_uptr;
	char text[32];

	journal_add(journal, "HWPT_INVALIDATE %u type %u: %u entries handled, %s", cmd->hwpt_id,
		    cmd->data_type, cmd->entry_num, result(rc, text, sizeof(text)));
	/* Only of calls that the kernel found good: what others point to may be anything. */
	for (unsigned int i = 0; !rc && i < cmd->entry_num && i < ENTRIES_SHOWN; i++)
		add_entry(journal, cmd->data_type,
			  (const uint64_t *)(entries + i * cmd->entry_len));
}

static const char *request_name(unsigned long request)
{
	static const struct {
		unsigned long request;
		const char *name;
	} names[] = {
		{ IOMMU_DESTROY, "DESTROY" }, { IOMMU_IOAS_ALLOC, "IOAS_ALLOC" },
		{ IOMMU_IOAS_COPY, "IOAS_COPY" }, { IOMMU_OPTION, "OPTION" },
		{ IOMMU_GET_HW_INFO, "GET_HW_INFO" },
		{ IOMMU_HWPT_SET_DIRTY_TRACKING, "HWPT_SET_DIRTY_TRACKING" },
		{ IOMMU_HWPT_GET_DIRTY_BITMAP, "HWPT_GET_DIRTY_BITMAP" },
		{ IOMMU_FAULT_QUEUE_ALLOC, "FAULT_QUEUE_ALLOC" },
		{ IOMMU_VEVENTQ_ALLOC, "VEVENTQ_ALLOC" },
		{ IOMMU_HW_QUEUE_ALLOC, "HW_QUEUE_ALLOC" },
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].request == request)
			return names[i].name;
	return "ioctl";
}

void journal_ioctl(struct journal *journal, unsigned long request, const void *arg, int rc)
{
	const struct iommu_hwpt_alloc *hwpt = arg;
	const struct iommu_viommu_alloc *viommu = arg;
	const struct iommu_vdevice_alloc *vdevice = arg;
	const struct iommu_ioas_map *map = arg;
	const struct iommu_ioas_unmap *unmap = arg;
	char text[32];
	const char *end = result(rc, text, sizeof(text));

	if (rc == -EFAULT || !arg)
		journal_add(journal, "%s %s", request_name(request), end);
	else if (request == IOMMU_HWPT_INVALIDATE)
		add_invalidate(journal, arg, rc);
	else if (request == IOMMU_HWPT_ALLOC)
		journal_add(journal, "HWPT_ALLOC dev %u on %u flags %#x type %u: hwpt %u, %s",
			    hwpt->dev_id, hwpt->pt_id, hwpt->flags, hwpt->data_type,
			    hwpt->out_hwpt_id, end);
	else if (request == IOMMU_VIOMMU_ALLOC)
		journal_add(journal, "VIOMMU_ALLOC dev %u on hwpt %u: viommu %u, %s",
			    viommu->dev_id, viommu->hwpt_id, viommu->out_viommu_id, end);
	else if (request == IOMMU_VDEVICE_ALLOC)
		journal_add(journal, "VDEVICE_ALLOC dev %u viommu %u virt_id %#llx: %s",
			    vdevice->dev_id, vdevice->viommu_id,
			    (unsigned long long)vdevice->virt_id, end);
	else if (request == IOMMU_IOAS_MAP)
		journal_add(journal, "IOAS_MAP %u %#llx +%#llx: %s", map->ioas_id,
			    (unsigned long long)map->iova, (unsigned long long)map->length, end);
	else if (request == IOMMU_IOAS_UNMAP)
		journal_add(journal, "IOAS_UNMAP %u %#llx +%#llx: %s", unmap->ioas_id,
			    (unsigned long long)unmap->iova, (unsigned long long)unmap->length,
			    end);
	else
		journal_add(journal, "%s %s", request_name(request), end);
}

void journal_dma(struct journal *journal, unsigned int device, const struct dma *dma,
		 enum dma_status status)
{
	static const char * const ends[] = { "done", "aborted", "held", "stalled" };
	char pasid[24] = "";
	uint64_t word = 0;

	if (dma->pasid != DMA_NO_PASID)
		snprintf(pasid, sizeof(pasid), " pasid %#x", dma->pasid);
	if (status == DMA_DONE)
		memcpy(&word, dma->data, dma->len < sizeof(word) ? dma->len : sizeof(word));
	journal_add(journal, "dma of device %u%s: %s %#llx: %s, %#llx", device, pasid,
		    dma->op == DMA_READ ? "read" : dma->op == DMA_WRITE ? "write" : "swap",
		    (unsigned long long)dma->addr, ends[status], (unsigned long long)word);
}

/* What the kernel logged since the last look: its own word on faults and command errors */
static void add_kernel_log(struct journal *journal)
{
	char record[2048], *text;
	ssize_t len;

	while (journal->kmsg >= 0) {
		len = read(journal->kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)	/* overwritten before it was read */
			continue;
		if (len <= 0)
			return;
		record[len] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (strncmp(text + 1, "nit: ", 5))	/* the guest's init marks tests there */
			journal_add(journal, "kernel log: %s", text + 1);
	}
}

static void add_event(void *arg, const char *line)
{
	journal_add(arg, "kernel trace: %s", line);
}

uint64_t journal_mark(struct journal *journal)
{
	ktrace_read(&journal->ktrace, add_event, journal);
	add_kernel_log(journal);
	return journal->count;
}

uint64_t journal_read(struct journal *journal, uint64_t number, char *line, unsigned int size)
{
	if (journal->count > JOURNAL_LINES && number < journal->count - JOURNAL_LINES)
		number = journal->count - JOURNAL_LINES;
	if (number >= journal->count)
		return UINT64_MAX;
	snprintf(line, size, "%s", journal->lines[number % JOURNAL_LINES]);
	return number;
}
