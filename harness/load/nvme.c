// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "nvme.h"

#define DEVICES 256
#define NVME_CLASS 0x010802	/* PCI Code and ID Assignment: NVM Express */
#define DRIVER "/sys/bus/pci/drivers/nvme/"
#define READY_MS 60000

static int find(char *bdf)
{
	static char all[DEVICES][PCI_BDF_SIZE];
	unsigned int count = pci_devices(all, DEVICES);
	struct pci_id id;

	for (unsigned int i = 0; i < count; i++)
		if (!pci_identify(all[i], &id) && id.class == NVME_CLASS) {
			strcpy(bdf, all[i]);
			return 0;
		}
	return -ENODEV;
}

static bool bound(const char *bdf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DRIVER "%s", bdf);
	return !access(path, F_OK);
}

/* Only a group that nobody drives may change to any type. */
static int set_domain(const char *bdf, const char *domain)
{
	char path[PATH_MAX];
	int rc;

	if (bound(bdf)) {
		rc = pci_sysfs_write(DRIVER "unbind", bdf);
		if (rc)
			return rc;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/type", bdf);
	rc = pci_sysfs_write(path, domain);
	return rc ?: pci_sysfs_write(DRIVER "bind", bdf);
}

/* The first entry of @dir that is as @format says: two numbers, and nothing after them */
static bool entry(const char *dir, const char *format, char *name, size_t size)
{
	DIR *stream = opendir(dir);
	struct dirent *found;
	unsigned int first, second;
	bool is = false;
	char rest;

	while (stream && !is && (found = readdir(stream))) {
		is = sscanf(found->d_name, format, &first, &second, &rest) == 2;
		if (is)
			snprintf(name, size, "%s", found->d_name);
	}
	if (stream)
		closedir(stream);
	return is;
}

/* Bytes, as the block layer has it of the controller (MDTS) */
static unsigned int command_max(const char *name)
{
	char path[PATH_MAX];
	unsigned int kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/%s/queue/max_hw_sectors_kb", name);
	file = fopen(path, "re");
	if (file && fscanf(file, "%u", &kib) != 1)
		kib = 0;
	if (file)
		fclose(file);
	return kib << 10;
}

/* The driver's probe goes on after "bind" has returned. */
static int files(struct nvme *nvme)
{
	char dir[PATH_MAX], controller[32] = "", name[NAME_MAX + 1];
	unsigned int number;
	int fd;

	for (number = 0; number < 64; number++) {
		snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/nvme/nvme%u", nvme->bdf,
			 number);
		if (!access(dir, F_OK))
			snprintf(controller, sizeof(controller), "nvme%u", number);
	}
	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/nvme/%s", nvme->bdf, controller);
	if (!*controller || !entry(dir, "nvme%un%u%c", name, sizeof(name)))
		return -EAGAIN;
	snprintf(nvme->block, sizeof(nvme->block), "/dev/%.32s", name);
	snprintf(nvme->generic, sizeof(nvme->generic), "/dev/ng%.32s", name + strlen("nvme"));
	fd = open(nvme->block, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -EAGAIN;
	if (ioctl(fd, BLKGETSIZE64, &nvme->size) || ioctl(fd, BLKSSZGET, &nvme->sector))
		nvme->size = 0;
	close(fd);
	nvme->command_max = command_max(name);
	return nvme->size && !access(nvme->generic, F_OK) ? 0 : -EAGAIN;
}

int nvme_open(struct nvme *nvme, const char *domain)
{
	int rc;

	*nvme = (struct nvme){};
	rc = find(nvme->bdf);
	if (!rc)
		rc = set_domain(nvme->bdf, domain);
	if (rc)
		return rc;
	for (unsigned int waited = 0; waited < READY_MS; waited++) {
		rc = files(nvme);
		if (rc != -EAGAIN)
			return rc;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return -ETIMEDOUT;
}
