/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine that QEMU emulates: its RAM shared with us, its IOMMUs, PCI devices with their BARs.
 * What a machine is like is a table, struct qtest_board.
 */
#ifndef NIT_QTEST_MACHINE_H
#define NIT_QTEST_MACHINE_H

#include "dma/bar.h"
#include "qtest.h"

#define QTEST_IOMMUS 2

/**
 * struct qtest_board - a machine type with its IOMMUs
 * @options: of QEMU; its RAM is the object "ram"
 * @ram: physical address of RAM
 * @taken: bytes at the beginning of it that the machine uses itself
 * @iommus: registers of each
 * @buses: a PCI bus behind each: its name, its number; @bridge: the root port that it is behind
 * @ecam: PCI configuration space; 0: through ports 0xcf8 and 0xcfc
 * @bars: where there is room for BARs
 */
struct qtest_board {
	const char *vendor;
	const char *name;
	const char *options;
	uint64_t ram;
	uint64_t taken;
	unsigned int iommu_count;
	uint64_t iommus[QTEST_IOMMUS];
	struct {
		const char *name;
		uint8_t number;
		uint16_t bridge;
	} buses[QTEST_IOMMUS];
	uint64_t ecam;
	uint64_t bars;
};

/**
 * struct qtest_machine - one that runs
 * @ram: all RAM as it is in our memory, from board->ram on
 * @ram_fd: its file
 * @next_bar: where the next BAR of each bus goes
 */
struct qtest_machine {
	const struct qtest_board *board;
	struct qtest qtest;
	uint8_t *ram;
	uint64_t ram_size;
	int ram_fd;
	uint64_t next_bar[QTEST_IOMMUS];
};

/**
 * qtest_machine_start() - @board with @ram_size bytes that are free for us, and @options besides
 * @command: QEMU's, words separated by spaces. Return: 0 or -errno
 */
int qtest_machine_start(struct qtest_machine *machine, const struct qtest_board *board,
			const char *command, uint64_t ram_size, const char *options);
void qtest_machine_stop(struct qtest_machine *machine);

/* PCI devices. @rid: bus, device and function as everywhere */

uint32_t qtest_config_read(struct qtest_machine *machine, uint16_t rid, unsigned int offset,
			   unsigned int size);
void qtest_config_write(struct qtest_machine *machine, uint16_t rid, unsigned int offset,
			unsigned int size, uint32_t value);

/** qtest_device_enable() - Memory space and bus mastering */
void qtest_device_enable(struct qtest_machine *machine, uint16_t rid);

/** qtest_device_bar() - Give BAR @number an address; false: the device has none such */
bool qtest_device_bar(struct qtest_machine *machine, uint16_t rid, unsigned int number,
		      struct dma_bar *bar);

/** qtest_capability() - Offset of the PCI capability @id, or 0 */
unsigned int qtest_capability(struct qtest_machine *machine, uint16_t rid, uint8_t id);

#endif
