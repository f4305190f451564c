// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/check.h"
#include "core/figure.h"
#include "discover.h"
#include "dma/probe.h"
#include "journal.h"
#include "kernel.h"
#include "watch.h"

#define HUGE_PAGE (2ULL << 20)
#define VIOMMU_REGISTERS (64ULL << 10)	/* struct iommu_viommu_tegra241_cmdqv: page 0 */
#define MEMORY_ROOM (512ULL << 20)
#define CANDIDATES 32
#define HARDWARE_LINES 14	/* of evidence */

#define OTHER_HARDWARE "needs hardware of the test's own making"

/** struct knobs - what tests have turned: it holds for as long as the target is open */
struct knobs {
	uint32_t turned;
	uint64_t value[KNOBS];
};

_Static_assert(KNOBS <= 32, "a bit for each knob");

/** struct kernel_device - a device of the target; @owner: file of its iommufd, or -1 */
struct kernel_device {
	char bdf[PCI_BDF_SIZE];
	char iommu[64];
	int owner;
	struct vfio_device vfio;
	struct dma_device dma;
	struct knobs knobs;
};

/**
 * struct kernel - what is behind a target of this kind
 * @iommufd_ops: the kernel's own
 * @memory: what was handed out, of MEMORY_ROOM bytes of address space; all that DMA may reach
 * @call_ns: how long calls of iommufd have taken together
 * @probe_lock: one DMA at a time of devices whose writes have to be looked for
 * @iommu_knobs: by the number of the IOMMU
 */
struct kernel {
	struct kernel_device devices[TARGET_DEVICES];
	struct knobs iommu_knobs[TARGET_DEVICES];
	struct watch watch;
	const struct iommufd_ops *iommufd_ops;
	struct dma_memory memory;
	_Atomic uint64_t call_ns;
	pthread_mutex_t probe_lock;
	struct journal journal;
};

static struct kernel *kernel_of(struct target *target)
{
	return target->priv;
}

/* ---- iommufd, with every call in the journal ---- */

static int logged_ioctl(struct iommufd *iommufd, unsigned long request, void *arg)
{
	struct kernel *kernel = iommufd->priv;
	uint64_t began = figure_now();
	int rc = kernel->iommufd_ops->ioctl(iommufd, request, arg);

	kernel->call_ns += figure_now() - began;
	journal_ioctl(&kernel->journal, request, arg, rc);
	return rc;
}

static void *plain_mmap(struct iommufd *iommufd, void *addr, size_t length, int prot, int flags,
			off_t offset)
{
	struct kernel *kernel = iommufd->priv;

	return kernel->iommufd_ops->mmap(iommufd, addr, length, prot, flags, offset);
}

static void plain_close(struct iommufd *iommufd)
{
	struct kernel *kernel = iommufd->priv;

	kernel->iommufd_ops->close(iommufd);
}

static const struct iommufd_ops logged_ops = {
	.ioctl = logged_ioctl,
	.mmap = plain_mmap,
	.close = plain_close,
};

static int kernel_iommufd_open(struct target *target, struct iommufd *iommufd)
{
	struct kernel *kernel = kernel_of(target);
	int rc = __iommufd_open(iommufd);

	if (rc)
		return rc;
	kernel->iommufd_ops = iommufd->ops;
	iommufd->ops = &logged_ops;
	iommufd->priv = kernel;
	return 0;
}

/* ---- memory ---- */

/*
 * Pages of 2 MiB where that is possible, as a VMM would have them; small pieces stay pages of
 * 4 KiB, so that stage 2 has tables of every level.
 */
static void *kernel_memory(struct target *target, uint64_t size)
{
	struct dma_memory *memory = &kernel_of(target)->memory;
	bool huge = size >= HUGE_PAGE;
	uint64_t at = huge ? (memory->size + HUGE_PAGE - 1) & -HUGE_PAGE : memory->size;
	void *piece = memory->base + at;

	size = (size + PROBE_PAGE - 1) & -(uint64_t)PROBE_PAGE;
	if (at + size > MEMORY_ROOM)
		return NULL;
	madvise(piece, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memory->size = at + size;
	return piece;
}

static int reserve_memory(struct kernel *kernel)
{
	uint8_t *room = mmap(NULL, MEMORY_ROOM + HUGE_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t skip;

	if (room == MAP_FAILED)
		return -errno;
	skip = -(uintptr_t)room & (HUGE_PAGE - 1);
	if (skip)
		munmap(room, skip);
	munmap(room + skip + MEMORY_ROOM, HUGE_PAGE - skip);
	kernel->memory = (struct dma_memory){ .base = room + skip, .fd = -1 };
	return 0;
}

/* ---- devices ---- */

static struct kernel_device *device_of(struct target *target, struct iommufd *iommufd,
				       uint32_t dev_id)
{
	struct kernel *kernel = kernel_of(target);

	for (unsigned int i = 0; i < target->device_count; i++)
		if (kernel->devices[i].owner == iommufd->fd &&
		    kernel->devices[i].vfio.dev_id == dev_id)
			return &kernel->devices[i];
	return NULL;
}

/* Of a device that nobody here knows how to have do DMA: it is attached, detached and reset. */
static const struct dma_driver no_driver = { .name = "none" };

static void release(struct kernel_device *device)
{
	if (device->owner < 0)
		return;
	dma_close(&device->dma);
	vfio_close(&device->vfio);
	device->owner = -1;
}

static int turn_all(struct dma_device *device, bool of_iommu, const struct knobs *knobs)
{
	int rc = 0;

	for (unsigned int knob = 0; knob < KNOBS && !rc; knob++)
		if (knobs->turned & 1u << knob)
			rc = device->driver->turn(device, of_iommu, knob, knobs->value[knob]);
	return rc;
}

/* Whoever had the device before may have died with knobs turned. */
static int set_knobs(struct target *target, unsigned int number)
{
	struct kernel *kernel = kernel_of(target);
	struct kernel_device *device = &kernel->devices[number];
	struct dma_device *dma = &device->dma;

	if (!dma->driver->turn)
		return 0;
	return dma->driver->calm(dma) ?: turn_all(dma, false, &device->knobs) ?:
	       turn_all(dma, true, &kernel->iommu_knobs[target->devices[number].iommu]);
}

static int kernel_turn(struct target *target, unsigned int number, bool of_iommu, enum knob knob,
		       uint64_t value)
{
	struct kernel *kernel = kernel_of(target);
	struct kernel_device *device = &kernel->devices[number];
	struct knobs *knobs = of_iommu ? &kernel->iommu_knobs[target->devices[number].iommu] :
					 &device->knobs;

	journal_add(&kernel->journal, "knob %u of %s%u: %llu", knob,
		    of_iommu ? "the IOMMU of device " : "device ", number,
		    (unsigned long long)value);
	knobs->value[knob] = value;
	knobs->turned |= 1u << knob;
	if (device->owner < 0)
		return 0;
	return device->dma.driver->turn(&device->dma, of_iommu, knob, value);
}

static int kernel_bind(struct target *target, struct iommufd *iommufd, unsigned int number,
		       uint32_t *dev_id)
{
	struct kernel_device *device = &kernel_of(target)->devices[number];
	int rc = device->owner < 0 ? vfio_open(&device->vfio, device->bdf, iommufd->fd) : -EBUSY;

	journal_add(&kernel_of(target)->journal, "bind %s: dev %u, %d", device->bdf,
		    device->vfio.dev_id, rc);
	if (rc)
		return rc;
	device->owner = iommufd->fd;
	if (!dma_driver_of(&device->vfio.id))
		device->dma = (struct dma_device){ .driver = &no_driver, .vfio = &device->vfio };
	else
		rc = dma_open(&device->dma, &device->vfio) ?: set_knobs(target, number);
	if (rc) {
		release(device);
		return rc;
	}
	*dev_id = device->vfio.dev_id;
	return 0;
}

static void kernel_unbind(struct target *target, struct iommufd *iommufd, unsigned int number,
			  uint32_t dev_id)
{
	struct kernel *kernel = kernel_of(target);

	journal_add(&kernel->journal, "unbind dev %u", dev_id);
	if (kernel->watch.device == &kernel->devices[number].dma)
		watch_stop(&kernel->watch);
	release(&kernel->devices[number]);
}

static int kernel_attach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
			 uint32_t pasid, uint32_t pt_id)
{
	struct kernel_device *device = device_of(target, iommufd, dev_id);
	int rc = device ? vfio_attach(&device->vfio, pasid, pt_id) : -ENOENT;

	journal_add(&kernel_of(target)->journal, "attach dev %u pasid %d to %u: %d", dev_id,
		    (int)pasid, pt_id, rc);
	return rc;
}

static int kernel_detach(struct target *target, struct iommufd *iommufd, uint32_t dev_id,
			 uint32_t pasid)
{
	struct kernel_device *device = device_of(target, iommufd, dev_id);
	int rc = device ? vfio_detach(&device->vfio, pasid) : -ENOENT;

	journal_add(&kernel_of(target)->journal, "detach dev %u pasid %d: %d", dev_id, (int)pasid,
		    rc);
	return rc;
}

static int kernel_reset(struct target *target, struct iommufd *iommufd, uint32_t dev_id)
{
	struct kernel_device *device = device_of(target, iommufd, dev_id);
	int rc = device ? vfio_reset(&device->vfio) : -ENOENT;

	journal_add(&kernel_of(target)->journal, "reset dev %u: %d", dev_id, rc);
	return rc;
}

/* A test that asks for what its target does not have is wrong, and must not go on. */
static void refuse(const struct dma *dma)
{
	check_note("a device that cannot was asked for operation %d with PASID %#x", dma->op,
		   dma->pasid);
	abort();
}

static enum dma_status kernel_dma(struct target *target, unsigned int number, unsigned int engine,
				  struct dma *dma)
{
	struct kernel *kernel = kernel_of(target);
	struct dma_device *device = &kernel->devices[number].dma;
	enum dma_status status;

	if (device->driver->dma) {
		status = device->driver->dma(device, engine, dma);
	} else {
		if (!device->driver->probe_write || dma->pasid != DMA_NO_PASID ||
		    dma->address != DMA_PLAIN || dma->op == DMA_SWAP)
			refuse(dma);
		pthread_mutex_lock(&kernel->probe_lock);
		status = dma_probe(device, &kernel->memory, dma);
		pthread_mutex_unlock(&kernel->probe_lock);
	}
	journal_dma(&kernel->journal, number, dma, status);
	return status;
}

static enum dma_status kernel_dma_start(struct target *target, unsigned int number,
					unsigned int engine, struct dma *dma)
{
	struct kernel *kernel = kernel_of(target);
	struct dma_device *device = &kernel->devices[number].dma;
	enum dma_status status = device->driver->dma_start(device, engine, dma);

	journal_dma(&kernel->journal, number, dma, status);
	return status;
}

static enum dma_status kernel_dma_finish(struct target *target, unsigned int number,
					 unsigned int engine)
{
	struct dma_device *device = &kernel_of(target)->devices[number].dma;

	return device->driver->dma_finish(device, engine);
}

static int kernel_prefetch(struct target *target, unsigned int number, uint32_t pasid,
			   uint64_t addr, bool write)
{
	struct dma_device *device = &kernel_of(target)->devices[number].dma;

	return device->driver->prefetch ? device->driver->prefetch(device, pasid, addr, write) :
	       -EOPNOTSUPP;
}

static int kernel_prefetch_start(struct target *target, unsigned int number, uint32_t pasid,
				 uint64_t addr, bool write)
{
	struct dma_device *device = &kernel_of(target)->devices[number].dma;

	return device->driver->prefetch_start ?
	       device->driver->prefetch_start(device, pasid, addr, write) : -EOPNOTSUPP;
}

static int kernel_prefetch_finish(struct target *target, unsigned int number)
{
	struct dma_device *device = &kernel_of(target)->devices[number].dma;

	return device->driver->prefetch_finish ? device->driver->prefetch_finish(device) :
	       -EOPNOTSUPP;
}

/* Mapped for this access only: a vIOMMU lives as long as its registers are mapped. */
static int kernel_viommu_mmio(struct target *target, struct iommufd *iommufd,
			      uint64_t mmap_offset, uint64_t offset, unsigned int size, bool write,
			      uint64_t *value)
{
	volatile uint32_t *registers;

	if (size != sizeof(*registers) || offset + size > VIOMMU_REGISTERS)
		return -EINVAL;
	registers = iommufd->ops->mmap(iommufd, NULL, VIOMMU_REGISTERS, PROT_READ | PROT_WRITE,
				       MAP_SHARED, mmap_offset);
	if (registers == MAP_FAILED)
		return -errno;
	if (write)
		registers[offset / size] = *value;
	else
		*value = registers[offset / size];
	munmap((void *)registers, VIOMMU_REGISTERS);
	return 0;
}

/* A device that is open and says what its hardware saw; NULL: none */
static struct dma_device *observer(struct kernel *kernel)
{
	for (unsigned int i = 0; i < TARGET_DEVICES; i++) {
		struct dma_device *device = &kernel->devices[i].dma;

		if (kernel->devices[i].owner >= 0 && device->driver->settle)
			return device;
	}
	return NULL;
}

static void kernel_waiting(struct target *target, void (*fn)(void *arg), void *arg)
{
	struct kernel *kernel = kernel_of(target);
	struct dma_device *device = observer(kernel);

	if (device && device->driver->want_moment && watch_want(&kernel->watch, device, fn, arg))
		check_note("nobody watches for the moment that the kernel waits");
}

/* The kernel's threads do their part by themselves; on a single CPU they need it for a moment. */
static int kernel_service(struct target *target)
{
	struct dma_device *device = observer(kernel_of(target));

	sched_yield();
	return device ? device->driver->settle(device) : 0;
}

static int kernel_page_request(struct target *target, unsigned int number, uint32_t pasid,
			       uint64_t addr, unsigned int group, bool write)
{
	struct dma_device *device = &kernel_of(target)->devices[number].dma;

	int rc = device->driver->page_request ?
		 device->driver->page_request(device, pasid, addr, group, write) : -EOPNOTSUPP;

	return rc ?: kernel_service(target);
}

static int kernel_page_answer(struct target *target, unsigned int number, unsigned int group)
{
	struct dma_device *device = &kernel_of(target)->devices[number].dma;

	int rc = device->driver->page_answer ? kernel_service(target) : -EOPNOTSUPP;

	return rc ?: device->driver->page_answer(device, group);
}

/* IOMMUs are the same for every device that says what they counted; its ATC is its own. */
static int kernel_counts(struct target *target, struct counts *counts)
{
	struct kernel *kernel = kernel_of(target);
	uint64_t cached = 0;
	int rc = 0;

	*counts = (struct counts){};
	for (unsigned int i = 0; i < target->device_count && !rc; i++) {
		struct dma_device *device = &kernel->devices[i].dma;

		if (kernel->devices[i].owner < 0)
			continue;
		rc = device->driver->counts(device, counts);
		cached += counts->cached;
	}
	counts->cached = cached;
	return rc;
}

static uint64_t kernel_call_ns(struct target *target)
{
	return kernel_of(target)->call_ns;
}

/* The last that the hardware saw, behind what was asked of the kernel */
static void add_hardware(struct kernel *kernel)
{
	struct dma_device *device = observer(kernel);
	uint64_t end = device ? device->driver->mark(device) : 0;
	char line[JOURNAL_LINE];

	for (uint64_t n = end > HARDWARE_LINES ? end - HARDWARE_LINES : 0; n < end; n++) {
		n = device->driver->event(device, n, line, sizeof(line));
		if (n < end)
			journal_add(&kernel->journal, "saw %s", line);
	}
}

static uint64_t kernel_mark(struct target *target)
{
	add_hardware(kernel_of(target));
	return journal_mark(&kernel_of(target)->journal);
}

static uint64_t kernel_event(struct target *target, uint64_t number, char *line, unsigned int size)
{
	return journal_read(&kernel_of(target)->journal, number, line, size);
}

static void kernel_close(struct target *target)
{
	struct kernel *kernel = kernel_of(target);

	if (!kernel)
		return;
	watch_stop(&kernel->watch);
	for (unsigned int i = 0; i < TARGET_DEVICES; i++)
		release(&kernel->devices[i]);
	if (kernel->memory.base)
		munmap(kernel->memory.base, MEMORY_ROOM);
	pthread_mutex_destroy(&kernel->probe_lock);
	journal_close(&kernel->journal);
	free(kernel);
	target->priv = NULL;
}

static const struct target_ops kernel_ops = {
	.name = "kernel",
	.iommufd_open = kernel_iommufd_open,
	.memory = kernel_memory,
	.bind = kernel_bind,
	.unbind = kernel_unbind,
	.attach = kernel_attach,
	.detach = kernel_detach,
	.reset = kernel_reset,
	.dma = kernel_dma,
	.dma_start = kernel_dma_start,
	.dma_finish = kernel_dma_finish,
	.prefetch = kernel_prefetch,
	.prefetch_start = kernel_prefetch_start,
	.prefetch_finish = kernel_prefetch_finish,
	.viommu_mmio = kernel_viommu_mmio,
	.waiting = kernel_waiting,
	.turn = kernel_turn,
	.service = kernel_service,
	.page_request = kernel_page_request,
	.page_answer = kernel_page_answer,
	.counts = kernel_counts,
	.call_ns = kernel_call_ns,
	.mark = kernel_mark,
	.event = kernel_event,
	.close = kernel_close,
};

/* What of the machine a test wants is not the machine's to give */
static bool wants_other_hardware(const struct target_config *config)
{
	return (config->iommu && !config->any_iommu) || config->ats_queue_depth ||
	       config->atc_entries || config->ram;
}

/* Does a device with @has lack what its test wants it to lack? */
static bool lacks_enough(unsigned int has, const struct target_config *config)
{
	return !((config->no_ats && has & TARGET_ATS) || (config->no_pri && has & TARGET_PRI) ||
		 (config->no_pasid && has & TARGET_PASID));
}

static void add_device(struct target *target, struct found *found, unsigned int iommu)
{
	struct kernel_device *device = &kernel_of(target)->devices[target->device_count];

	snprintf(device->bdf, sizeof(device->bdf), "%s", found->bdf);
	target->devices[target->device_count++] = (struct target_device){
		.rid = pci_rid(found->bdf), .iommu = iommu, .ats = found->has & TARGET_ATS,
		.pri = found->has & TARGET_PRI, .pasid = found->has & TARGET_PASID,
	};
	target->has &= found->has;
	found->taken = true;
}

/* The first @wanted IOMMUs that there are devices behind; how many there were */
static unsigned int find_iommus(const struct found *found, unsigned int count,
				const char *iommus[TARGET_DEVICES], unsigned int wanted)
{
	unsigned int seen = 0;

	for (unsigned int i = 0; i < count; i++) {
		unsigned int n = 0;

		while (n < seen && strcmp(iommus[n], found[i].iommu))
			n++;
		if (n == seen && seen < wanted)
			iommus[seen++] = found[i].iommu;
	}
	return seen;
}

/* 0, or -errno with target->lacks where that is why */
static int take(struct target *target, struct found *found, unsigned int iommu, const char *vendor,
		const struct target_config *config)
{
	int rc = discover_abilities(found);

	if (rc)
		return rc;
	if (!found->vendor || strcmp(found->vendor, vendor))
		target->lacks = "the IOMMU here is of another make";
	else if (!lacks_enough(found->has, config))
		target->lacks = OTHER_HARDWARE;
	if (target->lacks)
		return -EOPNOTSUPP;
	add_device(target, found, iommu);
	return 0;
}

/*
 * Device n behind IOMMU n % iommus, all of one kind where that goes. A second one that nobody asked
 * for is welcome if it is as good as the first.
 */
static int choose(struct target *target, struct found *found, unsigned int count,
		  const struct target_config *config, const char *vendor)
{
	unsigned int wanted = config->iommus ?: 1, devices = config->devices ?: 2, first = count;
	const char *iommus[TARGET_DEVICES];

	if (find_iommus(found, count, iommus, wanted) < wanted) {
		target->lacks = "needs more IOMMUs than there are here";
		return -EOPNOTSUPP;
	}
	for (unsigned int n = 0; n < devices; n++) {
		bool asked_for = n < (config->devices ?: wanted);
		unsigned int i = 0;
		int rc;

		while (i < count && (found[i].taken || strcmp(found[i].iommu, iommus[n % wanted])))
			i++;
		if (!asked_for && (i == count || found[i].driver != found[first].driver))
			break;
		if (i == count) {
			target->lacks = TARGET_FEWER_DEVICES;
			return -EOPNOTSUPP;
		}
		if (!n)
			first = i;
		rc = take(target, &found[i], n % wanted, vendor, config);
		if (rc)
			return rc;
	}
	return 0;
}

static int find_machine(struct target *target, const char *vendor,
			const struct target_config *config)
{
	struct found found[CANDIDATES];
	unsigned int count = discover(found, CANDIDATES);

	if (!count)
		target->lacks = "no device here that tests may use";
	else if (wants_other_hardware(config))
		target->lacks = OTHER_HARDWARE;
	if (target->lacks)
		return -EOPNOTSUPP;
	return choose(target, found, count, config, vendor);
}

int kernel_open(struct target *target, const char *vendor, const struct target_config *config)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	int rc;

	*target = (struct target){ .ops = &kernel_ops, .priv = kernel };
	if (!kernel)
		return -ENOMEM;
	for (unsigned int i = 0; i < TARGET_DEVICES; i++)
		kernel->devices[i].owner = -1;
	pthread_mutex_init(&kernel->probe_lock, NULL);
	journal_open(&kernel->journal);
	watch_init(&kernel->watch);
	target->has = ~(TARGET_REFERENCE | (watch_possible() ? 0 : TARGET_WAITING));
	rc = reserve_memory(kernel) ?: find_machine(target, vendor, config);
	if (!rc)
		target->lacks = target_lacks(target, config->needs |
					     (config->dma_optional ? 0 : TARGET_DMA));
	if (!rc && target->lacks)
		rc = -EOPNOTSUPP;
	if (rc)
		kernel_close(target);
	return rc;
}
