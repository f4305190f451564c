// SPDX-License-Identifier: GPL-2.0-only
/*
 * What page of memory a user address means. A kernel compares page frames; here it is the file and
 * the place in it, from /proc/self/maps, or the address where the memory belongs to no file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mock_vendor.h"

/** struct mapping - one line of /proc/self/maps */
struct mapping {
	uint64_t first;
	uint64_t end;
	uint64_t offset;
	uint64_t object;	/* inode and device; 0: anonymous */
};

static bool find_mapping(uint64_t va, struct mapping *mapping)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long first, end, offset, inode;
	unsigned int major, minor;
	bool found = false;
	char line[512];

	while (maps && !found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*4s %lx %x:%x %lu", &first, &end, &offset, &major,
			   &minor, &inode) != 6 || va < first || va >= end)
			continue;
		*mapping = (struct mapping){ first, end, offset,
					     inode ? inode << 20 | major << 8 | minor : 0 };
		found = true;
	}
	if (maps)
		fclose(maps);
	return found;
}

/* The page at @va, which is in @mapping; -EFAULT where it cannot be read */
static int page_in(const struct mapping *mapping, uint64_t va, struct mock_page *page)
{
	uint8_t byte;

	if (hyp_copy_from_user(&byte, va, 1))
		return -EFAULT;
	page->object = mapping->object;
	page->index = mapping->object ?
		(mapping->offset + (va - mapping->first)) / MOCK_PAGE : va / MOCK_PAGE;
	return 0;
}

struct mock_page *mock_pages_find(uint64_t va, uint64_t len)
{
	uint64_t first = va & -MOCK_PAGE, count = (va + len - 1 - first) / MOCK_PAGE + 1;
	struct mock_page *pages = count < 1 << 24 ? malloc(count * sizeof(*pages)) : NULL;
	struct mapping mapping = {};
	uint64_t i;

	for (i = 0; pages && i < count; i++) {
		uint64_t at = first + i * MOCK_PAGE;

		if ((at >= mapping.end && !find_mapping(at, &mapping)) ||
		    page_in(&mapping, at, &pages[i]))
			break;
	}
	if (!pages || i == count)
		return pages;
	free(pages);
	return NULL;
}

int mock_page_find(uint64_t va, struct mock_page *page)
{
	struct mock_page *pages = mock_pages_find(va, 1);

	if (!pages)
		return -EFAULT;
	*page = *pages;
	free(pages);
	return 0;
}

bool mock_page_same(const struct mock_page *a, const struct mock_page *b)
{
	return a->object == b->object && a->index == b->index;
}
