// SPDX-License-Identifier: GPL-2.0-only
/* Races (duel.h): virtual events and page faults */

#include "moves.h"

#define POLL_MS 30000		/* bounds a wait that should end at once */
#define BURST 8			/* events in a burst: more than the queue holds */

/* ---- virtual events ---- */

static void prepare_queue_of(struct __test_metadata *_metadata, struct arena *arena,
			     uint32_t depth)
{
	ASSERT_EQ(0, __veventq_alloc(&arena->vm.iommufd, arena->vm.viommu,
				     IOMMU_VEVENTQ_TYPE_SELFTEST, depth, &arena->victim,
				     &arena->victim_fd));
	memset(arena->stream, 0, sizeof(arena->stream));
}

static void prepare_events(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_queue_of(_metadata, arena, EVENT_DEPTH);
}

static int report_event(struct arena *arena, struct prng *prng)
{
	return __mock_trigger_vevent(&arena->vm.iommufd, arena->vm.dev.idev_id);
}

static int report_burst(struct arena *arena, struct prng *prng)
{
	int rc = 0;

	for (int i = 0; i < BURST && !rc; i++) {
		random_delay(prng);
		rc = report_event(arena, prng);
	}
	return rc;
}

/* Read once and note the sequence numbers. Returns 0, EMPTY or -errno. */
static int read_events(struct arena *arena, struct stream *stream)
{
	struct iommufd_vevent_header header;
	struct iommu_viommu_event_selftest event;
	char buf[sizeof(header) + sizeof(event)];
	ssize_t len = read(arena->victim_fd, buf, sizeof(buf));
	ssize_t at = 0;

	if (len <= 0)
		return len ? -errno : EMPTY;
	while (at < len && stream->length < DEEP) {
		memcpy(&header, buf + at, sizeof(header));
		at += sizeof(header);
		stream->sequence[stream->length++] = header.sequence;
		if (header.flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS)
			continue;
		memcpy(&event, buf + at, sizeof(event));
		at += sizeof(event);
		stream->wrong += event.virt_id != VM_VIRT_ID;
	}
	stream->wrong += at != len;
	return 0;
}

static int read_many(struct arena *arena, struct stream *stream, struct prng *prng)
{
	int rc = 0;

	for (int i = 0; i < BURST && (!rc || rc == EMPTY); i++) {
		random_delay(prng);
		rc = read_events(arena, stream);
	}
	return rc == EMPTY ? 0 : rc;
}

static int read_first(struct arena *arena, struct prng *prng)
{
	return read_many(arena, &arena->stream[0], prng);
}

static int read_second(struct arena *arena, struct prng *prng)
{
	return read_many(arena, &arena->stream[1], prng);
}

static void check_stream(struct __test_metadata *_metadata, const struct stream *stream)
{
	EXPECT_EQ(0, stream->wrong);
	for (int i = 1; i < stream->length; i++) {
		EXPECT_LT(stream->sequence[i - 1], stream->sequence[i]);
	}
}

static void close_events(struct __test_metadata *_metadata, struct arena *arena)
{
	ASSERT_EQ(0, close(arena->victim_fd));
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

/* Nothing is lost without a word: the last record, an event or a loss, is the last report. */
static void settle_overflow(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	struct stream *stream = &arena->stream[1];

	while (!read_events(arena, stream))
		;
	check_stream(_metadata, stream);
	ASSERT_LT(0, stream->length);
	EXPECT_EQ(BURST - 1, stream->sequence[stream->length - 1]);
	close_events(_metadata, arena);
}

static void prepare_full_queue(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_events(_metadata, arena);
	for (int i = 0; i < EVENT_DEPTH; i++) {
		ASSERT_EQ(0, report_event(arena, NULL));
	}
}

static void prepare_deep_queue(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_queue_of(_metadata, arena, DEEP);
	for (int i = 0; i < DEEP; i++) {
		ASSERT_EQ(0, report_event(arena, NULL));
	}
}

/* Empty may only be for now: an event that does not fit is out of the queue for a moment. */
static int read_all(struct arena *arena, struct stream *stream)
{
	int rc = 0;

	for (int empty = 0; empty < 8 && (!rc || rc == EMPTY); empty += rc == EMPTY)
		rc = read_events(arena, stream);
	return rc == EMPTY ? 0 : rc;
}

static int read_all_first(struct arena *arena, struct prng *prng)
{
	return read_all(arena, &arena->stream[0]);
}

static int read_all_second(struct arena *arena, struct prng *prng)
{
	return read_all(arena, &arena->stream[1]);
}

/* Each event goes to one reader. */
static void settle_two_readers(struct __test_metadata *_metadata, struct arena *arena,
			       const int *rc)
{
	uint64_t seen = 0;

	while (!read_events(arena, &arena->stream[0]))
		;
	for (int reader = 0; reader < 2; reader++) {
		EXPECT_EQ(0, arena->stream[reader].wrong);
		for (int i = 0; i < arena->stream[reader].length; i++) {
			EXPECT_EQ(0, seen & (1ULL << arena->stream[reader].sequence[i]));
			seen |= 1ULL << arena->stream[reader].sequence[i];
		}
	}
	EXPECT_EQ(UINT64_MAX, seen);
	close_events(_metadata, arena);
}

/* And what one reader gets is in order. */
static void settle_readers_in_order(struct __test_metadata *_metadata, struct arena *arena,
				    const int *rc)
{
	check_stream(_metadata, &arena->stream[0]);
	check_stream(_metadata, &arena->stream[1]);
	close_events(_metadata, arena);
}

static void settle_events(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	close_events(_metadata, arena);
}

static void prepare_events_closed(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_events(_metadata, arena);
	ASSERT_EQ(0, close(arena->victim_fd));
}

static int poll_for_event(struct arena *arena, struct prng *prng)
{
	return poll_victim(arena, POLL_MS);
}

static int veventq_alloc_first(struct arena *arena, struct prng *prng)
{
	return __veventq_alloc(&arena->vm.iommufd, arena->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
			       EVENT_DEPTH, &arena->first, &arena->first_fd);
}

static int veventq_alloc_second(struct arena *arena, struct prng *prng)
{
	return __veventq_alloc(&arena->vm.iommufd, arena->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST,
			       EVENT_DEPTH, &arena->second, &arena->second_fd);
}

static void settle_veventq_alloc(struct __test_metadata *_metadata, struct arena *arena,
				 const int *rc)
{
	ASSERT_EQ(0, close(rc[0] ? arena->second_fd : arena->first_fd));
	destroy_winner(_metadata, arena, rc);
}

/* ---- page faults ---- */

static int trigger_fault(struct arena *arena, struct prng *prng)
{
	return __mock_trigger_fault(&arena->vm.iommufd, arena->temp.idev_id, 0, 1,
				    IOMMU_PGFAULT_PERM_READ, 0x1000);
}

static int read_fault(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_pgfault fault;
	ssize_t len = read(arena->fault_fd, &fault, sizeof(fault));

	if (len < 0)
		return -errno;
	if (!len)
		return EMPTY;
	arena->cookie = fault.cookie;
	return 0;
}

static int respond(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_page_response response = {
		.cookie = arena->cookie,
		.code = IOMMUFD_PAGE_RESP_SUCCESS,
	};
	ssize_t len = write(arena->fault_fd, &response, sizeof(response));

	return len < 0 ? -errno : 0;
}

/* The device of the fault duels is vm.dev, unless it must go; @temp is whoever it is. */
static void prepare_faulting(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = arena->vm.dev;
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->faulting);
}

static void prepare_fault(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_faulting(_metadata, arena);
	ASSERT_EQ(0, trigger_fault(arena, NULL));
}

static void prepare_fault_read(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_fault(_metadata, arena);
	ASSERT_EQ(0, read_fault(arena, NULL));
}

static void prepare_pasid_fault_read(struct __test_metadata *_metadata, struct arena *arena)
{
	arena->temp = arena->vm.dev;
	ASSERT_EQ(0, __mock_pasid_attach(&arena->vm.iommufd, arena->temp.stdev_id, PASID,
					 arena->faulting));
	ASSERT_EQ(0, __mock_trigger_fault(&arena->vm.iommufd, arena->temp.idev_id, PASID, 1,
					  IOMMU_PGFAULT_PERM_READ, 0x1000));
	ASSERT_EQ(0, read_fault(arena, NULL));
}

static void prepare_fault_of_temp(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_vdevice(_metadata, arena);
	mock_device_replace(&arena->vm.iommufd, arena->temp.stdev_id, arena->faulting);
	ASSERT_EQ(0, trigger_fault(arena, NULL));
	ASSERT_EQ(0, read_fault(arena, NULL));
}

/* The fault was answered once, by us or by detaching, and none is left. */
static void settle_fault_of_temp(struct __test_metadata *_metadata, struct arena *arena,
				 const int *rc)
{
	EXPECT_EQ(EMPTY, read_fault(arena, NULL));
	EXPECT_EQ(-EINVAL, respond(arena, NULL));
}

static void settle_fault(struct __test_metadata *_metadata, struct arena *arena, const int *rc)
{
	settle_fault_of_temp(_metadata, arena, rc);
	mock_device_replace(&arena->vm.iommufd, arena->vm.dev.stdev_id, arena->vm.nested);
}

static void settle_pasid_fault(struct __test_metadata *_metadata, struct arena *arena,
			       const int *rc)
{
	settle_fault_of_temp(_metadata, arena, rc);
	ASSERT_EQ(0, pasid_detach(arena, NULL));
}

static void settle_one_response(struct __test_metadata *_metadata, struct arena *arena,
				const int *rc)
{
	expect_one_winner(_metadata, rc);
	settle_fault(_metadata, arena, rc);
}

static void prepare_fault_queue(struct __test_metadata *_metadata, struct arena *arena)
{
	ASSERT_EQ(0, __fault_queue_alloc(&arena->vm.iommufd, &arena->victim, &arena->victim_fd));
}

static void prepare_fault_queue_closed(struct __test_metadata *_metadata, struct arena *arena)
{
	prepare_fault_queue(_metadata, arena);
	ASSERT_EQ(0, close(arena->victim_fd));
}

static int alloc_with_fault(struct arena *arena, struct prng *prng)
{
	struct iommu_hwpt_selftest data = { .iotlb = VM_IOTLB };

	return __hwpt_alloc_data(&arena->vm.iommufd, arena->vm.dev.idev_id, arena->vm.viommu,
				 IOMMU_HWPT_FAULT_ID_VALID, arena->victim,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &arena->first);
}

static void settle_alloc_with_fault(struct __test_metadata *_metadata, struct arena *arena,
				    const int *rc)
{
	expect_one_winner(_metadata, rc);
	if (rc[0])
		return;
	iommufd_destroy(&arena->vm.iommufd, arena->first);
	iommufd_destroy(&arena->vm.iommufd, arena->victim);
}

DUEL(veventq_overflow_read, "UAPI-92", prepare_events,
	{ SURE(report_burst), SURE(read_second) }, settle_overflow);
DUEL(veventq_two_readers, "UAPI-92", prepare_deep_queue,
	{ SURE(read_all_first), SURE(read_all_second) }, settle_two_readers);
/* On its own: 7.3 does not always keep this order, eventq.c:iommufd_veventq_fops_read(). */
DUEL(veventq_two_readers_order, "UAPI-92", prepare_deep_queue,
	{ SURE(read_all_first), SURE(read_all_second) }, settle_readers_in_order,
	.patience = 20, .rare = true);
DUEL(veventq_read_destroy, "UAPI-92", prepare_full_queue,
	{ SURE(read_first), { "destroy", destroy_victim, { -EBUSY, END } } }, settle_events);
DUEL(veventq_close_destroy, "UAPI-92", prepare_full_queue,
	{ SURE(close_victim), DESTROY_VICTIM }, settle_busy, .releases = true);
DUEL(veventq_report_destroy, "UAPI-92", prepare_events_closed,
	{ { "report", report_event, { 0, -EOPNOTSUPP, END } }, SURE(destroy_victim) },
	settle_nothing);
DUEL(veventq_alloc_twice, "UAPI-92", NULL,
	{ { "alloc", veventq_alloc_first, { 0, -EEXIST, END } },
	  { "alloc", veventq_alloc_second, { 0, -EEXIST, END } } },
	settle_veventq_alloc);
DUEL(veventq_poll_report, "UAPI-92", prepare_events,
	{ SURE(poll_for_event), SURE(report_event) }, settle_events);
DUEL(veventq_poll_destroy, "UAPI-92", prepare_events,
	{ { "poll", poll_shortly, { EMPTY, -EBADF, END } }, CLOSE_DESTROY }, settle_busy);

DUEL(fault_response_replace, "UAPI-93", prepare_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(replace) }, settle_fault);
DUEL(fault_response_detach, "UAPI-93", prepare_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(detach) }, settle_fault);
DUEL(fault_response_pasid_detach, "UAPI-93", prepare_pasid_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(pasid_detach) },
	settle_fault_of_temp);
DUEL(fault_response_pasid_replace, "UAPI-93", prepare_pasid_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(pasid_replace) },
	settle_pasid_fault);
DUEL(fault_response_unbind, "UAPI-93", prepare_fault_of_temp,
	{ { "respond", respond, { 0, -EINVAL, END } }, SURE(unbind) }, settle_fault_of_temp);
DUEL(fault_response_twice, "UAPI-93", prepare_fault_read,
	{ { "respond", respond, { 0, -EINVAL, END } },
	  { "respond", respond, { 0, -EINVAL, END } } },
	settle_one_response);
DUEL(fault_read_replace, "UAPI-93", prepare_fault,
	{ { "read", read_fault, { 0, EMPTY, END } }, SURE(replace) }, settle_fault);
DUEL(fault_trigger_replace, "UAPI-93", prepare_faulting,
	{ SURE(trigger_fault), SURE(replace) }, settle_fault);
DUEL(fault_poll_destroy, "UAPI-93", prepare_fault_queue,
	{ { "poll", poll_shortly, { EMPTY, -EBADF, END } }, CLOSE_DESTROY }, settle_busy);
DUEL(fault_close_destroy, "UAPI-93", prepare_fault_queue,
	{ SURE(close_victim), DESTROY_VICTIM }, settle_busy, .releases = true);
DUEL(fault_queue_alloc_destroy, "UAPI-93", prepare_fault_queue_closed,
	{ { "hwpt alloc", alloc_with_fault, { 0, -ENOENT, END } }, DESTROY_VICTIM },
	settle_alloc_with_fault);

NIT_TEST_MAIN
