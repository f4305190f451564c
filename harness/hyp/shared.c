// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that a vIOMMU shares with user space, which maps them at an offset of the iommufd. They are
 * a file in memory; who has it mapped is in /proc/self/maps.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fault.h"
#include "iommufd/iommufd.h"
#include "object.h"

#define PAGE 4096ULL

static bool offset_taken(struct hyp_context *context, uint64_t offset, uint64_t length)
{
	for (uint32_t id = 1; id < context->room; id++) {
		const struct hyp_viommu_object *object = hyp_object_get(context, id, HYP_VIOMMU);

		if (object && object->viommu.pages_offset < offset + length &&
		    offset < object->viommu.pages_offset + object->viommu.pages_length)
			return true;
	}
	return false;
}

int hyp_pages_alloc(struct hyp_viommu *viommu, unsigned int count, const void *data, size_t len)
{
	uint64_t length = count * PAGE, offset = PAGE;
	int file = memfd_create("viommu", MFD_CLOEXEC);

	if (file < 0)
		return -errno;
	if (ftruncate(file, length) || pwrite(file, data, len, 0) != (ssize_t)len) {
		close(file);
		return -ENOMEM;
	}
	while (offset_taken(viommu->context, offset, length))
		offset += length;
	viommu->pages = file;
	viommu->pages_offset = offset;
	viommu->pages_length = length;
	return 0;
}

void hyp_pages_free(struct hyp_viommu *viommu)
{
	if (viommu->pages_length)
		close(viommu->pages);
}

bool hyp_pages_mapped(const struct hyp_viommu *viommu)
{
	unsigned long inode;
	bool mapped = false;
	struct stat stat;
	char line[512];
	FILE *maps;

	if (!viommu->pages_length || fstat(viommu->pages, &stat) ||
	    FAULT("hyp.mapped-viommu-goes", "a vIOMMU is destroyed while its pages are mapped"))
		return false;
	maps = fopen("/proc/self/maps", "re");
	while (maps && !mapped && fgets(line, sizeof(line), maps))
		mapped = sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1 && inode == stat.st_ino;
	if (maps)
		fclose(maps);
	return mapped;
}

static const struct hyp_viommu *find(struct hyp_context *context, uint64_t offset, size_t length)
{
	for (uint32_t id = 1; id < context->room; id++) {
		const struct hyp_viommu_object *object = hyp_object_get(context, id, HYP_VIOMMU);

		if (object && object->viommu.pages_length &&
		    object->viommu.pages_offset == offset && object->viommu.pages_length == length)
			return &object->viommu;
	}
	return NULL;
}

/* Registers are no memory here: hyp_viommu_mmio() is how a guest reaches them. */
void *hyp_mmap(struct hyp_context *context, void *addr, size_t length, int prot, int flags,
	       uint64_t offset)
{
	const struct hyp_viommu *viommu;
	void *map = MAP_FAILED;

	if (!(flags & MAP_SHARED)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	if (prot & PROT_EXEC) {
		errno = EPERM;
		return MAP_FAILED;
	}
	pthread_mutex_lock(&context->hyp->lock);
	viommu = find(context, offset, length);
	errno = ENXIO;
	if (viommu)
		map = mmap(addr, length, prot, flags, viommu->pages, 0);
	pthread_mutex_unlock(&context->hyp->lock);
	return map;
}
