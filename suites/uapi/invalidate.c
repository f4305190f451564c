// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_HWPT_INVALIDATE on a nested HWPT and on a vIOMMU: the array, its bounds, its errors, and
 * what entry_num says against what was really done, which the mock's caches show.
 */
#include <errno.h>
#include <sys/mman.h>

#include "cache.h"

/* drivers/iommu/iommufd/hw_pagetable.c: IOMMU_HWPT_INVALIDATE_ENTRY_NUM_MAX; no header has it */
#define ENTRY_NUM_MAX (1u << 19)
#define WRONG_TYPE IOMMU_HWPT_INVALIDATE_DATA_SELFTEST_INVALID
#define UNKNOWN_ID 0x7ffffff0
#define FIRST_VIRT_ID 0x20

_Static_assert(IOMMU_HWPT_INVALIDATE_DATA_SELFTEST == IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
	       "one data type for both targets");

/* Either target's entry; a nested HWPT's ends before the last word */
struct entry {
	uint32_t word[3];
};

FIXTURE(invalidate) {
	struct vm vm;
	struct iommu_hwpt_invalidate cmd;
	uint32_t target;	/* the id that cmd names: nested HWPT or vIOMMU */
	uint32_t cache;		/* whose words: nested HWPT or device */
	uint32_t virt_id;	/* vIOMMU: the device's */
	uint32_t len;		/* of one entry */
	size_t page;
	char *memory;		/* two pages, the array ends with the second or the first */
};

FIXTURE_VARIANT(invalidate) {
	bool viommu;
};

FIXTURE_VARIANT_ADD(invalidate, nested) {
	.viommu = false,
};

FIXTURE_VARIANT_ADD(invalidate, viommu) {
	.viommu = true,
};

typedef FIXTURE_DATA(invalidate) data_t;
typedef FIXTURE_VARIANT(invalidate) variant_t;

/* A target whose four words are full: caches cannot be refilled, so each case takes a new one */
static void fresh_target(struct __test_metadata *_metadata, data_t *self,
			 const variant_t *variant)
{
	struct iommufd *iommufd = &self->vm.iommufd;
	struct mock_device dev;

	if (!variant->viommu) {
		self->cache = mock_hwpt_alloc_nested(iommufd, self->vm.dev.idev_id,
						     self->vm.parent, 0, 0, VM_IOTLB);
		self->target = self->cache;
		return;
	}
	dev = mock_device_create(iommufd, self->vm.ioas, 0);
	self->cache = dev.idev_id;
	self->virt_id++;
	vdevice_alloc(iommufd, self->vm.viommu, dev.idev_id, self->virt_id);
	self->target = self->vm.viommu;
}

FIXTURE_SETUP(invalidate)
{
	if (!vm_setup_viommu(_metadata, &self->vm))
		return;
	self->page = sysconf(_SC_PAGESIZE);
	self->virt_id = FIRST_VIRT_ID;
	self->len = variant->viommu ? sizeof(struct iommu_viommu_invalidate_selftest) :
				      sizeof(struct iommu_hwpt_invalidate_selftest);
	self->memory = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->memory);
	fresh_target(_metadata, self, variant);
}

FIXTURE_TEARDOWN(invalidate)
{
	vm_close(&self->vm);
}

static uint32_t words(data_t *self, const variant_t *variant)
{
	return variant->viommu ? device_words(&self->vm.iommufd, self->cache) :
				 iotlb_words(&self->vm.iommufd, self->cache);
}

static struct entry entry_of(data_t *self, const variant_t *variant, uint32_t flags, uint32_t id)
{
	if (variant->viommu)
		return (struct entry){ { flags, self->virt_id, id } };
	return (struct entry){ { flags, id } };
}

/* @num entries at @at, @stride apart; entry i names word i, over and over */
static void fill(data_t *self, const variant_t *variant, char *at, uint32_t num, uint32_t stride)
{
	for (uint32_t i = 0; i < num; i++) {
		struct entry entry = entry_of(self, variant, 0, i % CACHE_WORDS);

		memcpy(at + (size_t)i * stride, &entry,
		       stride < self->len ? stride : self->len);
	}
}

static int invalidate(data_t *self, const void *entries, uint32_t len, uint32_t *num)
{
	return __hwpt_invalidate(&self->vm.iommufd, self->target,
				 IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, entries, len, num);
}

/* The words that remain when the first @done of the entries of fill() were done */
static uint32_t left_after(uint32_t done)
{
	return done >= CACHE_WORDS ? 0 : CACHE_FULL & ~((1u << done) - 1);
}

/* A whole call that must end with @rc, @done counted, and just that much done */
#define EXPECT_CALL(_rc, _done, _entries, _len, _num) do { \
	uint32_t num = (_num); \
	EXPECT_EQ(CACHE_FULL, words(self, variant)); \
	EXPECT_EQ(_rc, invalidate(self, _entries, _len, &num)); \
	EXPECT_EQ(_done, num); \
	EXPECT_EQ(left_after(_done), words(self, variant)); \
} while (0)

TEST_F(invalidate, empty_array_probes_a_supported_type)
{
	RULE("UAPI-30");
	uint32_t num = 0;

	EXPECT_EQ(0, invalidate(self, self->memory, self->len, &num));
	EXPECT_EQ(0, num);
	EXPECT_EQ(0, invalidate(self, NULL, 0, &num));
	EXPECT_EQ(0, invalidate(self, (void *)1, UINT32_MAX, &num));
	EXPECT_EQ(0, num);
	EXPECT_EQ(CACHE_FULL, words(self, variant));
}

TEST_F(invalidate, empty_array_probes_an_unsupported_type)
{
	RULE("UAPI-30");
	static const uint32_t types[] = { WRONG_TYPE, 0, 1, 2, UINT32_MAX };

	for (int i = 0; i < ARRAY_SIZE(types); i++) {
		uint32_t num = 0;
		int rc = __hwpt_invalidate(&self->vm.iommufd, self->target, types[i], NULL, 0,
					   &num);

		EXPECT_NE(0, rc)
			check_note("data type %#x", types[i]);
		EXPECT_EQ(0, num);
	}
}

TEST_F(invalidate, unsupported_type_does_nothing)
{
	RULE("UAPI-31");
	uint32_t num = CACHE_WORDS;

	fill(self, variant, self->memory, num, self->len);
	EXPECT_NE(0, __hwpt_invalidate(&self->vm.iommufd, self->target, WRONG_TYPE, self->memory,
				       self->len, &num));
	EXPECT_EQ(0, num);
	EXPECT_EQ(CACHE_FULL, words(self, variant));
}

/* "a known field has a value the kernel does not understand or support" */
TEST_F(invalidate, unsupported_type_is_eopnotsupp)
{
	RULE("UAPI-31");
	for (uint32_t num = 0; num <= 1; num++) {
		uint32_t done = num;

		fill(self, variant, self->memory, 1, self->len);
		EXPECT_EQ(-EOPNOTSUPP, __hwpt_invalidate(&self->vm.iommufd, self->target,
							 WRONG_TYPE, self->memory, self->len,
							 &done));
	}
}

TEST_F(invalidate, each_count_is_done_and_counted)
{
	RULE("UAPI-32");
	static const uint32_t counts[] = { 1, 2, 3, 4, 5, 64, 1000, 4096 };
	char *array = malloc(4096 * sizeof(struct entry));

	ASSERT_NE(NULL, array);
	for (int i = 0; i < ARRAY_SIZE(counts); i++) {
		fresh_target(_metadata, self, variant);
		fill(self, variant, array, counts[i], self->len);
		EXPECT_CALL(0, counts[i], array, self->len, counts[i]);
	}
	free(array);
}

TEST_F(invalidate, all_flag_empties_every_word)
{
	RULE("UAPI-32");
	struct entry entry = entry_of(self, variant, IOMMU_TEST_INVALIDATE_FLAG_ALL, 0);
	uint32_t num = 1;

	EXPECT_EQ(CACHE_FULL, words(self, variant));
	EXPECT_EQ(0, invalidate(self, &entry, self->len, &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(0, words(self, variant));
}

/* Zero-filled entries name word 0 of a nested HWPT; the last entry, alone, names word 3 */
TEST_F(invalidate, maximum_of_entries_is_done)
{
	RULE("UAPI-33");
	/* The mock's vIOMMU needs the whole array in one kmalloc(), of 4 MB at most */
	uint32_t num = variant->viommu ? 65536 : ENTRY_NUM_MAX, done = num;
	char *array = calloc(num, self->len);

	ASSERT_NE(NULL, array);
	if (variant->viommu)
		fill(self, variant, array, num, self->len);
	else
		((struct iommu_hwpt_invalidate_selftest *)array)[num - 1].iotlb_id = 3;
	EXPECT_EQ(CACHE_FULL, words(self, variant));
	EXPECT_EQ(0, invalidate(self, array, self->len, &done));
	EXPECT_EQ(num, done);
	EXPECT_EQ(variant->viommu ? 0 : CACHE_FULL & ~(1u << 0) & ~(1u << 3),
		  words(self, variant));
	free(array);
}

TEST_F(invalidate, too_many_entries_are_refused)
{
	RULE("UAPI-33");
	fill(self, variant, self->memory, CACHE_WORDS, self->len);
	EXPECT_CALL(-EINVAL, 0, self->memory, self->len, ENTRY_NUM_MAX + 1);
	EXPECT_CALL(-EINVAL, 0, self->memory, self->len, UINT32_MAX);
}

TEST_F(invalidate, array_without_address_or_length_is_refused)
{
	RULE("UAPI-33");
	fill(self, variant, self->memory, CACHE_WORDS, self->len);
	EXPECT_CALL(-EINVAL, 0, NULL, self->len, 1);
	EXPECT_CALL(-EINVAL, 0, self->memory, 0, 1);
}

TEST_F(invalidate, entry_longer_than_a_page_is_refused)
{
	RULE("UAPI-33");
	fill(self, variant, self->memory, 1, self->len);
	EXPECT_CALL(-EINVAL, 0, self->memory, self->page + 1, 1);
	EXPECT_CALL(-EINVAL, 0, self->memory, UINT32_MAX, 1);
}

/*
 * No header says what a short or long entry means; include/linux/iommu.h has two helpers, which
 * differ: iommu_copy_struct_from_user_array() takes none, _from_full_user_array() is as ioctls are.
 */
TEST_F(invalidate, short_entry)
{
	RULE("UAPI-34");
	uint32_t num = 1;

	if (!variant->viommu) {
		for (uint32_t len = 1; len < self->len; len++) {
			fill(self, variant, self->memory, 1, self->len);
			EXPECT_CALL(-EINVAL, 0, self->memory, len, 1);
		}
		return;
	}
	fill(self, variant, self->memory, 1, self->len);
	((struct entry *)self->memory)->word[2] = 3;	/* beyond the entry: reads as 0 */
	EXPECT_EQ(0, invalidate(self, self->memory, 2 * sizeof(uint32_t), &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(CACHE_FULL & ~1u, words(self, variant));
}

TEST_F(invalidate, long_entry_with_zero_tail)
{
	RULE("UAPI-34");
	const uint32_t lens[] = { self->len + 1, self->len + 4, 64, self->page };

	for (int i = 0; i < ARRAY_SIZE(lens); i++) {
		fresh_target(_metadata, self, variant);
		memset(self->memory, 0, 2 * self->page);
		fill(self, variant, self->memory, 2, lens[i]);
		EXPECT_CALL(variant->viommu ? 0 : -EINVAL, variant->viommu ? 2 : 0, self->memory,
			    lens[i], 2);
	}
}

TEST_F(invalidate, long_entry_with_other_tail)
{
	RULE("UAPI-34");
	const uint32_t lens[] = { self->len + 1, self->len + 4, 64, self->page };

	for (int i = 0; i < ARRAY_SIZE(lens); i++) {
		memset(self->memory, 0, 2 * self->page);
		fill(self, variant, self->memory, 2, lens[i]);
		self->memory[2 * lens[i] - 1] = 1;
		EXPECT_CALL(variant->viommu ? -E2BIG : -EINVAL, 0, self->memory, lens[i], 2);
	}
}

/* Four entries, one of them @bad, at each position: those before it done, it and the rest not */
static void bad_at_each_position(struct __test_metadata *_metadata, data_t *self,
				 const variant_t *variant, const struct entry *bad_words,
				 const struct entry *mask, int rc)
{
	for (uint32_t k = 0; k < CACHE_WORDS; k++) {
		struct entry bad;

		fresh_target(_metadata, self, variant);
		fill(self, variant, self->memory, CACHE_WORDS, self->len);
		bad = entry_of(self, variant, 0, k);
		for (int i = 0; i < 3; i++)
			bad.word[i] = (bad.word[i] & ~mask->word[i]) | bad_words->word[i];
		memcpy(self->memory + k * self->len, &bad, self->len);
		EXPECT_CALL(rc, k, self->memory, self->len, CACHE_WORDS);
	}
}

TEST_F(invalidate, unknown_flag_at_each_position)
{
	RULE("UAPI-35");
	static const uint32_t flags[] = { 2, 3, 1u << 31, UINT32_MAX };

	for (int i = 0; i < ARRAY_SIZE(flags); i++)
		bad_at_each_position(_metadata, self, variant, &(struct entry){ { flags[i] } },
				     &(struct entry){ { UINT32_MAX } }, -EOPNOTSUPP);
}

TEST_F(invalidate, unknown_word_at_each_position)
{
	RULE("UAPI-35");
	static const uint32_t ids[] = { CACHE_WORDS, 1u << 31, UINT32_MAX };

	for (int i = 0; i < ARRAY_SIZE(ids); i++) {
		struct entry bad = {}, mask = {};

		bad.word[variant->viommu ? 2 : 1] = ids[i];
		mask.word[variant->viommu ? 2 : 1] = UINT32_MAX;
		bad_at_each_position(_metadata, self, variant, &bad, &mask, -EINVAL);
	}
}

TEST_F(invalidate, unknown_vdevice_at_each_position)
{
	RULE("UAPI-35");
	static const uint32_t virt_ids[] = { 0, FIRST_VIRT_ID + 1000, UINT32_MAX };

	if (!variant->viommu)
		SKIP(return, "entries of a nested HWPT name no device");
	for (int i = 0; i < ARRAY_SIZE(virt_ids); i++)
		bad_at_each_position(_metadata, self, variant,
				     &(struct entry){ { 0, virt_ids[i] } },
				     &(struct entry){ { 0, UINT32_MAX } }, -EINVAL);
}

/* Entries from @k on unreadable, then entry @k cut in two by the end of memory */
TEST_F(invalidate, memory_ends_at_each_position)
{
	RULE("UAPI-36");
	char *end = self->memory + self->page;

	ASSERT_EQ(0, mprotect(end, self->page, PROT_NONE));
	for (uint32_t k = 0; k < CACHE_WORDS; k++)
		for (uint32_t cut = 0; cut < 2; cut++) {
			char *array = end - k * self->len - cut * (self->len / 2);

			fresh_target(_metadata, self, variant);
			ASSERT_EQ(0, mprotect(end, self->page, PROT_READ | PROT_WRITE));
			fill(self, variant, array, CACHE_WORDS, self->len);
			ASSERT_EQ(0, mprotect(end, self->page, PROT_NONE));
			/* A vIOMMU's array is copied before anything is done */
			EXPECT_CALL(-EFAULT, variant->viommu ? 0 : k, array, self->len,
				    CACHE_WORDS);
		}
}

TEST_F(invalidate, reserved_field)
{
	RULE("UAPI-37");
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd), .hwpt_id = self->target, .entry_len = self->len,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, .entry_num = CACHE_WORDS,
		.data_uptr = (uintptr_t)self->memory, .__reserved = 1,
	};

	fill(self, variant, self->memory, CACHE_WORDS, self->len);
	EXPECT_EQ(-EOPNOTSUPP, __iommufd_ioctl(&self->vm.iommufd, IOMMU_HWPT_INVALIDATE, &cmd));
	EXPECT_EQ(0, cmd.entry_num);
	EXPECT_EQ(CACHE_FULL, words(self, variant));
}

TEST_F(invalidate, wrong_objects)
{
	RULE("UAPI-38");
	int fault_fd, event_fd;
	const uint32_t ids[] = {
		self->vm.ioas, self->vm.parent, self->vm.dev.idev_id, self->vm.vdevice,
		self->vm.dev.stdev_id, fault_queue_alloc(&self->vm.iommufd, &fault_fd),
		veventq_alloc(&self->vm.iommufd, self->vm.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 1,
			      &event_fd),
	};

	fill(self, variant, self->memory, CACHE_WORDS, self->len);
	for (int i = 0; i < ARRAY_SIZE(ids); i++)
		for (uint32_t num = 0; num <= 1; num++) {
			uint32_t done = num;

			self->target = ids[i];
			EXPECT_EQ(-EINVAL, invalidate(self, self->memory, self->len, &done))
				check_note("object %d of the table, entry_num %u", i, num);
			EXPECT_EQ(0, done);
		}
	EXPECT_EQ(CACHE_FULL, words(self, variant));
	close(fault_fd);
	close(event_fd);
}

TEST_F(invalidate, unknown_and_destroyed_ids)
{
	RULE("UAPI-38");
	uint32_t gone = mock_hwpt_alloc_nested(&self->vm.iommufd, self->vm.dev.idev_id,
					       self->vm.parent, 0, 0, VM_IOTLB);
	const uint32_t ids[] = { 0, UNKNOWN_ID, UINT32_MAX, gone };

	iommufd_destroy(&self->vm.iommufd, gone);
	fill(self, variant, self->memory, 1, self->len);
	for (int i = 0; i < ARRAY_SIZE(ids); i++) {
		self->target = ids[i];
		EXPECT_CALL(-ENOENT, 0, self->memory, self->len, 1);
	}
}

TEST_F(invalidate, unwritable_command)
{
	RULE("UAPI-39");
	struct iommu_hwpt_invalidate *cmd = (void *)(self->memory + self->page);

	fill(self, variant, self->memory, CACHE_WORDS, self->len);
	*cmd = (struct iommu_hwpt_invalidate){
		.size = sizeof(*cmd), .hwpt_id = self->target, .entry_len = self->len,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, .entry_num = 1,
		.data_uptr = (uintptr_t)self->memory,
	};
	ASSERT_EQ(0, mprotect(cmd, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, __iommufd_ioctl(&self->vm.iommufd, IOMMU_HWPT_INVALIDATE, cmd));
	EXPECT_EQ(1, cmd->entry_num);
	/* The reply is lost, not the work: hw_pagetable.c answers after the driver has run */
	EXPECT_EQ(left_after(1), words(self, variant));
}

TEST_F(invalidate, unwritable_command_hides_another_error)
{
	RULE("UAPI-39");
	struct iommu_hwpt_invalidate *cmd = (void *)(self->memory + self->page);

	*cmd = (struct iommu_hwpt_invalidate){
		.size = sizeof(*cmd), .hwpt_id = self->target, .data_type = WRONG_TYPE,
	};
	ASSERT_EQ(0, mprotect(cmd, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, __iommufd_ioctl(&self->vm.iommufd, IOMMU_HWPT_INVALIDATE, cmd));
	EXPECT_EQ(CACHE_FULL, words(self, variant));
}

/*
 * Last, and alone in its fixture, since a kernel may answer with a WARN, which ends the guest:
 * the driver asks kmalloc() for the whole array, and the bound of the core is above its limit.
 */
FIXTURE(invalidate_large) {
	struct vm vm;
};

FIXTURE_SETUP(invalidate_large)
{
	vm_setup_viommu(_metadata, &self->vm);
}

FIXTURE_TEARDOWN(invalidate_large)
{
	vm_close(&self->vm);
}

/* A WARN taints the kernel, /proc/sys/kernel/tainted bit 9 */
static bool warned(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long taint = 0;

	if (file) {
		if (fscanf(file, "%lu", &taint) != 1)
			taint = 0;
		fclose(file);
	}
	return taint & (1ul << 9);
}

TEST_F(invalidate_large, maximum_of_entries_of_a_viommu_makes_no_splat)
{
	RULE("UAPI-44");
	struct iommu_viommu_invalidate_selftest *array = calloc(ENTRY_NUM_MAX, sizeof(*array));
	struct vm *vm = &self->vm;
	uint32_t done = ENTRY_NUM_MAX;
	int rc;

	if (warned())
		SKIP(return, "an earlier WARN would hide this one");
	ASSERT_NE(NULL, array);
	for (uint32_t i = 0; i < ENTRY_NUM_MAX; i++)
		array[i].vdev_id = VM_VIRT_ID;
	rc = __hwpt_invalidate(&vm->iommufd, vm->viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
			       array, sizeof(*array), &done);
	/* entry_num of an allocation that failed is the business of fail_nth_events.c */
	EXPECT_TRUE(rc == 0 || rc == -ENOMEM);
	EXPECT_EQ(rc ? CACHE_FULL : CACHE_FULL & ~1u,
		  device_words(&vm->iommufd, vm->dev.idev_id));
	EXPECT_FALSE(warned());
	free(array);
}

NIT_TEST_MAIN
