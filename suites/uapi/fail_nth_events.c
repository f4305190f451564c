// SPDX-License-Identifier: GPL-2.0-only
/* Allocation failures (operation.h): invalidation, faults, events, and mappings of a vIOMMU */

#include <poll.h>
#include <sys/wait.h>

#include "operation.h"

#define FAULT_ADDR 0x1000

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
