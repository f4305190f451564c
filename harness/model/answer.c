// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"

/*
 * "uapi": the list of errnos at the top of iommufd.h, or the struct's own comment. Where that is
 * silent the code is cited. Where the code is known to break it, both errnos are accepted here,
 * because another program of suites/uapi has a test of its own for just that promise, which
 * fails; otherwise every random sequence would stop at the same known place. These rows say
 * KNOWN. A row with .tolerated may also be no mistake at all.
 */
static const struct {
	bool tolerated;
	int errno_of[2];
} mistakes[] = {
	/* uapi: "An ID or IOVA provided does not exist"; wrong type: main.c:iommufd_get_object */
	[NO_OBJECT] = { .errno_of = { ENOENT } },
	/* KNOWN: uapi as above, hw_pagetable.c:iommufd_hwpt_alloc says EINVAL */
	[NO_PT] = { .errno_of = { ENOENT, EINVAL } },
	/* uapi: "a field is not correct" */
	[PT_TYPE] = { .errno_of = { EINVAL } },
	/* uapi: "a known field has a value the kernel does not understand or support" */
	[FLAGS] = { .errno_of = { EOPNOTSUPP } },
	/* uapi struct iommu_hwpt_alloc: data_type NONE has no data, every other has */
	[DATA_LEN] = { .errno_of = { EINVAL } },
	/* uapi: unsupported value; without data hw_pagetable.c:iommufd_hwpt_nested_alloc */
	[DATA_TYPE] = { .errno_of = { EOPNOTSUPP } },
	/* uapi: "a field is not correct" */
	[NOT_NEST_PARENT] = { .errno_of = { EINVAL } },
	/* hw_pagetable.c:iommufd_hwpt_invalidate */
	[ARRAY] = { .errno_of = { EINVAL } },
	[TARGET_TYPE] = { .errno_of = { EINVAL } },
	/* KNOWN: uapi says EOPNOTSUPP, the drivers say EINVAL */
	[ENTRY_TYPE] = { .errno_of = { EOPNOTSUPP, EINVAL } },
	[ENTRY_UNREADABLE] = { .errno_of = { EFAULT } },
	/* KNOWN: uapi says E2BIG, for a nested HWPT include/linux/iommu.h says EINVAL */
	[ENTRY_TAIL] = { .errno_of = { E2BIG, EINVAL } },
	/* KNOWN: uapi takes a zero tail, and has no minimum; the drivers differ among themselves */
	[ENTRY_LEN] = { .tolerated = true, .errno_of = { EINVAL } },
	/* selftest.c:mock_domain_cache_invalidate_user, mock_viommu_cache_invalidate */
	[ENTRY_FLAGS] = { .errno_of = { EOPNOTSUPP } },
	[ENTRY_FIELD] = { .errno_of = { EINVAL } },
	/* uapi: "Must be defined in enum iommu_viommu_type" */
	[VIOMMU_TYPE] = { .errno_of = { EOPNOTSUPP } },
	/* viommu.c:iommufd_vdevice_alloc_ioctl, eventq.c:iommufd_veventq_alloc */
	[IS_THERE] = { .errno_of = { EEXIST } },
	/* eventq.c:iommufd_veventq_alloc */
	[EVENT_DEPTH] = { .errno_of = { EINVAL } },
	[EVENT_TYPE] = { .errno_of = { EOPNOTSUPP } },
	/* KNOWN: uapi "Must be defined in enum iommu_veventq_type"; the code takes any but 0 */
	[EVENT_TYPE_UNDEFINED] = { .tolerated = true, .errno_of = { EOPNOTSUPP } },
	/*
	 * selftest.c:iommufd_test_mock_domain: the new device is bound before pt_id is looked up,
	 * so an id that was free may by then be the device's own, of the wrong type.
	 */
	[ATTACH_NO_PT] = { .errno_of = { ENOENT, EINVAL } },
	/* selftest.c:mock_domain_nop_attach */
	[ATTACH_DIRTY] = { .errno_of = { EINVAL } },
	[ATTACH_NO_VDEVICE] = { .errno_of = { ENOENT } },
	/* selftest.c:mock_dev_create */
	[DEVICE_FLAGS] = { .errno_of = { EINVAL } },
	/* main.c:iommufd_object_remove */
	[IN_USE] = { .errno_of = { EBUSY } },
};

void answer_mistake(struct answer *answer, enum answer_mistake what)
{
	if (!mistakes[what].tolerated)
		answer->must_fail = true;
	for (int i = 0; i < 2 && mistakes[what].errno_of[i]; i++)
		if (answer->errnos < ANSWER_ERRNOS)
			answer->errno_of[answer->errnos++] = mistakes[what].errno_of[i];
}

bool answer_allows(const struct answer *answer, int rc)
{
	if (!rc)
		return !answer->must_fail;
	for (unsigned int i = 0; i < answer->errnos; i++)
		if (answer->errno_of[i] == -rc)
			return true;
	return false;
}

void answer_say(const struct answer *answer, int rc, char *why, size_t size)
{
	int at = snprintf(why, size, "expected %s", answer->must_fail ? "" : "0");

	for (unsigned int i = 0; i < answer->errnos && at < size; i++) {
		bool again = false;

		for (unsigned int j = 0; j < i; j++)
			again |= answer->errno_of[j] == answer->errno_of[i];
		if (!again)
			at += snprintf(why + at, size - at, "%s-%s",
				       i || !answer->must_fail ? " or " : "",
				       strerrorname_np(answer->errno_of[i]));
	}
	if (at < size)
		snprintf(why + at, size - at, rc ? ", observed -%s" : ", observed %s",
			 rc ? strerrorname_np(-rc) ?: "?" : "0");
}
