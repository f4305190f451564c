// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "vfio.h"

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4

static int call(struct vfio_device *device, unsigned long request, void *arg)
{
	return ioctl(device->fd, request, arg) < 0 ? -errno : 0;
}

static int transfer(ssize_t done, size_t len)
{
	return done == (ssize_t)len ? 0 : done < 0 ? -errno : -EIO;
}

int vfio_config_read(struct vfio_device *device, unsigned int at, void *data, size_t len)
{
	return transfer(pread(device->fd, data, len, device->config_offset + at), len);
}

int vfio_config_write(struct vfio_device *device, unsigned int at, const void *data, size_t len)
{
	return transfer(pwrite(device->fd, data, len, device->config_offset + at), len);
}

static int enable(struct vfio_device *device)
{
	uint16_t command;
	int rc = vfio_config_read(device, PCI_COMMAND, &command, sizeof(command));

	if (rc)
		return rc;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return vfio_config_write(device, PCI_COMMAND, &command, sizeof(command));
}

static int map_bar(struct vfio_device *device, unsigned int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };
	struct vfio_bar *bar = &device->bars[index];
	int rc = call(device, VFIO_DEVICE_GET_REGION_INFO, &info);
	void *map;

	if (rc)
		return rc;
	bar->size = info.size;
	bar->offset = info.offset;
	if (!info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;
	map = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd, info.offset);
	bar->map = map == MAP_FAILED ? NULL : map;	/* MSI-X tables in it: not as a whole */
	return 0;
}

static int set_up(struct vfio_device *device, int iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	int rc = call(device, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (rc)
		return rc;
	device->dev_id = bind.out_devid;
	rc = call(device, VFIO_DEVICE_GET_REGION_INFO, &config);
	device->config_offset = config.offset;
	rc = rc ?: enable(device);
	for (unsigned int i = 0; !rc && i < VFIO_BARS; i++)
		rc = map_bar(device, i);
	return rc;
}

int vfio_open(struct vfio_device *device, const char *bdf, int iommufd)
{
	char path[PATH_MAX];
	int rc;

	*device = (struct vfio_device){ .fd = -1 };
	rc = pci_identify(bdf, &device->id);
	rc = rc ?: pci_vfio_path(bdf, path, sizeof(path));
	if (rc)
		return rc;
	device->fd = open(path, O_RDWR | O_CLOEXEC);
	if (device->fd < 0)
		return -errno;
	rc = set_up(device, iommufd);
	if (rc)
		vfio_close(device);
	return rc;
}

void vfio_close(struct vfio_device *device)
{
	for (unsigned int i = 0; i < VFIO_BARS; i++)
		if (device->bars[i].map)
			munmap((void *)device->bars[i].map, device->bars[i].size);
	if (device->fd >= 0)
		close(device->fd);
	*device = (struct vfio_device){ .fd = -1 };
}

int vfio_attach(struct vfio_device *device, uint32_t pasid, uint32_t pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach), .pt_id = pt_id,
		.flags = pasid == PCI_NO_PASID ? 0 : VFIO_DEVICE_ATTACH_PASID,
		.pasid = pasid == PCI_NO_PASID ? 0 : pasid,
	};

	return call(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

int vfio_detach(struct vfio_device *device, uint32_t pasid)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
		.flags = pasid == PCI_NO_PASID ? 0 : VFIO_DEVICE_DETACH_PASID,
		.pasid = pasid == PCI_NO_PASID ? 0 : pasid,
	};

	return call(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

int vfio_reset(struct vfio_device *device)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int rc = call(device, VFIO_DEVICE_GET_INFO, &info);

	if (!rc && !(info.flags & VFIO_DEVICE_FLAGS_RESET))
		return -EOPNOTSUPP;
	return rc ?: call(device, VFIO_DEVICE_RESET, NULL) ?: enable(device);
}

/* A BAR that is not mapped is read and written through the file. */
static uint64_t read_file(struct vfio_device *device, unsigned int bar, uint64_t at, size_t len)
{
	uint64_t value = UINT64_MAX;

	if (pread(device->fd, &value, len, device->bars[bar].offset + at) != (ssize_t)len)
		return UINT64_MAX;
	return len < sizeof(value) ? value & ((1ull << 8 * len) - 1) : value;
}

static void write_file(struct vfio_device *device, unsigned int bar, uint64_t at,
		       const void *value, size_t len)
{
	/* A write that does not arrive shows in what the device does not do. */
	if (pwrite(device->fd, value, len, device->bars[bar].offset + at) < 0)
		return;
}

uint32_t vfio_read32(struct vfio_device *device, unsigned int bar, uint64_t at)
{
	volatile uint8_t *map = device->bars[bar].map;

	return map ? *(volatile uint32_t *)(map + at) : read_file(device, bar, at, 4);
}

void vfio_write32(struct vfio_device *device, unsigned int bar, uint64_t at, uint32_t value)
{
	volatile uint8_t *map = device->bars[bar].map;

	if (map)
		*(volatile uint32_t *)(map + at) = value;
	else
		write_file(device, bar, at, &value, sizeof(value));
}

uint64_t vfio_read64(struct vfio_device *device, unsigned int bar, uint64_t at)
{
	volatile uint8_t *map = device->bars[bar].map;

	return map ? *(volatile uint64_t *)(map + at) : read_file(device, bar, at, 8);
}

void vfio_write64(struct vfio_device *device, unsigned int bar, uint64_t at, uint64_t value)
{
	volatile uint8_t *map = device->bars[bar].map;

	if (map)
		*(volatile uint64_t *)(map + at) = value;
	else
		write_file(device, bar, at, &value, sizeof(value));
}
