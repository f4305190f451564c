// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci.h"

#define DEVICES "/sys/bus/pci/devices"

#define PCI_VENDOR_ID 0x00
#define PCI_CLASS_REVISION 0x08
#define PCI_EXTENDED 0x100	/* where the extended capabilities start */
#define PCI_HEADER_WORDS 3

static void __attribute__((format(printf, 3, 4)))
path_of(char *path, const char *bdf, const char *format, ...)
{
	int len = snprintf(path, PATH_MAX, DEVICES "/%s/", bdf);
	va_list ap;

	va_start(ap, format);
	vsnprintf(path + len, PATH_MAX - len, format, ap);
	va_end(ap);
}

int pci_sysfs_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* The last part of what a link of the device points to */
static int link_name(const char *bdf, const char *link, char *name, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	path_of(path, bdf, "%s", link);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	snprintf(name, size, "%s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
	return 0;
}

/*
 * @words words of config space at @at; 0 or -errno. No more is read than is needed: each word is an
 * access of the device, and all of them are a thousand.
 */
static int read_config(const char *bdf, unsigned int at, uint32_t *config, unsigned int words)
{
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	path_of(path, bdf, "config");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = pread(fd, config, 4 * words, at);
	if (len != 4 * words)
		len = len < 0 ? -errno : -EIO;
	close(fd);
	return len < 0 ? len : 0;
}

static int is_bdf(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strlen(entry->d_name) < PCI_BDF_SIZE;
}

unsigned int pci_devices(char (*bdf)[PCI_BDF_SIZE], unsigned int max)
{
	struct dirent **entries;
	int count = scandir(DEVICES, &entries, is_bdf, alphasort);

	for (int i = 0; i < count; i++) {
		if (i < max)
			snprintf(bdf[i], PCI_BDF_SIZE, "%.*s", PCI_BDF_SIZE - 1,
				 entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return count < 0 ? 0 : count > max ? max : count;
}

int pci_identify(const char *bdf, struct pci_id *id)
{
	uint32_t config[PCI_HEADER_WORDS];
	int rc = read_config(bdf, PCI_VENDOR_ID, config, PCI_HEADER_WORDS);

	if (rc)
		return rc;
	*id = (struct pci_id){
		.vendor = config[PCI_VENDOR_ID / 4], .device = config[PCI_VENDOR_ID / 4] >> 16,
		.class = config[PCI_CLASS_REVISION / 4] >> 8,
	};
	return 0;
}

uint16_t pci_rid(const char *bdf)
{
	unsigned int domain, bus, slot, function;

	if (sscanf(bdf, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return 0;
	return bus << 8 | slot << 3 | function;
}

bool pci_has_extended(const char *bdf, uint16_t id)
{
	unsigned int at = PCI_EXTENDED;
	uint32_t header;

	for (unsigned int i = 0; i < 64 && at >= PCI_EXTENDED; i++) {
		if (read_config(bdf, at, &header, 1))
			return false;
		if ((header & 0xffff) == id)
			return true;
		at = header >> 20 & ~3u;
	}
	return false;
}

int pci_iommu(const char *bdf, char *name, size_t size)
{
	return link_name(bdf, "iommu", name, size) ? -ENODEV : 0;
}

int pci_iommu_group(const char *bdf, char *name, size_t size)
{
	return link_name(bdf, "iommu_group", name, size) ? -ENODEV : 0;
}

int pci_give_to_vfio(const char *bdf)
{
	char path[PATH_MAX], driver[64] = "";
	int rc;

	if (!link_name(bdf, "driver", driver, sizeof(driver)))
		return strcmp(driver, "vfio-pci") ? -EBUSY : 0;
	path_of(path, bdf, "driver_override");
	rc = pci_sysfs_write(path, "vfio-pci");
	rc = rc ?: pci_sysfs_write("/sys/bus/pci/drivers_probe", bdf);
	if (rc)
		return rc;
	return link_name(bdf, "driver", driver, sizeof(driver)) ? -ENODEV : 0;
}

int pci_vfio_path(const char *bdf, char *path, size_t size)
{
	char dir[PATH_MAX];
	struct dirent *entry;
	int rc = -ENODEV;
	DIR *stream;

	path_of(dir, bdf, "vfio-dev");
	stream = opendir(dir);
	while (stream && rc && (entry = readdir(stream))) {
		if (strncmp(entry->d_name, "vfio", 4) && strncmp(entry->d_name, "noiommu-vfio", 12))
			continue;
		snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
		rc = 0;
	}
	if (stream)
		closedir(stream);
	return rc;
}
