// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that no IOMMU stands before: VFIO's no-IOMMU mode. It is bound and attached like any
 * other; what an IOMMU would do it cannot be asked for; and user space, which must give the device
 * physical addresses, asks the kernel for those of an IOAS.
 *
 * The device is QEMU's PCI test device, which is of no use to anybody: this opens a hole, and is
 * never done to a device of a real machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "injection.h"
#include "vfio/vfio.h"
#include "vm.h"

#define TEST_DEVICE_VENDOR 0x1b36
#define TEST_DEVICE 0x0005
#define MAX_DEVICES 64
#define IOVA MOCK_APERTURE_START
#define PAGES 8

FIXTURE(noiommu) {
	struct iommufd iommufd;
	struct vfio_device device;
	uint32_t ioas;
	uint8_t *buf;
	size_t page;
};

static bool find_test_device(char *bdf)
{
	char list[MAX_DEVICES][PCI_BDF_SIZE], iommu[64];
	unsigned int count = pci_devices(list, MAX_DEVICES);
	struct pci_id id;

	for (unsigned int i = 0; i < count; i++) {
		if (pci_identify(list[i], &id) || id.vendor != TEST_DEVICE_VENDOR ||
		    id.device != TEST_DEVICE || !pci_iommu(list[i], iommu, sizeof(iommu)))
			continue;
		strcpy(bdf, list[i]);
		return true;
	}
	return false;
}

static bool allow_noiommu(void)
{
	int fd = open("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
		      O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, "Y", 1) == 1;

	if (fd >= 0)
		close(fd);
	return ok;
}

FIXTURE_SETUP(noiommu)
{
	char bdf[PCI_BDF_SIZE];

	NEEDS_KERNEL(return, "devices without an IOMMU");
	self->device.fd = -1;
	if (!find_test_device(bdf))
		SKIP(return, "needs QEMU's PCI test device without an IOMMU");
	if (!allow_noiommu() || pci_give_to_vfio(bdf))
		SKIP(return, "needs VFIO's no-IOMMU mode (CONFIG_VFIO_NOIOMMU)");
	ASSERT_EQ(0, __iommufd_open(&self->iommufd));
	if (vfio_open(&self->device, bdf, self->iommufd.fd))
		SKIP(return, "needs iommufd's no-IOMMU mode (CONFIG_IOMMUFD_NOIOMMU)");
	self->page = sysconf(_SC_PAGESIZE);
	self->buf = mmap(NULL, PAGES * self->page, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->buf);
	self->ioas = ioas_alloc(&self->iommufd);
	ASSERT_EQ(0, __ioas_map(&self->iommufd, self->ioas, self->buf, PAGES * self->page, IOVA,
				IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE));
}

FIXTURE_TEARDOWN(noiommu)
{
	if (self->device.fd < 0)
		return;
	vfio_close(&self->device);
	iommufd_close(&self->iommufd);
}

static int attach(struct vfio_device *device, uint32_t pt_id)
{
	return vfio_attach(device, PCI_NO_PASID, pt_id);
}

static int get_pa(struct iommufd *iommufd, uint32_t ioas, uint64_t iova, uint64_t *length,
		  uint64_t *pa)
{
	struct iommu_ioas_noiommu_get_pa cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .iova = iova, .length = *length,
	};
	int rc = __iommufd_ioctl(iommufd, IOMMU_IOAS_NOIOMMU_GET_PA, &cmd);

	*length = cmd.length;
	*pa = cmd.out_phys;
	return rc;
}

static int try_get_pa(struct iommufd *iommufd, uint32_t ioas, uint64_t iova, uint64_t length)
{
	uint64_t pa;

	return get_pa(iommufd, ioas, iova, &length, &pa);
}

/* The physical address of @va, 0 if the kernel does not tell */
static uint64_t physical(const uint8_t *va, size_t page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;
	ssize_t len = pread(fd, &entry, sizeof(entry), (uintptr_t)va / page * sizeof(entry));

	close(fd);
	if (len != sizeof(entry))
		return 0;
	return (entry & ((1ULL << 55) - 1)) * page + (uintptr_t)va % page;
}

/* Bytes from @offset of the buffer on that lie one after the other in memory */
static uint64_t contiguous(const uint8_t *buf, size_t page, uint64_t offset)
{
	uint64_t end = offset / page * page + page;

	while (end < PAGES * page &&
	       physical(buf + end, page) == physical(buf + end - page, page) + page)
		end += page;
	return end - offset;
}

TEST_F(noiommu, is_attached_replaced_and_detached)
{
	struct iommufd *iommufd = &self->iommufd;
	uint32_t other = ioas_alloc(iommufd), hwpt;

	RULE("UAPI-103");
	EXPECT_EQ(0, attach(&self->device, self->ioas));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, self->ioas));
	EXPECT_EQ(0, attach(&self->device, other));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, self->ioas));
	hwpt = hwpt_alloc(iommufd, self->device.dev_id, other, 0);
	EXPECT_EQ(0, attach(&self->device, hwpt));
	EXPECT_EQ(-EBUSY, __iommufd_destroy(iommufd, hwpt));
	EXPECT_EQ(0, vfio_detach(&self->device, PCI_NO_PASID));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, hwpt));
	EXPECT_EQ(0, __iommufd_destroy(iommufd, other));
}

TEST_F(noiommu, is_bound_to_an_iommufd_only)
{
	struct vfio_device device;
	char bdf[PCI_BDF_SIZE];
	int file = memfd_create("nit", MFD_CLOEXEC), closed = dup(file);

	RULE("UAPI-103");
	ASSERT_EQ(0, close(closed));
	vfio_close(&self->device);
	self->device.fd = -1;
	ASSERT_EQ(true, find_test_device(bdf));
	EXPECT_NE(0, vfio_open(&device, bdf, file));
	EXPECT_NE(0, vfio_open(&device, bdf, closed));
	EXPECT_EQ(0, vfio_open(&self->device, bdf, self->iommufd.fd));
}

TEST_F(noiommu, what_takes_an_iommu_is_refused)
{
	struct iommufd *iommufd = &self->iommufd;
	uint32_t dev = self->device.dev_id, type, len = 0, id = 0, hwpt;
	struct iommu_hwpt_selftest data = {};
	uint64_t capabilities;
	uint8_t width;

	RULE("UAPI-103");
	hwpt = hwpt_alloc(iommufd, dev, self->ioas, 0);
	EXPECT_EQ(-EOPNOTSUPP, __get_hw_info(iommufd, dev, &type, NULL, &len, &capabilities,
					     &width));
	EXPECT_EQ(-EOPNOTSUPP, __hwpt_alloc(iommufd, dev, self->ioas,
					    IOMMU_HWPT_ALLOC_NEST_PARENT, &id));
	EXPECT_EQ(-EOPNOTSUPP, __hwpt_alloc(iommufd, dev, self->ioas,
					    IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &id));
	EXPECT_EQ(-EOPNOTSUPP, __hwpt_alloc_data(iommufd, dev, self->ioas, 0, 0,
						 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data),
						 &id));
	EXPECT_EQ(-EOPNOTSUPP, __hwpt_alloc_data(iommufd, dev, hwpt, 0, 0,
						 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data),
						 &id));
	EXPECT_EQ(-EOPNOTSUPP, __viommu_alloc(iommufd, dev, hwpt, IOMMU_VIOMMU_TYPE_SELFTEST,
					      NULL, 0, &id));
	EXPECT_EQ(0, id);
}

/* A vIOMMU is for devices behind its own IOMMU. */
TEST_F(noiommu, is_no_device_of_a_viommu)
{
	struct iommufd *iommufd = &self->iommufd;
	struct iommu_hwpt_selftest data = {};
	struct mock_device mock;
	uint32_t viommu, id = 0;

	RULE("UAPI-103");
	if (__mock_present(iommufd))
		SKIP(return, "needs the mock driver (CONFIG_IOMMUFD_TEST)");
	mock = mock_device_create(iommufd, self->ioas, 0);
	viommu = mock_viommu_alloc(iommufd, mock.idev_id,
				   hwpt_alloc(iommufd, mock.idev_id, self->ioas,
					      IOMMU_HWPT_ALLOC_NEST_PARENT));
	EXPECT_EQ(-EINVAL, __vdevice_alloc(iommufd, viommu, self->device.dev_id, 1, &id));
	EXPECT_EQ(-EINVAL, __hwpt_alloc_data(iommufd, self->device.dev_id, viommu, 0, 0,
					     IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data), &id));
	EXPECT_EQ(0, id);
	EXPECT_EQ(0, __iommufd_destroy(iommufd, viommu));
}

TEST_F(noiommu, physical_addresses_are_those_of_the_memory)
{
	const uint64_t offsets[] = { 0, 1, 64, self->page - 1, self->page, 3 * self->page + 100,
				     PAGES * self->page - 1 };
	uint64_t length, pa, whole;

	RULE("UAPI-104");
	ASSERT_EQ(0, attach(&self->device, self->ioas));
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		whole = contiguous(self->buf, self->page, offsets[i]);
		length = UINT64_MAX;
		EXPECT_EQ(0, get_pa(&self->iommufd, self->ioas, IOVA + offsets[i], &length, &pa));
		EXPECT_EQ(physical(self->buf + offsets[i], self->page), pa)
			check_note("offset %lu", (unsigned long)offsets[i]);
		EXPECT_EQ(whole, length);
		length = 1;
		EXPECT_EQ(0, get_pa(&self->iommufd, self->ioas, IOVA + offsets[i], &length, &pa));
		EXPECT_EQ(1, length);
		length = whole - 1;
		if (!length)
			continue;
		EXPECT_EQ(0, get_pa(&self->iommufd, self->ioas, IOVA + offsets[i], &length, &pa));
		EXPECT_EQ(whole - 1, length);
	}
}

/* Whatever fails, an address is given or it is not, and the next call gets it. */
TEST_F(noiommu, physical_addresses_while_look_ups_fail)
{
	struct iommufd *iommufd = &self->iommufd;
	uint64_t length, pa, right = physical(self->buf, self->page);
	struct injection injection;
	enum injector who = SLAB;
	unsigned int refused = 0;
	int rc;

	RULE("UAPI-85");
	ASSERT_EQ(0, attach(&self->device, self->ioas));
	if (!injection_start(&injection))
		SKIP(goto out, "needs fault injection (failslab, fail_page_alloc in debugfs)");
	for (unsigned int nth = 1; who != NOBODY && nth < 100; nth++) {
		length = self->page;
		injection_arm(_metadata, &injection, nth);
		rc = get_pa(iommufd, self->ioas, IOVA, &length, &pa);
		who = injection_disarm(_metadata, &injection);
		if (rc && who != OTHER)
			expect_injected_errno(_metadata, who, rc);
		refused += !!rc;
		EXPECT_EQ(rc ? 0 : right, pa);
		EXPECT_EQ(0, try_get_pa(iommufd, self->ioas, IOVA, 1));
	}
	EXPECT_EQ(NOBODY, who);
	EXPECT_LT(0, refused);
out:
	injection_stop(&injection);
}

TEST_F(noiommu, physical_addresses_that_nobody_has)
{
	struct iommufd *iommufd = &self->iommufd;
	uint64_t end = IOVA + PAGES * self->page;

	RULE("UAPI-104");
	EXPECT_EQ(-EOPNOTSUPP, try_get_pa(iommufd, self->ioas, IOVA, 1));
	ASSERT_EQ(0, attach(&self->device, self->ioas));
	EXPECT_EQ(0, try_get_pa(iommufd, self->ioas, IOVA, 1));
	EXPECT_EQ(-EINVAL, try_get_pa(iommufd, self->ioas, IOVA, 0));
	EXPECT_EQ(-ENOENT, try_get_pa(iommufd, self->ioas, IOVA - 1, 2));
	EXPECT_EQ(-ENOENT, try_get_pa(iommufd, self->ioas, end, 1));
	EXPECT_EQ(-EOVERFLOW, try_get_pa(iommufd, self->ioas, UINT64_MAX, 1));
	EXPECT_EQ(-ENOENT, try_get_pa(iommufd, self->device.dev_id, IOVA, 1));
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->ioas, IOVA, PAGES * self->page, NULL));
	EXPECT_EQ(-ENOENT, try_get_pa(iommufd, self->ioas, IOVA, 1));
	ASSERT_EQ(0, vfio_detach(&self->device, PCI_NO_PASID));
}

/* Mapped while the device is attached, or before: no difference */
TEST_F(noiommu, physical_addresses_follow_the_mapping)
{
	struct iommufd *iommufd = &self->iommufd;
	uint64_t at = IOVA + 0x1000000, length = 1, pa;

	RULE("UAPI-104");
	ASSERT_EQ(0, attach(&self->device, self->ioas));
	ASSERT_EQ(0, __ioas_map(iommufd, self->ioas, self->buf + self->page, self->page, at,
				IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, get_pa(iommufd, self->ioas, at, &length, &pa));
	EXPECT_EQ(physical(self->buf + self->page, self->page), pa);
	ASSERT_EQ(0, __ioas_unmap(iommufd, self->ioas, at, self->page, NULL));
	EXPECT_EQ(-ENOENT, try_get_pa(iommufd, self->ioas, at, 1));
	ASSERT_EQ(0, __ioas_map(iommufd, self->ioas, self->buf, self->page, at,
				IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, get_pa(iommufd, self->ioas, at, &length, &pa));
	EXPECT_EQ(physical(self->buf, self->page), pa);
}

TEST_F(noiommu, physical_addresses_take_privilege)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	RULE("UAPI-104");
	ASSERT_EQ(0, attach(&self->device, self->ioas));
	EXPECT_EQ(0, try_get_pa(&self->iommufd, self->ioas, IOVA, 1));
	ASSERT_EQ(0, syscall(SYS_capget, &header, data));
	data[CAP_SYS_RAWIO / 32].effective &= ~(1U << CAP_SYS_RAWIO % 32);
	ASSERT_EQ(0, syscall(SYS_capset, &header, data));
	EXPECT_EQ(-EPERM, try_get_pa(&self->iommufd, self->ioas, IOVA, 1));
}

/* The software page table is the device's own, whoever else uses the IOAS. */
TEST_F(noiommu, physical_addresses_beside_a_device_with_an_iommu)
{
	struct iommufd *iommufd = &self->iommufd;

	RULE("UAPI-104");
	if (__mock_present(iommufd))
		SKIP(return, "needs the mock driver (CONFIG_IOMMUFD_TEST)");
	mock_device_create(iommufd, self->ioas, 0);
	ASSERT_EQ(0, attach(&self->device, self->ioas));
	EXPECT_EQ(0, try_get_pa(iommufd, self->ioas, IOVA, 1));
}

NIT_TEST_MAIN
