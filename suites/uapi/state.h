/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be seen of an iommufd from outside, to compare before and after a call that must
 * change nothing. The probes themselves change nothing.
 */
#ifndef NIT_SUITES_UAPI_STATE_H
#define NIT_SUITES_UAPI_STATE_H

#include <unistd.h>

#include "iommufd/assert.h"

#define STATE_IDS 160	/* more than any test makes */

/**
 * struct state - a snapshot
 * @probe: per id, how an empty HWPT_INVALIDATE answers: -ENOENT exactly where there is no object
 * @next_id: the id that an allocation gets, 0 where ids do not come back: a leaked id moves it
 * @next_fd: the file descriptor that an open gets: a leaked file, or a reserved slot, moves it
 */
struct state {
	int probe[STATE_IDS];
	uint32_t next_id;
	int next_fd;
};

static inline int state_probe(struct iommufd *iommufd, uint32_t id)
{
	uint32_t none = 0;

	return __hwpt_invalidate(iommufd, id, IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, NULL, 0, &none);
}

static inline bool state_has(struct iommufd *iommufd, uint32_t id)
{
	return state_probe(iommufd, id) != -ENOENT;
}

/* Allocating and destroying twice tells whether this kernel gives the lowest free id. */
static inline uint32_t state_next_id(struct iommufd *iommufd)
{
	uint32_t id[2] = {};

	for (int i = 0; i < 2; i++) {
		if (__ioas_alloc(iommufd, &id[i]))
			return 0;
		__iommufd_destroy(iommufd, id[i]);
	}
	return id[0] == id[1] ? id[0] : 0;
}

static inline struct state state_get(struct iommufd *iommufd)
{
	struct state state;

	for (uint32_t id = 0; id < STATE_IDS; id++)
		state.probe[id] = state_probe(iommufd, id);
	state.next_id = state_next_id(iommufd);
	state.next_fd = dup(iommufd->fd);
	close(state.next_fd);
	return state;
}

/* Number of differences; each is noted */
static inline int state_differences(const struct state *before, const struct state *after)
{
	int differences = 0;

	for (uint32_t id = 0; id < STATE_IDS; id++) {
		if (before->probe[id] == after->probe[id])
			continue;
		check_note("object %u: probe gave %d before, %d after", id, before->probe[id],
			   after->probe[id]);
		differences++;
	}
	if (before->next_id != after->next_id) {
		check_note("next free id: %u before, %u after", before->next_id, after->next_id);
		differences++;
	}
	if (before->next_fd != after->next_fd) {
		check_note("next free fd: %d before, %d after", before->next_fd, after->next_fd);
		differences++;
	}
	return differences;
}

/* The iommufd is as it was when _before (struct state *) was taken. */
#define EXPECT_STATE(_iommufd, _before) do { \
	struct state after = state_get(_iommufd); \
	int differences = state_differences(_before, &after); \
	EXPECT_EQ(0, differences); \
} while (0)

#endif
