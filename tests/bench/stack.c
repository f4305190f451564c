// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an invalidation costs through the whole stack: ns of processor time, the least of several
 * rounds. For reading, not for judging: no target is set for software that checks and copies.
 *
 *	invalidate	one page: guest command, VMM, iommufd, hypervisor, queue, sync; then a walk
 *	of 16		16 adjacent pages at once, the share of each
 *
 * What the hardware costs of it: intel.c, amd.c, arm.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "target/ref.h"
#include "vmm/vm.h"

enum { PAGES = 2048, ROUNDS = 40, INVALIDATIONS = 128, TOGETHER = 16 };

#define IOVA 0x10000000ULL

struct stack {
	struct target target;
	struct vm vm;
	struct vm_space space;
	struct hw_iommu *iommu;
	uint16_t rid;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "%s failed: %d\n", what, rc);
	exit(1);
}

static void translate(struct stack *stack, unsigned int page)
{
	const struct hw_request request = {
		.type = HW_UNTRANSLATED, .rid = stack->rid, .addr = IOVA + page * VM_PAGE,
		.access = HW_READ,
	};
	struct hw_translation translation;

	if (stack->iommu->ops->translate(stack->iommu, &request, &translation) != HW_OK)
		must(-1, "translate");
}

/* ns for each of the pages, @together in one invalidation */
static double invalidate(struct stack *stack, unsigned int together)
{
	double best = 1e18;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		double start = now();

		for (unsigned int i = 0; i < INVALIDATIONS; i += together) {
			must(vm_invalidate(&stack->space, IOVA + i * VM_PAGE, together * VM_PAGE,
					   VM_LEAF_ONLY), "invalidate");
			for (unsigned int page = i; page < i + together; page++)
				translate(stack, page);
		}
		start = (now() - start) / INVALIDATIONS;
		best = start < best ? start : best;
	}
	return best;
}

static void set_up(struct stack *stack, const struct ref_vendor *ref,
		   const struct vm_vendor *vendor)
{
	struct vm_device *device;
	uint64_t memory;

	must(ref_open(&stack->target, ref, NULL), "ref_open");
	hw_trace_dma(ref_machine(&stack->target)->trace, false);
	must(vm_open(&stack->vm, &stack->target, vendor, 0), "vm_open");
	must(vm_add_device(&stack->vm, 0, false, &device), "vm_add_device");
	must(vm_space_init(&stack->vm, &stack->space, DMA_NO_PASID), "vm_space_init");
	must(vm_attach(device, &stack->space), "vm_attach");
	memory = pages_alloc(&stack->vm.mem, PAGES * VM_PAGE);
	/* In 4 KiB leaves: large ones would be few entries. */
	must(pgtable_map(&stack->space.stage1, IOVA, memory, PAGES * VM_PAGE,
			 PGTABLE_READ | PGTABLE_WRITE | PGTABLE_USER, 12), "pgtable_map");
	stack->iommu = ref_machine(&stack->target)->iommus[0];
	stack->rid = stack->target.devices[0].rid;
}

static void measure(const struct ref_vendor *ref, const struct vm_vendor *vendor)
{
	struct stack stack = {};
	double one;

	set_up(&stack, ref, vendor);
	one = invalidate(&stack, 1);
	printf("%-8s %12.1f %12.1f\n", ref->name, one, invalidate(&stack, TOGETHER));
	vm_space_fini(&stack.space);
	vm_close(&stack.vm);
	stack.target.ops->close(&stack.target);
}

int main(void)
{
	printf("%-8s %12s %12s\n", "ns", "invalidate", "of 16");
	measure(&ref_intel, &vm_intel);
	measure(&ref_amd, &vm_amd);
	measure(&ref_arm, &vm_arm);
	return 0;
}
