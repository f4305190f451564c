// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of every nesting call fails once.
 *
 * /proc/thread-self/fail-nth makes the n-th fault-injection point that this thread passes fail
 * (Documentation/fault-injection/fault-injection.rst). Each operation below is called on a fresh
 * VM with n = 1, 2, 3, ... until a call passes fewer than n points. Whatever point failed, the
 * call must either do all of its work or fail and leave everything as it was, and every object
 * must be destroyable afterwards: an object that cannot be is a reference that leaked.
 *
 * One failure by itself does not reach all of the code: an xarray that gets no node asks again. So
 * each operation is also called with the n-th point and every later allocation of the thread
 * failing (/proc/thread-self/make-it-fail): memory runs out, and stays short.
 *
 * Three injectors take part: failslab, fail_page_alloc, and iommufd's own fail_iommufd, which
 * fails look-ups and page pinning. Their counters of remaining failures tell which one it was,
 * hence which errno is right.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "vm.h"

#define MAX_POINTS 4000		/* a runaway guard only; fork() passes the most, some hundred */
#define MANY_FAILURES "1000"	/* an end for what tries again while memory is short */

#define IOVA MOCK_APERTURE_START
#define IOVA_FREE (IOVA + 0x1000000)
#define BUF_PAGES 4
#define PASID 5
#define BARE_VIRT_ID 0x12345	/* far from the other, so that it needs nodes of its own */
#define EVENT_DEPTH 4
#define FAULT_ADDR 0x1000

/* Who failed a call; the first in the order of the table below */
enum injector { SLAB, PAGE_ALLOC, IOMMUFD, NR_INJECTORS, OTHER = NR_INJECTORS, NOBODY };

static const struct {
	const char *name, *times;	/* @times: failures left; never runs out here */
} injectors[NR_INJECTORS] = {
	[SLAB] = { "slab", "/sys/kernel/debug/failslab/times" },
	[PAGE_ALLOC] = { "page", "/sys/kernel/debug/fail_page_alloc/times" },
	[IOMMUFD] = { "iommufd", "/sys/kernel/debug/fail_iommufd/times" },
};

/*
 * Which allocations may fail: the n-th of the thread, and all of a thread that asked for it. Their
 * old values are put back, the last one first: the machine may be somebody's.
 */
static struct knob {
	const char *path, *value;
	char old[32];
} knobs[] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/failslab/times", MANY_FAILURES },
	{ "/sys/kernel/debug/failslab/verbose", "0" },
	{ "/sys/kernel/debug/failslab/task-filter", "Y" },
	{ "/sys/kernel/debug/failslab/probability", "100" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/times", MANY_FAILURES },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/task-filter", "Y" },
	{ "/sys/kernel/debug/fail_page_alloc/probability", "100" },
	{ "/sys/kernel/debug/fail_iommufd/times", MANY_FAILURES },
	{ "/sys/kernel/debug/fail_iommufd/verbose", "0" },
};

/**
 * struct injection - the state of one sweep over the points of a call
 * @nth_fd: /proc/thread-self/fail-nth
 * @all_fd: /proc/thread-self/make-it-fail
 * @stays: memory stays short from the n-th point on
 * @fired: how often each injector made a call fail, or succeed without what it asked for
 * @refused: injected failures that the call reported; the others it made do without
 */
struct injection {
	int nth_fd, all_fd;
	bool stays;
	unsigned int fired[NR_INJECTORS];
	unsigned int refused;
};

static long read_number(int fd)
{
	char text[32];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return -1;
	text[len] = '\0';
	return strtol(text, NULL, 0);
}

/* debugfs files cannot be read twice through one descriptor. */
static long read_number_at(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "-1";

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 0);
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool set_knob(struct knob *knob)
{
	int fd = open(knob->path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, knob->old, sizeof(knob->old) - 1);
	close(fd);
	if (len <= 0)
		return false;
	knob->old[strcspn(knob->old, "\n")] = '\0';
	return write_text(knob->path, knob->value);
}

static bool injection_start(struct injection *injection)
{
	*injection = (struct injection) { .nth_fd = -1, .all_fd = -1 };
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		if (!set_knob(&knobs[i]))
			return false;
	/* A thread's own number: other threads and processes are left alone. */
	injection->nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	injection->all_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	return injection->nth_fd >= 0 && injection->all_fd >= 0;
}

static void injection_stop(struct injection *injection)
{
	for (size_t i = ARRAY_SIZE(knobs); i--;)
		if (knobs[i].old[0])
			write_text(knobs[i].path, knobs[i].old);
	if (injection->nth_fd > 0)
		close(injection->nth_fd);
	if (injection->all_fd > 0)
		close(injection->all_fd);
}

static void injection_arm(struct __test_metadata *_metadata, struct injection *injection,
			  unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	ASSERT_EQ(len, pwrite(injection->nth_fd, text, len, 0));
	if (injection->stays) {
		ASSERT_EQ(1, pwrite(injection->all_fd, "1", 1, 0));
	}
}

/* End it. Returns who failed something since injection_arm(); of several, the last of the table. */
static enum injector injection_disarm(struct __test_metadata *_metadata,
				      struct injection *injection)
{
	bool fired = read_number(injection->nth_fd) == 0;
	enum injector who = OTHER;

	/* Writing passes points too; what it says when it fails itself is of no interest. */
	while (injection->stays && pwrite(injection->all_fd, "0", 1, 0) != 1)
		;
	while (pwrite(injection->nth_fd, "0", 1, 0) != 1)
		;
	for (int i = 0; i < NR_INJECTORS; i++) {
		if (read_number_at(injectors[i].times) == strtol(MANY_FAILURES, NULL, 0))
			continue;
		ASSERT_EQ(true, write_text(injectors[i].times, MANY_FAILURES));
		who = i;
	}
	return fired ? who : NOBODY;
}

/**
 * struct world - a VM with one of everything, for one call to be made in
 * @vm: its device is in the vIOMMU and attached to the nested HWPT
 * @buf: memory of the VM at IOVA; it is the file @mem_fd
 * @bare: a second device, without vDEVICE
 * @paging, @paging2: PASID-compatible HWPTs of the IOAS
 * @nested2: another nested HWPT of the vIOMMU
 * @faulting: a nested HWPT of the vIOMMU with @fault
 * @made, @made_fd: what the call under test returned; 0 and -1 for nothing
 * @map: vIOMMU page mapped by the call under test
 * @next_id: the lowest free id before the call, if @ids_are_reused
 * @target: what the call destroys, or needs beside the rest
 * @entries: entry_num as an invalidation left it
 * @info: a word that a query returned
 * @cookie, @event: of the fault and the event that were read last
 * @access: an in-kernel user of the IOAS, and @pin what it has pinned
 * @other: a VM of its own, with nothing in it yet
 */
struct world {
	struct vm vm;
	uint8_t *buf;
	int mem_fd;
	struct mock_device bare;
	uint32_t paging, paging2;
	uint32_t nested2, faulting;
	uint32_t fault, veventq;
	int fault_fd, veventq_fd;
	struct iommu_viommu_selftest viommu_data;
	uint32_t made;
	int made_fd;
	void *map;
	uint32_t next_id;
	bool ids_are_reused;
	uint32_t target;
	uint32_t entries;
	uint32_t info;
	uint32_t cookie;
	struct {
		struct iommufd_vevent_header header;
		struct iommu_viommu_event_selftest event;
	} event;
	int access;
	uint32_t pin;
	struct vm other;
};

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static size_t buf_size(void)
{
	return BUF_PAGES * page_size();
}

/* As long as iommufd gives the lowest free id (main.c:_iommufd_object_alloc), a leak shows. */
static uint32_t next_free_id(struct __test_metadata *_metadata, struct world *w)
{
	uint32_t id = ioas_alloc(&w->vm.iommufd);

	iommufd_destroy(&w->vm.iommufd, id);
	return id;
}

static uint32_t nested_of_viommu(struct __test_metadata *_metadata, struct world *w,
				 uint32_t flags)
{
	return mock_hwpt_alloc_nested(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.viommu, flags,
				      w->fault, VM_IOTLB);
}

static void world_add_viommu(struct __test_metadata *_metadata, struct world *w)
{
	struct vm *vm = &w->vm;

	w->viommu_data.in_data = 0x1234;
	ASSERT_EQ(0, __viommu_alloc(&vm->iommufd, vm->dev.idev_id, vm->parent,
				    IOMMU_VIOMMU_TYPE_SELFTEST, &w->viommu_data,
				    sizeof(w->viommu_data), &vm->viommu));
	vm->vdevice = vdevice_alloc(&vm->iommufd, vm->viommu, vm->dev.idev_id, VM_VIRT_ID);
	ASSERT_EQ(0, __veventq_alloc(&vm->iommufd, vm->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
				     EVENT_DEPTH, &w->veventq, &w->veventq_fd));
	ASSERT_EQ(0, __fault_queue_alloc(&vm->iommufd, &w->fault, &w->fault_fd));
	vm->nested = nested_of_viommu(_metadata, w, IOMMU_HWPT_ALLOC_PASID);
	w->nested2 = nested_of_viommu(_metadata, w, IOMMU_HWPT_ALLOC_PASID);
	w->faulting = nested_of_viommu(_metadata, w,
				       IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID);
}

static bool world_make(struct __test_metadata *_metadata, struct world *w)
{
	struct vm *vm = &w->vm;

	memset(w, 0, sizeof(*w));
	w->made_fd = -1;
	w->access = -1;
	if (!vm_open(_metadata, vm))
		return false;
	w->mem_fd = memfd_create("nit", MFD_CLOEXEC);
	ASSERT_LE(0, w->mem_fd);
	ASSERT_EQ(0, ftruncate(w->mem_fd, buf_size()));
	/* Shared, so that a fork does not copy it; touched, so that pinning faults nothing in. */
	w->buf = mmap(NULL, buf_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      w->mem_fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)w->buf);
	ASSERT_EQ(0, __ioas_map(&vm->iommufd, vm->ioas, w->buf, buf_size(), IOVA,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
	vm_add_device(_metadata, vm, MOCK_FLAGS_DEVICE_PASID);
	w->bare = mock_device_create(&vm->iommufd, vm->ioas, MOCK_FLAGS_DEVICE_PASID);
	vm->parent = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas,
				IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	w->paging = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas, IOMMU_HWPT_ALLOC_PASID);
	w->paging2 = hwpt_alloc(&vm->iommufd, vm->dev.idev_id, vm->ioas, IOMMU_HWPT_ALLOC_PASID);
	world_add_viommu(_metadata, w);
	mock_device_replace(&vm->iommufd, vm->dev.stdev_id, vm->nested);
	return true;
}

/* Everything can be destroyed: nothing holds a reference that it should not. */
static void world_destroy(struct __test_metadata *_metadata, struct world *w)
{
	struct vm *vm = &w->vm;

	iommufd_destroy(&vm->iommufd, vm->dev.stdev_id);
	iommufd_destroy(&vm->iommufd, w->bare.stdev_id);
	iommufd_destroy(&vm->iommufd, vm->nested);
	iommufd_destroy(&vm->iommufd, w->nested2);
	iommufd_destroy(&vm->iommufd, w->faulting);
	ASSERT_EQ(0, close(w->fault_fd));
	iommufd_destroy(&vm->iommufd, w->fault);
	ASSERT_EQ(0, close(w->veventq_fd));
	iommufd_destroy(&vm->iommufd, w->veventq);
	iommufd_destroy(&vm->iommufd, vm->viommu);
	iommufd_destroy(&vm->iommufd, vm->parent);
	iommufd_destroy(&vm->iommufd, w->paging);
	iommufd_destroy(&vm->iommufd, w->paging2);
	iommufd_destroy(&vm->iommufd, vm->ioas);
	EXPECT_EQ(0, __mock_check_refs(&vm->iommufd, w->buf, buf_size(), 0));
	iommufd_close(&vm->iommufd);
	munmap(w->buf, buf_size());
	close(w->mem_fd);
}

/*
 * After a failure that is none of memory, a user copy for instance, the state may be any:
 * let closing clean up.
 */
static void world_abandon(struct world *w)
{
	if (w->map)
		munmap(w->map, w->viommu_data.out_mmap_length);
	if (w->made_fd >= 0)
		close(w->made_fd);
	close(w->fault_fd);
	close(w->veventq_fd);
	iommufd_close(&w->vm.iommufd);
	munmap(w->buf, buf_size());
	close(w->mem_fd);
}

/**
 * struct operation - one call and how to judge it
 * @prepare: what must be there first; optional
 * @call: the call under test; 0 or -errno
 * @done: what the call is for has happened; optional
 * @not_done: nothing has happened; optional
 * @undo: back to before the call, so that every object can be destroyed; NULL destroys @made
 * @rule: the rule it stands for
 * @cannot_fail: succeeds whatever fails, and may need nothing that can fail
 */
struct operation {
	void (*prepare)(struct __test_metadata *_metadata, struct world *w);
	int (*call)(struct world *w);
	void (*done)(struct __test_metadata *_metadata, struct world *w);
	void (*not_done)(struct __test_metadata *_metadata, struct world *w);
	void (*undo)(struct __test_metadata *_metadata, struct world *w);
	const char *rule;
	bool cannot_fail;
};

/* ---- calls that make an object ---- */

static int call_ioas_alloc(struct world *w)
{
	return __ioas_alloc(&w->vm.iommufd, &w->made);
}

static int call_open(struct world *w)
{
	struct iommufd other;
	int rc = __iommufd_open(&other);

	if (!rc)
		iommufd_close(&other);
	return rc;
}

static int alloc_hwpt(struct world *w, uint32_t flags)
{
	return __hwpt_alloc_data(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.ioas, flags, w->fault,
				 IOMMU_HWPT_DATA_NONE, NULL, 0, &w->made);
}

static int call_hwpt_paging(struct world *w)
{
	return alloc_hwpt(w, 0);
}

static int call_hwpt_parent(struct world *w)
{
	return alloc_hwpt(w, IOMMU_HWPT_ALLOC_NEST_PARENT);
}

static int call_hwpt_dirty(struct world *w)
{
	return alloc_hwpt(w, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
}

static int call_hwpt_paging_fault(struct world *w)
{
	return alloc_hwpt(w, IOMMU_HWPT_FAULT_ID_VALID);
}

static int alloc_nested(struct world *w, uint32_t pt_id, uint32_t flags)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };

	return __hwpt_alloc_data(&w->vm.iommufd, w->vm.dev.idev_id, pt_id, flags, w->fault,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &w->made);
}

static int call_nested_of_parent(struct world *w)
{
	return alloc_nested(w, w->vm.parent, 0);
}

static int call_nested_of_parent_fault(struct world *w)
{
	return alloc_nested(w, w->vm.parent, IOMMU_HWPT_FAULT_ID_VALID);
}

static int call_nested_of_viommu(struct world *w)
{
	return alloc_nested(w, w->vm.viommu, 0);
}

static int call_nested_of_viommu_fault(struct world *w)
{
	return alloc_nested(w, w->vm.viommu, IOMMU_HWPT_FAULT_ID_VALID);
}

/* The new page table works: it has the mappings of the IOAS, or its own IOTLB. */
static void paging_works(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __mock_check_map(&w->vm.iommufd, w->made, IOVA, buf_size(), w->buf));
}

static void nested_works(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __mock_check_iotlb(&w->vm.iommufd, w->made, 0, VM_IOTLB));
}

static int call_viommu(struct world *w)
{
	return __viommu_alloc(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &w->made);
}

static int call_viommu_with_data(struct world *w)
{
	struct iommu_viommu_selftest data = { .in_data = 1 };

	return __viommu_alloc(&w->vm.iommufd, w->vm.dev.idev_id, w->vm.parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data), &w->made);
}

static int call_vdevice(struct world *w)
{
	return __vdevice_alloc(&w->vm.iommufd, w->vm.viommu, w->bare.idev_id, BARE_VIRT_ID,
			       &w->made);
}

static int call_veventq(struct world *w)
{
	return __veventq_alloc(&w->vm.iommufd, w->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST + 1,
			       EVENT_DEPTH, &w->made, &w->made_fd);
}

static int call_fault_queue(struct world *w)
{
	return __fault_queue_alloc(&w->vm.iommufd, &w->made, &w->made_fd);
}

static int call_hw_queue(struct world *w)
{
	return __hw_queue_alloc(&w->vm.iommufd, w->vm.viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
				IOVA, page_size(), &w->made);
}

static int call_hw_queue_next(struct world *w)
{
	return __hw_queue_alloc(&w->vm.iommufd, w->vm.viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, 1,
				IOVA + page_size(), page_size(), &w->made);
}

static void prepare_hw_queue(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_hw_queue(w));
	w->target = w->made;
	w->made = 0;
}

static void undo_hw_queue_next(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->vm.iommufd, w->made);
	iommufd_destroy(&w->vm.iommufd, w->target);
}

/* The first of its kind in a context: nothing there has room for it yet. */

static void prepare_other(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, __iommufd_open(&w->other.iommufd));
}

static int call_first_ioas(struct world *w)
{
	return __ioas_alloc(&w->other.iommufd, &w->other.ioas);
}

static void undo_first_ioas(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->other.iommufd, w->other.ioas);
	iommufd_close(&w->other.iommufd);
}

static void prepare_first_device(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(true, vm_open(_metadata, &w->other));
}

static int call_first_device(struct world *w)
{
	return __mock_device_create(&w->other.iommufd, w->other.ioas, 0, &w->other.dev);
}

static void undo_first_device(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->other.iommufd, w->other.dev.stdev_id);
	undo_first_ioas(_metadata, w);
}

static void prepare_first_viommu(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(true, vm_setup_parent(_metadata, &w->other));
}

static int call_first_viommu(struct world *w)
{
	struct iommu_viommu_selftest data = { .in_data = 1 };

	return __viommu_alloc(&w->other.iommufd, w->other.dev.idev_id, w->other.parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data), &w->other.viommu);
}

static void undo_first_viommu(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->other.iommufd, w->other.viommu);
	iommufd_destroy(&w->other.iommufd, w->other.parent);
	undo_first_device(_metadata, w);
}

/* ---- calls that destroy @target ---- */

static int call_destroy(struct world *w)
{
	return __iommufd_destroy(&w->vm.iommufd, w->target);
}

static void is_destroyed(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&w->vm.iommufd, w->target));
}

static void undo_nothing(struct __test_metadata *_metadata, struct world *w)
{
}

/* The object that @call makes is what is destroyed. */
static void prepare_target(struct __test_metadata *_metadata, struct world *w,
			   int (*call)(struct world *w))
{
	ASSERT_EQ(0, call(w));
	if (w->made_fd >= 0) {
		ASSERT_EQ(0, close(w->made_fd));
	}
	w->target = w->made;
	w->made = 0;
	w->made_fd = -1;
}

static void prepare_nested_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_nested_of_viommu_fault);
}

static void prepare_parent_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_hwpt_parent);
}

static void prepare_viommu_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_viommu_with_data);
}

static void prepare_vdevice_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_vdevice);
}

static void prepare_veventq_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_veventq);
}

static void prepare_fault_target(struct __test_metadata *_metadata, struct world *w)
{
	prepare_target(_metadata, w, call_fault_queue);
}

/* ---- mappings ---- */

static int call_map(struct world *w)
{
	return __ioas_map(&w->vm.iommufd, w->vm.ioas, w->buf, buf_size(), IOVA_FREE,
			  IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
}

static int call_map_file(struct world *w)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = w->vm.ioas,
		.fd = w->mem_fd,
		.length = buf_size(),
		.iova = IOVA_FREE,
	};

	return __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_MAP_FILE, &cmd);
}

static int call_copy(struct world *w)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.dst_ioas_id = w->vm.ioas,
		.src_ioas_id = w->vm.ioas,
		.length = buf_size(),
		.dst_iova = IOVA_FREE,
		.src_iova = IOVA,
	};

	return __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_COPY, &cmd);
}

static int call_unmap(struct world *w)
{
	return __ioas_unmap(&w->vm.iommufd, w->vm.ioas, IOVA_FREE, buf_size(), NULL);
}

static void is_mapped(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __mock_check_map(&w->vm.iommufd, w->vm.parent, IOVA_FREE, buf_size(),
				      w->buf));
}

/* The mock's look at an IOVA without translation; 0 would mean that it has one. */
static void is_not_mapped(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_NE(0, __mock_check_map(&w->vm.iommufd, w->vm.parent, IOVA_FREE, page_size(),
				      w->buf));
	EXPECT_EQ(0, __mock_check_refs(&w->vm.iommufd, w->buf, buf_size(), 1));
}

static void undo_map(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_unmap(w));
	is_not_mapped(_metadata, w);
}

static void prepare_map(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_map(w));
	is_mapped(_metadata, w);
}

/* IOVAs that the kernel may choose; the first one that it would is not among them. */
static int call_allow_iovas(struct world *w)
{
	struct iommu_iova_range range = { IOVA_FREE, IOVA_FREE + buf_size() - 1 };
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd), .ioas_id = w->vm.ioas, .num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};

	return __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* Where the kernel puts a mapping, which goes again */
static uint64_t chosen_iova(struct __test_metadata *_metadata, struct world *w)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd), .flags = IOMMU_IOAS_MAP_READABLE, .ioas_id = w->vm.ioas,
		.user_va = (uintptr_t)w->buf, .length = buf_size(),
	};

	ASSERT_EQ(0, __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_MAP, &cmd));
	ASSERT_EQ(0, __ioas_unmap(&w->vm.iommufd, w->vm.ioas, cmd.iova, buf_size(), NULL));
	return cmd.iova;
}

static void iovas_are_allowed(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(IOVA_FREE, chosen_iova(_metadata, w));
}

static void iovas_are_free(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_NE(IOVA_FREE, chosen_iova(_metadata, w));
}

static void undo_allow_iovas(struct __test_metadata *_metadata, struct world *w)
{
	struct iommu_ioas_allow_iovas cmd = { .size = sizeof(cmd), .ioas_id = w->vm.ioas };

	ASSERT_EQ(0, __iommufd_ioctl(&w->vm.iommufd, IOMMU_IOAS_ALLOW_IOVAS, &cmd));
}

/* ---- in-kernel users of the IOAS ---- */

static int call_access(struct world *w)
{
	return __access_create(&w->vm.iommufd, w->vm.ioas, TAKES_PINS, &w->access);
}

static void prepare_access(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_access(w));
}

static void prepare_access_and_ioas(struct __test_metadata *_metadata, struct world *w)
{
	prepare_access(_metadata, w);
	w->target = ioas_alloc(&w->vm.iommufd);
}

static int call_access_pin(struct world *w)
{
	return __access_pin(&w->vm.iommufd, w->access, IOVA, buf_size(), w->buf, 0, &w->pin);
}

static int call_access_read(struct world *w)
{
	uint8_t byte;

	return __access_rw(&w->vm.iommufd, w->access, IOVA, &byte, 1, 0);
}

static int call_access_replace(struct world *w)
{
	return __access_replace(&w->vm.iommufd, w->access, w->target);
}

static void pin_works(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, __access_unpin(&w->vm.iommufd, w->access, w->pin));
}

static void access_is_on_ioas(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, call_access_read(w));
}

static void access_is_on_target(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-ENOENT, call_access_read(w));
}

static void undo_access(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, close(w->access));
	if (w->target) {
		iommufd_destroy(&w->vm.iommufd, w->target);
	}
}

/* ---- devices ---- */
/* ---- devices ---- */

static int create_device(struct world *w, uint32_t pt_id)
{
	struct mock_device device = {};
	int rc = __mock_device_create(&w->vm.iommufd, pt_id, MOCK_FLAGS_DEVICE_PASID, &device);

	w->made = device.stdev_id;
	return rc;
}

static int call_device_on_ioas(struct world *w)
{
	return create_device(w, w->vm.ioas);
}

static int call_device_on_parent(struct world *w)
{
	return create_device(w, w->vm.parent);
}

static void prepare_ioas2(struct __test_metadata *_metadata, struct world *w)
{
	w->target = ioas_alloc(&w->vm.iommufd);
	ASSERT_EQ(0, __ioas_map(&w->vm.iommufd, w->target, w->buf, buf_size(), IOVA,
				IOMMU_IOAS_MAP_READABLE));
}

/* Makes the IOAS's own page table, fills it, and attaches. */
static int call_device_on_ioas2(struct world *w)
{
	return create_device(w, w->target);
}

static void undo_device_on_ioas2(struct __test_metadata *_metadata, struct world *w)
{
	iommufd_destroy(&w->vm.iommufd, w->made);
	iommufd_destroy(&w->vm.iommufd, w->target);
}

static int call_unbind(struct world *w)
{
	return __iommufd_destroy(&w->vm.iommufd, w->bare.stdev_id);
}

static void is_unbound(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-ENOENT, __iommufd_destroy(&w->vm.iommufd, w->bare.idev_id));
}

static void undo_unbind(struct __test_metadata *_metadata, struct world *w)
{
	w->bare = mock_device_create(&w->vm.iommufd, w->vm.ioas, MOCK_FLAGS_DEVICE_PASID);
}

/* Attachment of the RID is that of PASID 0, iommu.c:iommu_attach_group_handle(). */
static void expect_attached(struct __test_metadata *_metadata, struct world *w, uint32_t pasid,
			    uint32_t hwpt)
{
	EXPECT_EQ(0, __mock_pasid_check(&w->vm.iommufd, w->vm.dev.stdev_id, pasid, hwpt));
}

static int replace(struct world *w, uint32_t pt_id)
{
	return __mock_device_replace(&w->vm.iommufd, w->vm.dev.stdev_id, pt_id);
}

static int call_replace_by_nested(struct world *w)
{
	return replace(w, w->nested2);
}

static int call_replace_by_fault(struct world *w)
{
	return replace(w, w->faulting);
}

static int call_replace_by_paging(struct world *w)
{
	return replace(w, w->paging);
}

/* Detaching is replacing by the IOAS on the mock, whose page table @bare uses already. */
static int call_replace_by_ioas(struct world *w)
{
	return replace(w, w->vm.ioas);
}

static int call_replace_by_ioas2(struct world *w)
{
	return replace(w, w->target);
}

static void is_on_nested(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->vm.nested);
	EXPECT_EQ(-EBUSY, __iommufd_destroy(&w->vm.iommufd, w->vm.nested));
}

static void is_on_nested2(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->nested2);
}

static void is_on_fault(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->faulting);
}

static void is_on_paging(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->paging);
}

static void is_on_ioas(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, 0, w->vm.dev.hwpt_id);
}

static void undo_replace(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, replace(w, w->vm.nested));
}

static void undo_replace_by_ioas2(struct __test_metadata *_metadata, struct world *w)
{
	undo_replace(_metadata, w);
	iommufd_destroy(&w->vm.iommufd, w->target);
}

static void prepare_on_fault(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, replace(w, w->faulting));
}

/* ---- PASIDs ---- */

static int attach_pasid(struct world *w, uint32_t hwpt)
{
	return __mock_pasid_attach(&w->vm.iommufd, w->vm.dev.stdev_id, PASID, hwpt);
}

static int replace_pasid(struct world *w, uint32_t hwpt)
{
	return __mock_pasid_replace(&w->vm.iommufd, w->vm.dev.stdev_id, PASID, hwpt);
}

static int call_pasid_attach(struct world *w)
{
	return attach_pasid(w, w->paging);
}

static int call_pasid_attach_fault(struct world *w)
{
	return attach_pasid(w, w->faulting);
}

static int call_pasid_replace(struct world *w)
{
	return replace_pasid(w, w->paging2);
}

static int call_pasid_replace_fault(struct world *w)
{
	return replace_pasid(w, w->faulting);
}

static int call_pasid_detach(struct world *w)
{
	return __mock_pasid_detach(&w->vm.iommufd, w->vm.dev.stdev_id, PASID);
}

static void prepare_pasid(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_pasid_attach(w));
}

static void pasid_is_on_nothing(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, 0);
}

static void pasid_is_on_paging(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, w->paging);
}

static void pasid_is_on_paging2(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, w->paging2);
}

static void pasid_is_on_fault(struct __test_metadata *_metadata, struct world *w)
{
	expect_attached(_metadata, w, PASID, w->faulting);
}

static void undo_pasid(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_pasid_detach(w));
}

/* ---- queries and invalidation ---- */

static int call_hw_info(struct world *w)
{
	struct iommu_test_hw_info info = {};
	uint32_t type, len = sizeof(info);
	uint64_t capabilities;
	uint8_t width;
	int rc = __get_hw_info(&w->vm.iommufd, w->vm.dev.idev_id, &type, &info, &len,
			       &capabilities, &width);

	w->info = info.test_reg;
	return rc;
}

static void has_hw_info(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL, w->info);
}

static void has_no_hw_info(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, w->info);
}

static int set_dirty_page(struct world *w)
{
	unsigned long bitmap[8] = { 1 };
	uint64_t dirty = 0;

	return __mock_set_dirty(&w->vm.iommufd, w->vm.parent, IOVA, buf_size(), page_size(),
				bitmap, &dirty);
}

static int call_start_tracking(struct world *w)
{
	return __hwpt_set_dirty_tracking(&w->vm.iommufd, w->vm.parent,
					 IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
}

static int call_stop_tracking(struct world *w)
{
	return __hwpt_set_dirty_tracking(&w->vm.iommufd, w->vm.parent, 0);
}

/* The mock takes dirty pages only while it tracks. */
static void is_tracking(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(0, set_dirty_page(w));
}

static void is_not_tracking(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-EINVAL, set_dirty_page(w));
}

static void prepare_tracking(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_start_tracking(w));
	ASSERT_EQ(0, set_dirty_page(w));
}

static int call_read_dirty(struct world *w)
{
	unsigned long bitmap[8] = {};
	int rc = __hwpt_get_dirty_bitmap(&w->vm.iommufd, w->vm.parent, 0, IOVA, buf_size(),
					 page_size(), bitmap);

	w->info = bitmap[0];
	return rc;
}

/* Also after a failure before: it must not have cleared what it did not report. */
static void has_dirty_page(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(1, w->info);
}

static int call_invalidate_nested(struct world *w)
{
	struct iommu_hwpt_invalidate_selftest entries[] = { { .iotlb_id = 0 }, { .iotlb_id = 1 } };

	w->entries = ARRAY_SIZE(entries);
	return __hwpt_invalidate(&w->vm.iommufd, w->vm.nested,
				 IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, entries, sizeof(entries[0]),
				 &w->entries);
}

static int call_invalidate_viommu(struct world *w)
{
	struct iommu_viommu_invalidate_selftest entries[] = {
		{ .vdev_id = VM_VIRT_ID, .cache_id = 0 },
		{ .vdev_id = VM_VIRT_ID, .cache_id = 1 },
	};

	w->entries = ARRAY_SIZE(entries);
	return __hwpt_invalidate(&w->vm.iommufd, w->vm.viommu,
				 IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, entries,
				 sizeof(entries[0]), &w->entries);
}

static void expect_iotlb(struct __test_metadata *_metadata, struct world *w, uint32_t invalid)
{
	for (uint32_t i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++) {
		EXPECT_EQ(0, __mock_check_iotlb(&w->vm.iommufd, w->vm.nested, i,
						i < invalid ? 0 : VM_IOTLB));
	}
}

static void expect_cache(struct __test_metadata *_metadata, struct world *w, uint32_t invalid)
{
	for (uint32_t i = 0; i < MOCK_DEV_CACHE_NUM; i++) {
		EXPECT_EQ(0, __mock_check_cache(&w->vm.iommufd, w->vm.dev.idev_id, i,
						i < invalid ? 0 : IOMMU_TEST_DEV_CACHE_DEFAULT));
	}
}

static void nested_is_invalidated(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(2, w->entries);
	expect_iotlb(_metadata, w, 2);
}

static void nested_is_untouched(struct __test_metadata *_metadata, struct world *w)
{
	expect_iotlb(_metadata, w, 0);
}

static void viommu_is_invalidated(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(2, w->entries);
	expect_cache(_metadata, w, 2);
}

static void viommu_is_untouched(struct __test_metadata *_metadata, struct world *w)
{
	expect_cache(_metadata, w, 0);
}

/* ---- faults and events ---- */

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLIN;
}

/* The mock's trigger cannot fail; a fault without memory is answered and never seen. */
static int call_trigger_fault(struct world *w)
{
	int rc = __mock_trigger_fault(&w->vm.iommufd, w->vm.dev.idev_id, 0, 1,
				      IOMMU_PGFAULT_PERM_READ, FAULT_ADDR);

	return rc ? rc : is_readable(w->fault_fd) ? 0 : -ENOMEM;
}

static int call_read_fault(struct world *w)
{
	struct iommu_hwpt_pgfault fault;
	ssize_t len = read(w->fault_fd, &fault, sizeof(fault));

	if (len < 0)
		return -errno;
	w->cookie = fault.cookie;
	return len == sizeof(fault) ? 0 : -EIO;
}

static int call_respond(struct world *w)
{
	struct iommu_hwpt_page_response response = { w->cookie, IOMMUFD_PAGE_RESP_SUCCESS };

	return write(w->fault_fd, &response, sizeof(response)) < 0 ? -errno : 0;
}

static void prepare_fault(struct __test_metadata *_metadata, struct world *w)
{
	prepare_on_fault(_metadata, w);
	ASSERT_EQ(0, call_trigger_fault(w));
}

static void prepare_fault_read(struct __test_metadata *_metadata, struct world *w)
{
	prepare_fault(_metadata, w);
	ASSERT_EQ(0, call_read_fault(w));
}

static void has_fault(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(true, is_readable(w->fault_fd));
}

static void has_no_fault(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(false, is_readable(w->fault_fd));
}

/* Read, and its cookie is good for one answer. */
static void is_answerable(struct __test_metadata *_metadata, struct world *w)
{
	has_no_fault(_metadata, w);
	EXPECT_EQ(0, call_respond(w));
	EXPECT_EQ(-EINVAL, call_respond(w));
}

static void is_answered(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(-EINVAL, call_respond(w));
}

static int call_report_event(struct world *w)
{
	return __mock_trigger_vevent(&w->vm.iommufd, w->vm.dev.idev_id);
}

/* One record to @event; 0, -EIO for a length that no record has, or -errno */
static int call_read_event(struct world *w)
{
	ssize_t len = read(w->veventq_fd, &w->event, sizeof(w->event));

	if (len < 0)
		return -errno;
	return len == sizeof(w->event) || len == sizeof(w->event.header) ? 0 : -EIO;
}

static void prepare_event(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_report_event(w));
}

/* What remains of a queue that overflowed is the record of the loss. */
static void prepare_lost_event(struct __test_metadata *_metadata, struct world *w)
{
	for (int i = 0; i < EVENT_DEPTH + 1; i++) {
		ASSERT_EQ(0, call_report_event(w));
	}
	for (int i = 0; i < EVENT_DEPTH; i++)
		ASSERT_EQ(0, call_read_event(w));
	w->event.header.flags = 0;
}

static void has_event(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(true, is_readable(w->veventq_fd));
}

static void expect_event_read(struct __test_metadata *_metadata, struct world *w, uint32_t flags)
{
	EXPECT_EQ(flags, w->event.header.flags);
	if (!flags) {
		EXPECT_EQ(VM_VIRT_ID, w->event.event.virt_id);
	}
	EXPECT_EQ(false, is_readable(w->veventq_fd));
}

static void event_is_read(struct __test_metadata *_metadata, struct world *w)
{
	expect_event_read(_metadata, w, 0);
}

static void lost_event_is_read(struct __test_metadata *_metadata, struct world *w)
{
	expect_event_read(_metadata, w, IOMMU_VEVENTQ_FLAG_LOST_EVENTS);
}

static void event_is_reported(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_read_event(w));
	event_is_read(_metadata, w);
}

/* A look-up that failed lost nothing; an event without memory is lost, and says so. */
static void event_is_lost(struct __test_metadata *_metadata, struct world *w)
{
	if (!is_readable(w->veventq_fd))
		return;
	ASSERT_EQ(0, call_read_event(w));
	lost_event_is_read(_metadata, w);
}

/* An event and the record of a loss in one read: what has no memory stays for the next. */
static void prepare_event_and_loss(struct __test_metadata *_metadata, struct world *w)
{
	for (int i = 0; i < EVENT_DEPTH + 1; i++) {
		ASSERT_EQ(0, call_report_event(w));
	}
	for (int i = 0; i < EVENT_DEPTH - 1; i++)
		ASSERT_EQ(0, call_read_event(w));
}

static int call_read_both(struct world *w)
{
	uint8_t records[2 * sizeof(w->event)];
	ssize_t len = read(w->veventq_fd, records, sizeof(records));

	if (len < 0)
		return -errno;
	w->info = len;
	return 0;
}

static void both_are_read(struct __test_metadata *_metadata, struct world *w)
{
	if (w->info == sizeof(w->event)) {
		ASSERT_EQ(0, call_read_event(w));
	} else {
		EXPECT_EQ(sizeof(w->event) + sizeof(w->event.header), w->info);
	}
	EXPECT_EQ(false, is_readable(w->veventq_fd));
}

/* ---- the mapping of a vIOMMU ---- */
/* ---- the mapping of a vIOMMU ---- */

static int call_mmap(struct world *w)
{
	return __iommufd_mmap(&w->vm.iommufd, w->viommu_data.out_mmap_length,
			      w->viommu_data.out_mmap_offset, &w->map);
}

static int call_munmap(struct world *w)
{
	return munmap(w->map, w->viommu_data.out_mmap_length) ? -errno : 0;
}

/* The child inherits the mapping, and drops it at once. */
static int call_fork(struct world *w)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : waitpid(pid, NULL, 0) == pid ? 0 : -ECHILD;
}

static void prepare_mmap(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_mmap(w));
}

static void map_works(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(w->viommu_data.in_data, *(volatile uint32_t *)w->map);
}

static void is_not_mmapped(struct __test_metadata *_metadata, struct world *w)
{
	EXPECT_EQ(NULL, w->map);
}

static void undo_mmap(struct __test_metadata *_metadata, struct world *w)
{
	ASSERT_EQ(0, call_munmap(w));
}

/* ---- the variants ---- */

FIXTURE(operation)
{
	struct injection injection;
	bool ready;
};

FIXTURE_VARIANT(operation)
{
	struct operation op;
};

#define OPERATION(_name, ...) \
	FIXTURE_VARIANT_ADD(operation, _name) { .op = { __VA_ARGS__ } }

OPERATION(open, .call = call_open);
OPERATION(ioas_alloc, .call = call_ioas_alloc);
OPERATION(hwpt_paging, .call = call_hwpt_paging, .done = paging_works);
OPERATION(hwpt_parent, .call = call_hwpt_parent, .done = paging_works);
OPERATION(hwpt_dirty, .call = call_hwpt_dirty, .done = paging_works);
OPERATION(hwpt_paging_fault, .call = call_hwpt_paging_fault, .done = paging_works);
OPERATION(nested_of_parent, .call = call_nested_of_parent, .done = nested_works);
OPERATION(nested_of_parent_fault, .call = call_nested_of_parent_fault, .done = nested_works);
OPERATION(nested_of_viommu, .call = call_nested_of_viommu, .done = nested_works);
OPERATION(nested_of_viommu_fault, .call = call_nested_of_viommu_fault, .done = nested_works);
OPERATION(viommu, .call = call_viommu);
OPERATION(viommu_with_data, .call = call_viommu_with_data);
OPERATION(vdevice, .call = call_vdevice);
OPERATION(veventq, .call = call_veventq);
OPERATION(fault_queue, .call = call_fault_queue);
OPERATION(hw_queue, .call = call_hw_queue);
OPERATION(hw_queue_next, .prepare = prepare_hw_queue, .call = call_hw_queue_next,
	  .undo = undo_hw_queue_next);

OPERATION(first_ioas, .prepare = prepare_other, .call = call_first_ioas,
	  .undo = undo_first_ioas);
OPERATION(first_device, .prepare = prepare_first_device, .call = call_first_device,
	  .undo = undo_first_device);
OPERATION(first_viommu, .prepare = prepare_first_viommu, .call = call_first_viommu,
	  .undo = undo_first_viommu);

#define DESTROY(_prepare) .prepare = _prepare, .call = call_destroy, .done = is_destroyed, \
	.undo = undo_nothing, .rule = "UAPI-87", .cannot_fail = true

OPERATION(destroy_nested, DESTROY(prepare_nested_target));
OPERATION(destroy_parent, DESTROY(prepare_parent_target));
OPERATION(destroy_viommu, DESTROY(prepare_viommu_target));
OPERATION(destroy_vdevice, DESTROY(prepare_vdevice_target));
OPERATION(destroy_veventq, DESTROY(prepare_veventq_target));
OPERATION(destroy_fault_queue, DESTROY(prepare_fault_target));
OPERATION(destroy_hw_queue, DESTROY(prepare_hw_queue));

OPERATION(ioas_map, .call = call_map, .done = is_mapped, .not_done = is_not_mapped,
	  .undo = undo_map);
OPERATION(ioas_map_file, .call = call_map_file, .done = is_mapped,
	  .not_done = is_not_mapped, .undo = undo_map);
OPERATION(ioas_copy, .call = call_copy, .done = is_mapped, .not_done = is_not_mapped,
	  .undo = undo_map);
OPERATION(ioas_unmap, .prepare = prepare_map, .call = call_unmap, .done = is_not_mapped,
	  .not_done = is_mapped, .undo = undo_nothing);

OPERATION(ioas_allow_iovas, .call = call_allow_iovas, .done = iovas_are_allowed,
	  .not_done = iovas_are_free, .undo = undo_allow_iovas);

OPERATION(access_create, .call = call_access, .done = access_is_on_ioas, .undo = undo_access);
OPERATION(access_pin, .prepare = prepare_access, .call = call_access_pin, .done = pin_works,
	  .undo = undo_access);
OPERATION(access_read, .prepare = prepare_access, .call = call_access_read,
	  .undo = undo_access);
OPERATION(access_replace, .prepare = prepare_access_and_ioas, .call = call_access_replace,
	  .done = access_is_on_target, .not_done = access_is_on_ioas, .undo = undo_access);

OPERATION(device_on_ioas, .call = call_device_on_ioas);
OPERATION(device_on_parent, .call = call_device_on_parent);
OPERATION(device_on_new_ioas, .prepare = prepare_ioas2, .call = call_device_on_ioas2,
	  .undo = undo_device_on_ioas2);
OPERATION(unbind, .call = call_unbind, .done = is_unbound, .undo = undo_unbind,
	  .rule = "UAPI-87", .cannot_fail = true);

#define REPLACE(_by) .call = call_replace_by_##_by, .not_done = is_on_nested, \
	.done = is_on_##_by, .undo = undo_replace

OPERATION(replace_by_nested, .call = call_replace_by_nested, .not_done = is_on_nested,
	  .done = is_on_nested2, .undo = undo_replace);
OPERATION(replace_by_fault, REPLACE(fault));
OPERATION(replace_by_paging, REPLACE(paging));
OPERATION(replace_by_ioas, REPLACE(ioas));
OPERATION(replace_by_new_ioas, .prepare = prepare_ioas2, .call = call_replace_by_ioas2,
	  .not_done = is_on_nested, .undo = undo_replace_by_ioas2);
OPERATION(replace_fault, .prepare = prepare_on_fault, .call = call_replace_by_nested,
	  .not_done = is_on_fault, .done = is_on_nested2, .undo = undo_replace);

OPERATION(pasid_attach, .call = call_pasid_attach, .not_done = pasid_is_on_nothing,
	  .done = pasid_is_on_paging, .undo = undo_pasid);
OPERATION(pasid_attach_fault, .call = call_pasid_attach_fault, .not_done = pasid_is_on_nothing,
	  .done = pasid_is_on_fault, .undo = undo_pasid);
OPERATION(pasid_replace, .prepare = prepare_pasid, .call = call_pasid_replace,
	  .not_done = pasid_is_on_paging, .done = pasid_is_on_paging2, .undo = undo_pasid);
OPERATION(pasid_replace_fault, .prepare = prepare_pasid, .call = call_pasid_replace_fault,
	  .not_done = pasid_is_on_paging, .done = pasid_is_on_fault, .undo = undo_pasid);
OPERATION(pasid_detach, .prepare = prepare_pasid, .call = call_pasid_detach,
	  .not_done = pasid_is_on_paging, .done = pasid_is_on_nothing, .undo = undo_nothing);

OPERATION(hw_info, .call = call_hw_info, .not_done = has_no_hw_info, .done = has_hw_info,
	  .undo = undo_nothing);
OPERATION(start_dirty_tracking, .call = call_start_tracking, .not_done = is_not_tracking,
	  .done = is_tracking, .undo = undo_nothing);
OPERATION(stop_dirty_tracking, .prepare = prepare_tracking, .call = call_stop_tracking,
	  .not_done = is_tracking, .done = is_not_tracking, .undo = undo_nothing);
OPERATION(read_dirty_bitmap, .prepare = prepare_tracking, .call = call_read_dirty,
	  .done = has_dirty_page, .undo = undo_nothing);

OPERATION(invalidate_nested, .call = call_invalidate_nested, .not_done = nested_is_untouched,
	  .done = nested_is_invalidated, .undo = undo_nothing);
OPERATION(invalidate_viommu, .call = call_invalidate_viommu, .not_done = viommu_is_untouched,
	  .done = viommu_is_invalidated, .undo = undo_nothing);

OPERATION(fault_trigger, .prepare = prepare_on_fault, .call = call_trigger_fault,
	  .not_done = has_no_fault, .done = has_fault, .undo = undo_replace, .rule = "UAPI-88");
OPERATION(fault_read, .prepare = prepare_fault, .call = call_read_fault, .not_done = has_fault,
	  .done = is_answerable, .undo = undo_replace, .rule = "UAPI-88");
OPERATION(fault_respond, .prepare = prepare_fault_read, .call = call_respond,
	  .done = is_answered, .undo = undo_replace, .rule = "UAPI-88", .cannot_fail = true);
OPERATION(vevent_report, .call = call_report_event, .not_done = event_is_lost,
	  .done = event_is_reported, .undo = undo_nothing, .rule = "UAPI-88");
OPERATION(vevent_read, .prepare = prepare_event, .call = call_read_event, .not_done = has_event,
	  .done = event_is_read, .undo = undo_nothing, .rule = "UAPI-88", .cannot_fail = true);
OPERATION(vevent_read_lost, .prepare = prepare_lost_event, .call = call_read_event,
	  .not_done = has_event, .done = lost_event_is_read, .undo = undo_nothing,
	  .rule = "UAPI-88");

OPERATION(vevent_read_both, .prepare = prepare_event_and_loss, .call = call_read_both,
	  .done = both_are_read, .undo = undo_nothing, .rule = "UAPI-88");

OPERATION(mmap, .call = call_mmap, .not_done = is_not_mmapped, .done = map_works,
	  .undo = undo_mmap, .rule = "UAPI-89");
OPERATION(munmap, .prepare = prepare_mmap, .call = call_munmap, .not_done = map_works,
	  .undo = undo_nothing, .rule = "UAPI-89");
OPERATION(fork, .prepare = prepare_mmap, .call = call_fork, .not_done = map_works,
	  .done = map_works, .undo = undo_mmap, .rule = "UAPI-89");

/* False, and the test skipped, where the kernel has no mock or cannot inject failures. */
static bool setup(struct __test_metadata *_metadata, struct injection *injection)
{
	struct world w;

	NEEDS_KERNEL(return false, "allocations that fail");
	if (!world_make(_metadata, &w))
		return false;
	world_destroy(_metadata, &w);
	if (!injection_start(injection)) {
		injection_stop(injection);
		SKIP(return false, "needs fault injection (failslab, fail_page_alloc in debugfs)");
	}
	return true;
}

FIXTURE_SETUP(operation)
{
	self->ready = setup(_metadata, &self->injection);
}

FIXTURE_TEARDOWN(operation)
{
	injection_stop(&self->injection);
}

/* An allocator's failure is ENOMEM; iommufd's own look-ups and pinning have more. */
static void expect_injected_errno(struct __test_metadata *_metadata, enum injector who, int rc)
{
	if (who == IOMMUFD) {
		EXPECT_EQ(true, rc == -ENOENT || rc == -EINVAL || rc == -EFAULT || rc == -ENOMEM);
	} else {
		EXPECT_EQ(-ENOMEM, rc);
	}
}

static void undo(struct __test_metadata *_metadata, const struct operation *op, struct world *w)
{
	if (op->undo) {
		op->undo(_metadata, w);
		return;
	}
	if (w->made_fd >= 0) {
		ASSERT_EQ(0, close(w->made_fd));
	}
	w->made_fd = -1;
	if (w->made) {
		iommufd_destroy(&w->vm.iommufd, w->made);
	}
	w->made = 0;
}

/* The call failed: nothing is made, nothing has changed, and it can be done now. */
static void check_refused(struct __test_metadata *_metadata, const struct operation *op,
			  struct world *w)
{
	EXPECT_EQ(0, w->made);
	EXPECT_EQ(-1, w->made_fd);
	if (w->ids_are_reused) {
		EXPECT_EQ(w->next_id, next_free_id(_metadata, w));
	}
	if (op->not_done)
		op->not_done(_metadata, w);
	ASSERT_EQ(0, op->call(w));
}

/* One call with its nth point failing. Returns false if it has fewer points. */
static bool fail_once(struct __test_metadata *_metadata, struct injection *injection,
		      const struct operation *op, unsigned int nth)
{
	enum injector who;
	struct world w;
	int rc;

	if (!world_make(_metadata, &w))
		return false;
	if (op->prepare)
		op->prepare(_metadata, &w);
	w.next_id = next_free_id(_metadata, &w);
	w.ids_are_reused = next_free_id(_metadata, &w) == w.next_id;

	injection_arm(_metadata, injection, nth);
	rc = op->call(&w);
	who = injection_disarm(_metadata, injection);
	if (who == OTHER) {
		world_abandon(&w);
		return true;
	}
	if (who == NOBODY) {
		EXPECT_EQ(0, rc);
	} else {
		injection->fired[who]++;
		injection->refused += !!rc;
	}
	if (rc) {
		EXPECT_EQ(false, op->cannot_fail);
		expect_injected_errno(_metadata, who, rc);
		check_refused(_metadata, op, &w);
	}
	if (op->done)
		op->done(_metadata, &w);
	undo(_metadata, op, &w);
	world_destroy(_metadata, &w);
	if (_metadata->exit_code == KSFT_FAIL)
		check_note("that was point %u, injector %s, call returned %d", nth,
			   who < NR_INJECTORS ? injectors[who].name : "none", rc);
	return who != NOBODY && _metadata->exit_code != KSFT_FAIL;
}

/* One sweep over all points of the call */
static void fail_each(struct __test_metadata *_metadata, struct injection *injection,
		      const struct operation *op)
{
	unsigned int nth = 1;

	while (fail_once(_metadata, injection, op, nth)) {
		ASSERT_GT(MAX_POINTS, nth++);
	}
	/* The control: without a single injected failure the sweep would prove nothing. */
	EXPECT_EQ(true, nth > 1 || op->cannot_fail);
	printf("# injected %u: %u slab, %u page, %u iommufd; %u refused\n", nth - 1,
	       injection->fired[SLAB], injection->fired[PAGE_ALLOC], injection->fired[IOMMUFD],
	       injection->refused);
}

TEST_F(operation, each_failure_changes_nothing)
{
	RULE(variant->op.rule ?: "UAPI-85");
	if (self->ready)
		fail_each(_metadata, &self->injection, &variant->op);
}

TEST_F(operation, memory_that_stays_short_changes_nothing)
{
	RULE(variant->op.rule ?: "UAPI-85");
	self->injection.stays = true;
	if (self->ready)
		fail_each(_metadata, &self->injection, &variant->op);
}

/*
 * The array's count after a failure, by itself: "Output the number of requests successfully
 * handled by kernel", uapi iommufd.h.
 */
FIXTURE(invalidation)
{
	struct injection injection;
	bool ready;
};

FIXTURE_VARIANT(invalidation)
{
	int (*call)(struct world *w);
	void (*expect_words)(struct __test_metadata *_metadata, struct world *w, uint32_t invalid);
};

FIXTURE_VARIANT_ADD(invalidation, nested)
{
	.call = call_invalidate_nested,
	.expect_words = expect_iotlb,
};

FIXTURE_VARIANT_ADD(invalidation, viommu)
{
	.call = call_invalidate_viommu,
	.expect_words = expect_cache,
};

FIXTURE_SETUP(invalidation)
{
	self->ready = setup(_metadata, &self->injection);
}

FIXTURE_TEARDOWN(invalidation)
{
	injection_stop(&self->injection);
}

TEST_F(invalidation, counts_what_was_handled_when_memory_fails)
{
	enum injector who = SLAB;
	unsigned int refused = 0;
	struct world w;
	int rc;

	if (!self->ready)
		return;
	RULE("UAPI-86");
	for (unsigned int nth = 1; who != NOBODY; nth++) {
		ASSERT_EQ(true, world_make(_metadata, &w));
		variant->expect_words(_metadata, &w, 0);
		injection_arm(_metadata, &self->injection, nth);
		rc = variant->call(&w);
		who = injection_disarm(_metadata, &self->injection);
		if (who == OTHER) {
			world_abandon(&w);
			continue;
		}
		/* Two entries were asked for, and the caches tell how many were handled. */
		EXPECT_EQ(rc ? 0 : 2, w.entries);
		variant->expect_words(_metadata, &w, rc ? 0 : 2);
		refused += !!rc;
		world_destroy(_metadata, &w);
	}
	EXPECT_LT(0, refused);
}

NIT_TEST_MAIN
