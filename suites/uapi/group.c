// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices of one IOMMU group: the IOMMU cannot tell them apart, so they have one attachment,
 * and one owner. iommufd's uAPI does not speak of groups; what it obliges to is in its code
 * (device.c) and in iommufd.rst, "group-related tricks managed behind the scene".
 *
 * The devices are QEMU's PCI test devices behind one conventional bridge, whose requester id both
 * use: machine x86_64-group.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio/vfio.h"
#include "vm.h"

#define TEST_DEVICE_VENDOR 0x1b36
#define TEST_DEVICE 0x0005
#define MAX_DEVICES 64
#define GROUP_NAME 16
#define IOVA 0x10000000
#define MSI_WINDOW 0xfee00000	/* reserved for every device of an x86 machine */

FIXTURE(group)
{
	char bdf[2][PCI_BDF_SIZE];
	struct iommufd iommufd;
	struct vfio_device first, second;
	uint32_t ioas;
	uint8_t *buf;
	size_t page;
};

/* Two test devices that share a group */
static bool find_pair(char bdf[2][PCI_BDF_SIZE])
{
	char list[MAX_DEVICES][PCI_BDF_SIZE], group[MAX_DEVICES][GROUP_NAME];
	unsigned int count = pci_devices(list, MAX_DEVICES);
	struct pci_id id;

	for (unsigned int i = 0; i < count; i++) {
		group[i][0] = '\0';
		if (pci_identify(list[i], &id) || id.vendor != TEST_DEVICE_VENDOR ||
		    id.device != TEST_DEVICE || pci_iommu_group(list[i], group[i], GROUP_NAME))
			continue;
		for (unsigned int j = 0; j < i; j++) {
			if (strcmp(group[j], group[i]))
				continue;
			strcpy(bdf[0], list[j]);
			strcpy(bdf[1], list[i]);
			return true;
		}
	}
	return false;
}

FIXTURE_SETUP(group)
{
	NEEDS_KERNEL(return, "devices of one IOMMU group");
	self->first.fd = -1;
	self->second.fd = -1;
	if (!find_pair(self->bdf))
		SKIP(return, "needs two PCI test devices in one IOMMU group");
	if (pci_give_to_vfio(self->bdf[0]) || pci_give_to_vfio(self->bdf[1]))
		SKIP(return, "needs vfio-pci (CONFIG_VFIO_PCI)");
	ASSERT_EQ(0, __iommufd_open(&self->iommufd));
	ASSERT_EQ(0, vfio_open(&self->first, self->bdf[0], self->iommufd.fd));
	ASSERT_EQ(0, vfio_open(&self->second, self->bdf[1], self->iommufd.fd));
	self->page = sysconf(_SC_PAGESIZE);
	self->buf = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->buf);
	self->ioas = ioas_alloc(&self->iommufd);
	ASSERT_EQ(0, __ioas_map(&self->iommufd, self->ioas, self->buf, self->page, IOVA,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
}

FIXTURE_TEARDOWN(group)
{
	if (self->first.fd >= 0)
		vfio_close(&self->first);
	if (self->second.fd >= 0)
		vfio_close(&self->second);
}

static int attach(struct vfio_device *device, uint32_t pt_id)
{
	return vfio_attach(device, PCI_NO_PASID, pt_id);
}

static int detach(struct vfio_device *device)
{
	return vfio_detach(device, PCI_NO_PASID);
}

/* In use is what cannot be destroyed; what can be is gone by the question. */
static int destroy(struct iommufd *iommufd, uint32_t id)
{
	return __iommufd_destroy(iommufd, id);
}

static int map_msi_window(struct iommufd *iommufd, uint32_t ioas, uint8_t *buf, size_t page)
{
	return __ioas_map(iommufd, ioas, buf, page, MSI_WINDOW, IOMMU_IOAS_MAP_READABLE);
}

TEST_F(group, second_attaches_to_what_the_first_has)
{
	struct iommufd *iommufd = &self->iommufd;
	uint32_t hwpt = hwpt_alloc(iommufd, self->first.dev_id, self->ioas, 0);

	RULE("UAPI-105");
	EXPECT_EQ(0, attach(&self->first, hwpt));
	EXPECT_EQ(0, attach(&self->second, hwpt));
	EXPECT_EQ(0, detach(&self->first));
	EXPECT_EQ(-EBUSY, destroy(iommufd, hwpt));
	EXPECT_EQ(0, detach(&self->second));
	EXPECT_EQ(0, destroy(iommufd, hwpt));
}

TEST_F(group, second_attaches_to_nothing_else)
{
	struct iommufd *iommufd = &self->iommufd;
	uint32_t hwpt = hwpt_alloc(iommufd, self->first.dev_id, self->ioas, 0);
	uint32_t other = hwpt_alloc(iommufd, self->second.dev_id, self->ioas, 0);

	RULE("UAPI-105");
	EXPECT_EQ(0, attach(&self->first, hwpt));
	EXPECT_EQ(-EINVAL, attach(&self->second, other));
	/* The refused call left nothing: neither an attachment nor a use of the page table. */
	EXPECT_EQ(0, destroy(iommufd, other));
	EXPECT_EQ(0, attach(&self->second, hwpt));
	EXPECT_EQ(0, detach(&self->first));
	EXPECT_EQ(0, detach(&self->second));
	EXPECT_EQ(0, destroy(iommufd, hwpt));
}

TEST_F(group, replaced_for_one_is_replaced_for_both)
{
	struct iommufd *iommufd = &self->iommufd;
	uint32_t hwpt = hwpt_alloc(iommufd, self->first.dev_id, self->ioas, 0);
	uint32_t other = hwpt_alloc(iommufd, self->first.dev_id, self->ioas, 0);

	RULE("UAPI-105");
	EXPECT_EQ(0, attach(&self->first, hwpt));
	EXPECT_EQ(0, attach(&self->second, hwpt));
	EXPECT_EQ(0, attach(&self->first, other));
	EXPECT_EQ(0, destroy(iommufd, hwpt));
	EXPECT_EQ(0, detach(&self->first));
	EXPECT_EQ(-EBUSY, destroy(iommufd, other));
	EXPECT_EQ(0, detach(&self->second));
	EXPECT_EQ(0, destroy(iommufd, other));
}

/* The page table that an IOAS makes by itself is shared, too, and goes with the last user. */
TEST_F(group, both_on_an_ioas)
{
	struct iommufd *iommufd = &self->iommufd;
	uint32_t other = ioas_alloc(iommufd);

	RULE("UAPI-105");
	EXPECT_EQ(0, attach(&self->first, self->ioas));
	EXPECT_EQ(0, attach(&self->second, self->ioas));
	EXPECT_EQ(0, attach(&self->second, other));
	EXPECT_EQ(0, destroy(iommufd, self->ioas));
	EXPECT_EQ(0, detach(&self->second));
	EXPECT_EQ(-EBUSY, destroy(iommufd, other));
	EXPECT_EQ(0, detach(&self->first));
	EXPECT_EQ(0, destroy(iommufd, other));
}

/* What is reserved for one device stays reserved until both have left. */
TEST_F(group, reserved_iovas_are_those_of_each)
{
	struct iommufd *iommufd = &self->iommufd;

	RULE("UAPI-106");
	EXPECT_EQ(0, attach(&self->first, self->ioas));
	EXPECT_EQ(0, attach(&self->second, self->ioas));
	EXPECT_EQ(-EINVAL, map_msi_window(iommufd, self->ioas, self->buf, self->page));
	EXPECT_EQ(0, detach(&self->first));
	EXPECT_EQ(-EINVAL, map_msi_window(iommufd, self->ioas, self->buf, self->page));
	EXPECT_EQ(0, detach(&self->second));
	EXPECT_EQ(0, map_msi_window(iommufd, self->ioas, self->buf, self->page));
	EXPECT_NE(0, attach(&self->first, self->ioas));
	EXPECT_NE(0, attach(&self->second, self->ioas));
	EXPECT_EQ(0, __ioas_unmap(iommufd, self->ioas, MSI_WINDOW, self->page, NULL));
	EXPECT_EQ(0, attach(&self->second, self->ioas));
}

TEST_F(group, has_one_owner)
{
	struct vfio_device stray;
	struct iommufd other;

	RULE("UAPI-107");
	vfio_close(&self->second);
	self->second.fd = -1;
	ASSERT_EQ(0, __iommufd_open(&other));
	EXPECT_EQ(-EPERM, vfio_open(&stray, self->bdf[1], other.fd));
	vfio_close(&self->first);
	self->first.fd = -1;
	/* Both gone, the group is free for the other one. */
	EXPECT_EQ(0, vfio_open(&stray, self->bdf[1], other.fd));
	EXPECT_EQ(-EPERM, vfio_open(&self->first, self->bdf[0], self->iommufd.fd));
	vfio_close(&stray);
	EXPECT_EQ(0, vfio_open(&self->first, self->bdf[0], self->iommufd.fd));
	iommufd_close(&other);
}

NIT_TEST_MAIN
