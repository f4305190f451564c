// SPDX-License-Identifier: GPL-2.0-only
/* What all reference hardware stands on: faults, pages, memory, freedom, requests in flight. */
#include <pthread.h>

#include "core/fault.h"
#include "core/pages.h"
#include "core/test.h"
#include "hw/freedom.h"
#include "hw/inflight.h"
#include "hw/mem.h"
#include "hw/trace.h"

/* ---- Named faults ---- */

static unsigned int faulty_sum(unsigned int a, unsigned int b)
{
	if (FAULT("test.sum-forgets-b", "the sum is only a"))
		return a;
	return FAULT("test.sum-twice-b", "b is added twice") ? a + 2 * b : a + b;
}

static unsigned int other_place(void)
{
	return FAULT("test.sum-twice-b", "b is added twice") ? 1 : 0;
}

static void count_fault(const struct fault *fault, void *arg)
{
	unsigned int *count = arg;

	if (!strncmp(fault->name, "test.", 5))
		(*count)++;
}

TEST(fault_acts_only_while_planted)
{
	EXPECT_EQ(5u, faulty_sum(2, 3));
	EXPECT_EQ(1u, fault_plant("test.sum-forgets-b", true));
	EXPECT_EQ(2u, faulty_sum(2, 3));
	EXPECT_EQ(2u, faulty_sum(2, 3));
	EXPECT_EQ(2u, fault_hits("test.sum-forgets-b"));
	EXPECT_EQ(0u, fault_hits("test.sum-twice-b"));
	fault_plant("test.sum-forgets-b", false);
	EXPECT_EQ(5u, faulty_sum(2, 3));
}

TEST(fault_is_planted_in_every_place_of_its_name)
{
	EXPECT_EQ(2u, fault_plant("test.sum-twice-b", true));
	EXPECT_EQ(8u, faulty_sum(2, 3));
	EXPECT_EQ(1u, other_place());
	fault_plant("test.sum-twice-b", false);
	EXPECT_EQ(0u, other_place());
	EXPECT_EQ(0u, fault_plant("test.no-such-fault", true));
}

TEST(faults_are_listed_once_each)
{
	unsigned int count = 0;

	fault_each(count_fault, &count);
	EXPECT_EQ(2u, count);
}

/* ---- Pages ---- */

FIXTURE(pages) {
	struct pages pages;
	void *window;
};

enum { WINDOW = 1 << 20 };

FIXTURE_SETUP(pages)
{
	self->window = aligned_alloc(4096, WINDOW);
	memset(self->window, 0, WINDOW);
	/* Not aligned to its size, to see that alignment is that of the address. */
	pages_init(&self->pages, self->window, 0x40003000, WINDOW);
}

FIXTURE_TEARDOWN(pages)
{
	pages_fini(&self->pages);
	free(self->window);
}

TEST_F(pages, are_zeroed_and_aligned_to_their_size)
{
	for (uint64_t size = 4096; size <= 256 * 1024; size *= 2) {
		uint64_t addr = pages_alloc(&self->pages, size);
		const uint8_t *bytes = pages_ptr(&self->pages, addr);

		ASSERT_NE(0u, addr);
		EXPECT_EQ(0u, addr & (size - 1));
		memset(pages_ptr(&self->pages, addr), 0xa5, size);
		pages_free(&self->pages, addr, size);
		ASSERT_EQ(addr, pages_alloc(&self->pages, size));
		for (uint64_t i = 0; i < size; i++)
			ASSERT_EQ(0, bytes[i]);
	}
}

/* Whatever sizes come first, every page of the window can be had, once. */
TEST_F(pages, every_page_is_handed_out_once)
{
	unsigned int count = 0;
	uint64_t addr;

	addr = pages_alloc(&self->pages, 64 * 1024);
	memset(pages_ptr(&self->pages, addr), 1, 64 * 1024);
	count += 16;
	while ((addr = pages_alloc(&self->pages, 4096))) {
		uint64_t *page = pages_ptr(&self->pages, addr);

		ASSERT_NE(NULL, page);
		ASSERT_EQ(0u, *page);
		*page = addr;
		count++;
	}
	EXPECT_EQ(WINDOW / 4096, count);
	EXPECT_EQ(WINDOW, self->pages.used);
}

TEST_F(pages, freed_block_serves_smaller_ones)
{
	uint64_t all[WINDOW / 4096], block;
	unsigned int count = 0;

	block = pages_alloc(&self->pages, 32 * 1024);
	while ((all[count] = pages_alloc(&self->pages, 4096)))
		count++;
	pages_free(&self->pages, block, 32 * 1024);
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t addr = pages_alloc(&self->pages, 4096);

		EXPECT_TRUE(addr >= block && addr < block + 32 * 1024);
	}
	EXPECT_EQ(0u, pages_alloc(&self->pages, 4096));
}

/* Hardware with a stale pointer must read what was there, until somebody else has the page. */
TEST_F(pages, freed_page_keeps_its_contents)
{
	uint64_t addr = pages_alloc(&self->pages, 4096);
	uint64_t *page = pages_ptr(&self->pages, addr);

	*page = 0x1234;
	pages_free(&self->pages, addr, 4096);
	EXPECT_EQ(0x1234u, *page);
	EXPECT_EQ(0u, self->pages.used);
	EXPECT_EQ(addr, pages_alloc(&self->pages, 4096));
	EXPECT_EQ(0u, *page);
}

TEST_F(pages, refuse_what_is_no_size_and_what_is_outside)
{
	EXPECT_EQ(0u, pages_alloc(&self->pages, 0));
	EXPECT_EQ(0u, pages_alloc(&self->pages, 2048));
	EXPECT_EQ(0u, pages_alloc(&self->pages, 12288));
	EXPECT_EQ(0u, pages_alloc(&self->pages, 2 * WINDOW));
	EXPECT_EQ(NULL, pages_ptr(&self->pages, 0x40002fff));
	EXPECT_EQ(NULL, pages_ptr(&self->pages, 0x40003000 + WINDOW));
}

TEST(pages_at_zero_never_hand_out_address_zero)
{
	static uint8_t window[16384] __attribute__((aligned(4096)));
	struct pages pages;

	pages_init(&pages, window, 0, sizeof(window));
	EXPECT_EQ(0x1000u, pages_alloc(&pages, 4096));
	EXPECT_EQ(0x2000u, pages_alloc(&pages, 8192));
	EXPECT_EQ(0u, pages_alloc(&pages, 4096));
	pages_fini(&pages);
}

/* ---- Memory ---- */

struct outside {
	struct hw_mem mem;
	uint64_t pa;
	size_t len;
};

static int outside_read(struct hw_mem *mem, uint64_t pa, void *buf, size_t len)
{
	struct outside *outside = (struct outside *)mem;

	outside->pa = pa;
	outside->len = len;
	memset(buf, 0xee, len);
	return 0;
}

static int outside_write(struct hw_mem *mem, uint64_t pa, const void *buf, size_t len)
{
	struct outside *outside = (struct outside *)mem;

	outside->pa = pa;
	outside->len = len;
	return 0;
}

static const struct hw_mem_ops no_ops, outside_ops = {
	.read = outside_read, .write = outside_write,
};

FIXTURE(mem) {
	uint64_t ram[8];
	struct outside outside;
	struct hw_mem *mem;
};

FIXTURE_SETUP(mem)
{
	self->mem = &self->outside.mem;
	*self->mem = (struct hw_mem){ &no_ops, (uint8_t *)self->ram, 0x1000, sizeof(self->ram) };
}

FIXTURE_TEARDOWN(mem)
{
}

TEST_F(mem, any_bytes_are_read_as_written)
{
	uint8_t in[64], out[64];

	for (unsigned int first = 0; first < 64; first++) {
		for (unsigned int len = 0; len <= 64 - first; len++) {
			for (unsigned int i = 0; i < len; i++)
				in[i] = first * 3 + len * 5 + i;
			memset(self->ram, 0x55, sizeof(self->ram));
			memset(out, 0, sizeof(out));
			ASSERT_EQ(0, hw_write(self->mem, 0x1000 + first, in, len));
			ASSERT_EQ(0, hw_read(self->mem, 0x1000 + first, out, len));
			ASSERT_EQ(0, memcmp(in, out, len));
			for (unsigned int i = 0; i < 64; i++)
				if (i < first || i >= first + len)
					ASSERT_EQ(0x55, ((uint8_t *)self->ram)[i]);
		}
	}
}

TEST_F(mem, nobody_answers_outside)
{
	uint64_t value;
	uint8_t buf[16];

	EXPECT_EQ(-EFAULT, hw_read64(self->mem, 0xff8, &value));
	EXPECT_EQ(-EFAULT, hw_read64(self->mem, 0x1040, &value));
	EXPECT_EQ(-EFAULT, hw_write64(self->mem, 0x1040, 1));
	EXPECT_EQ(-EFAULT, hw_write32(self->mem, 0x103e, 1));
	EXPECT_EQ(-EFAULT, hw_cas64(self->mem, UINT64_MAX - 7, 0, 1, &value));
	EXPECT_EQ(-EFAULT, hw_read(self->mem, 0x1038, buf, 16));
	EXPECT_EQ(-EFAULT, hw_write(self->mem, 0xff8, buf, 16));
	EXPECT_EQ(0, hw_read64(self->mem, 0x1038, &value));
}

/* An access over an end of RAM is split there: the host sees only its own part. */
TEST_F(mem, host_answers_outside)
{
	uint8_t buf[16];

	self->mem->ops = &outside_ops;
	self->ram[0] = self->ram[7] = 0x1111111111111111;
	EXPECT_EQ(0, hw_read(self->mem, 0x103c, buf, 16));
	EXPECT_EQ(0x1040u, self->outside.pa);
	EXPECT_EQ(12u, self->outside.len);
	EXPECT_EQ(0x11, buf[3]);
	EXPECT_EQ(0xee, buf[4]);
	EXPECT_EQ(0, hw_read(self->mem, 0xff8, buf, 16));
	EXPECT_EQ(0xff8u, self->outside.pa);
	EXPECT_EQ(8u, self->outside.len);
	EXPECT_EQ(0xee, buf[7]);
	EXPECT_EQ(0x11, buf[8]);
	EXPECT_EQ(0, hw_write(self->mem, UINT64_MAX - 7, buf, 8));
	EXPECT_EQ(UINT64_MAX - 7, self->outside.pa);
}

TEST_F(mem, compare_and_swap_says_what_was_there)
{
	uint64_t old;

	self->ram[1] = 5;
	EXPECT_EQ(0, hw_cas64(self->mem, 0x1008, 4, 9, &old));
	EXPECT_EQ(5u, old);
	EXPECT_EQ(5u, self->ram[1]);
	EXPECT_EQ(0, hw_cas64(self->mem, 0x1008, 5, 9, &old));
	EXPECT_EQ(5u, old);
	EXPECT_EQ(9u, self->ram[1]);
}

/* ---- Trace ---- */

TEST(trace_keeps_the_last_events)
{
	struct hw_trace *trace = hw_trace_create(4);
	char line[64];

	ASSERT_NE(NULL, trace);
	EXPECT_EQ(UINT64_MAX, hw_trace_read(trace, 0, line, sizeof(line)));
	for (unsigned int i = 0; i < 6; i++)
		hw_trace(trace, "unit", "event %llu of %#llx", i, 0x10);
	EXPECT_EQ(6u, hw_trace_number(trace));
	EXPECT_EQ(2u, hw_trace_read(trace, 0, line, sizeof(line)));
	EXPECT_STREQ("unit: event 2 of 0x10", line);
	EXPECT_EQ(5u, hw_trace_read(trace, 5, line, sizeof(line)));
	EXPECT_STREQ("unit: event 5 of 0x10", line);
	EXPECT_EQ(UINT64_MAX, hw_trace_read(trace, 6, line, sizeof(line)));
	EXPECT_EQ(2u, hw_trace_read(trace, 0, line, 9));
	EXPECT_STREQ("unit: ev", line);
	hw_trace_destroy(trace);
}

TEST(no_trace_is_no_trouble)
{
	hw_trace(NULL, "unit", "event");
	EXPECT_FALSE(hw_trace_wants_dma(NULL));
}

/* ---- Freedom ---- */

TEST(equal_seeds_draw_equally)
{
	struct freedom a = {}, b = {}, c = {};
	unsigned int differ = 0;

	freedom_seed(&a, 1, 2);
	freedom_seed(&b, 1, 2);
	freedom_seed(&c, 1, 3);
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t draw = freedom_draw(&a);

		EXPECT_EQ(draw, freedom_draw(&b));
		differ += draw != freedom_draw(&c);
	}
	EXPECT_EQ(100u, differ);
}

TEST(chance_is_as_often_as_it_says)
{
	struct freedom freedom = {};
	unsigned int taken = 0;

	freedom_seed(&freedom, 1, 1);
	for (unsigned int i = 0; i < 10000; i++) {
		taken += freedom_take(&freedom, 250);
		EXPECT_FALSE(freedom_take(&freedom, 0));
		EXPECT_TRUE(freedom_take(&freedom, 1000));
	}
	EXPECT_GT(taken, 2300u);
	EXPECT_LT(taken, 2700u);
}

/* ---- Requests in flight ---- */

TEST(sync_waits_for_those_who_were_there)
{
	static struct inflight inflight;
	struct inflight_slot *a = inflight_slot_get(&inflight), *b = inflight_slot_get(&inflight);
	struct inflight_snapshot snapshot;

	inflight_enter(a, INFLIGHT_UNTRANSLATED);
	inflight_take(&inflight, INFLIGHT_UNTRANSLATED, &snapshot);
	EXPECT_FALSE(inflight_drained(&inflight, &snapshot));
	inflight_enter(b, INFLIGHT_UNTRANSLATED);
	inflight_leave(a);
	EXPECT_TRUE(inflight_drained(&inflight, &snapshot));
	/* The same engine's next request is another one. */
	inflight_take(&inflight, INFLIGHT_UNTRANSLATED, &snapshot);
	inflight_leave(b);
	inflight_enter(b, INFLIGHT_UNTRANSLATED);
	EXPECT_TRUE(inflight_drained(&inflight, &snapshot));
	/* Once it was seen to have left, it stays so. */
	EXPECT_TRUE(inflight_drained(&inflight, &snapshot));
}

TEST(sync_waits_for_its_classes_only)
{
	static struct inflight inflight;
	struct inflight_slot *slot = inflight_slot_get(&inflight);
	struct inflight_snapshot snapshot;

	inflight_enter(slot, INFLIGHT_TRANSLATED);
	inflight_take(&inflight, INFLIGHT_UNTRANSLATED, &snapshot);
	EXPECT_TRUE(inflight_drained(&inflight, &snapshot));
	inflight_take(&inflight, INFLIGHT_UNTRANSLATED | INFLIGHT_TRANSLATED, &snapshot);
	EXPECT_FALSE(inflight_drained(&inflight, &snapshot));
}

TEST(slots_run_out)
{
	static struct inflight inflight;

	for (unsigned int i = 0; i < INFLIGHT_SLOTS; i++)
		ASSERT_EQ(&inflight.slots[i], inflight_slot_get(&inflight));
	EXPECT_EQ(NULL, inflight_slot_get(&inflight));
}

/*
 * The promise itself, on threads: a "cache" holds a page number, users write to the page that it
 * names; after removal and drain nobody writes to the old page any more.
 */
struct drain {
	struct inflight inflight;
	int cache;		/* index of a page */
	uint64_t pages[2];
	bool stop;
};

static void *drain_user(void *arg)
{
	struct drain *drain = arg;
	struct inflight_slot *slot = inflight_slot_get(&drain->inflight);

	while (!__atomic_load_n(&drain->stop, __ATOMIC_RELAXED)) {
		inflight_enter(slot, INFLIGHT_UNTRANSLATED);
		drain->pages[__atomic_load_n(&drain->cache, __ATOMIC_ACQUIRE)]++;
		inflight_leave(slot);
	}
	return NULL;
}

TEST(nobody_uses_the_old_page_after_the_drain)
{
	static struct drain drain;
	struct inflight_snapshot snapshot;
	pthread_t user;

	ASSERT_EQ(0, pthread_create(&user, NULL, drain_user, &drain));
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int old = drain.cache;

		__atomic_store_n(&drain.cache, !old, __ATOMIC_RELEASE);
		inflight_take(&drain.inflight, INFLIGHT_UNTRANSLATED, &snapshot);
		while (!inflight_drained(&drain.inflight, &snapshot))
			;
		drain.pages[old] = 0;	/* a plain store: a data race if anybody is left */
		ASSERT_EQ(0u, drain.pages[old]);
	}
	__atomic_store_n(&drain.stop, true, __ATOMIC_RELAXED);
	pthread_join(user, NULL);
}

NIT_TEST_MAIN
