// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#define PCI_COMMAND	0x04
#define PCI_MEMORY_MASTER 0x06
#define PCI_STATUS	0x06
#define PCI_STATUS_CAPS	0x10
#define PCI_BAR0	0x10
#define PCI_BAR_64	0x04
#define PCI_CAPS	0x34
#define PCI_CAPS_MAX	48

/* PCI-to-PCI bridges 1.2, 3.2.5: bus numbers; memory window in units of WINDOW */
#define BRIDGE_BUSES	0x18
#define BRIDGE_MEMORY	0x20
#define WINDOW		(1ull << 20)

#define PORT_ADDRESS	0xcf8
#define PORT_DATA	0xcfc

static int share_ram(struct qtest_machine *machine, uint64_t size)
{
	machine->ram_size = size;
	machine->ram_fd = memfd_create("ram", MFD_CLOEXEC);
	if (machine->ram_fd < 0 || ftruncate(machine->ram_fd, size))
		return -errno;
	machine->ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, machine->ram_fd, 0);
	return machine->ram == MAP_FAILED ? -errno : 0;
}

/* Who has BARs on bus number @bus gets them in a window of their own. */
static void open_bus(struct qtest_machine *machine, unsigned int bus)
{
	uint16_t bridge = machine->board->buses[bus].bridge;
	uint32_t number = machine->board->buses[bus].number;
	uint32_t window;

	machine->next_bar[bus] = machine->board->bars + bus * WINDOW;
	if (!bridge)
		return;
	window = machine->next_bar[bus] >> 16 & 0xfff0;
	qtest_config_write(machine, bridge, BRIDGE_BUSES, 4,
			   number << 16 | number << 8 | bridge >> 8);
	qtest_config_write(machine, bridge, BRIDGE_MEMORY, 4, window << 16 | window);
	qtest_device_enable(machine, bridge);
}

int qtest_machine_start(struct qtest_machine *machine, const struct qtest_board *board,
			const char *command, uint64_t ram_size, const char *options)
{
	char *text = NULL;
	int rc;

	*machine = (struct qtest_machine){ .board = board,
					   .qtest = { .socket = -1, .log = -1 } };
	rc = share_ram(machine, board->taken + ram_size);
	if (!rc && asprintf(&text, "-m size=%juM -object memory-backend-file,id=ram,"
			    "mem-path=/dev/fd/%d,share=on,size=%juM %s %s",
			    (uintmax_t)(machine->ram_size >> 20), QTEST_FD,
			    (uintmax_t)(machine->ram_size >> 20), board->options, options) < 0)
		rc = -ENOMEM;
	rc = rc ?: qtest_start(&machine->qtest, command, text, &machine->ram_fd, 1);
	free(text);
	for (unsigned int bus = 0; bus < board->iommu_count && !rc; bus++)
		open_bus(machine, bus);
	return rc;
}

void qtest_machine_stop(struct qtest_machine *machine)
{
	qtest_stop(&machine->qtest);
	if (machine->ram && machine->ram != MAP_FAILED)
		munmap(machine->ram, machine->ram_size);
	if (machine->ram_fd >= 0)
		close(machine->ram_fd);
}

static void select_config(struct qtest_machine *machine, uint16_t rid, unsigned int offset)
{
	qtest_out(&machine->qtest, PORT_ADDRESS, 4, 1u << 31 | rid << 8 | (offset & 0xfc));
}

uint32_t qtest_config_read(struct qtest_machine *machine, uint16_t rid, unsigned int offset,
			   unsigned int size)
{
	if (machine->board->ecam)
		return qtest_read(&machine->qtest, machine->board->ecam + (rid << 12) + offset,
				  size);
	select_config(machine, rid, offset);
	return qtest_in(&machine->qtest, PORT_DATA + (offset & 3), size);
}

void qtest_config_write(struct qtest_machine *machine, uint16_t rid, unsigned int offset,
			unsigned int size, uint32_t value)
{
	if (machine->board->ecam) {
		qtest_write(&machine->qtest, machine->board->ecam + (rid << 12) + offset, size,
			    value);
		return;
	}
	select_config(machine, rid, offset);
	qtest_out(&machine->qtest, PORT_DATA + (offset & 3), size, value);
}

void qtest_device_enable(struct qtest_machine *machine, uint16_t rid)
{
	qtest_config_write(machine, rid, PCI_COMMAND, 2, PCI_MEMORY_MASTER);
}

static uint64_t bar_read(const struct dma_bar *bar, uint64_t at, unsigned int size)
{
	return qtest_read(bar->priv, bar->base + at, size);
}

static void bar_write(const struct dma_bar *bar, uint64_t at, unsigned int size, uint64_t value)
{
	qtest_write(bar->priv, bar->base + at, size, value);
}

bool qtest_device_bar(struct qtest_machine *machine, uint16_t rid, unsigned int number,
		      struct dma_bar *bar)
{
	unsigned int reg = PCI_BAR0 + 4 * number, bus = 0;
	uint64_t at;
	uint32_t size;

	while (bus < QTEST_IOMMUS - 1 && machine->board->buses[bus].number != rid >> 8)
		bus++;
	qtest_config_write(machine, rid, reg, 4, ~0u);
	size = -(qtest_config_read(machine, rid, reg, 4) & ~0xfu);
	if (!size || !qtest_alive(&machine->qtest))
		return false;
	at = (machine->next_bar[bus] + size - 1) & -(uint64_t)size;
	if (qtest_config_read(machine, rid, reg, 4) & PCI_BAR_64)
		qtest_config_write(machine, rid, reg + 4, 4, at >> 32);
	qtest_config_write(machine, rid, reg, 4, at);
	*bar = (struct dma_bar){ .read = bar_read, .write = bar_write, .number = number,
				 .priv = &machine->qtest, .base = at };
	machine->next_bar[bus] = at + size;
	return true;
}

unsigned int qtest_capability(struct qtest_machine *machine, uint16_t rid, uint8_t id)
{
	unsigned int offset = qtest_config_read(machine, rid, PCI_CAPS, 1);

	if (!(qtest_config_read(machine, rid, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	for (unsigned int i = 0; i < PCI_CAPS_MAX && offset >= 0x40; i++) {
		if (qtest_config_read(machine, rid, offset, 1) == id)
			return offset;
		offset = qtest_config_read(machine, rid, offset + 1, 1);
	}
	return 0;
}
