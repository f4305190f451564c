// SPDX-License-Identifier: GPL-2.0-only
/*
 * SMMUv3 on a board: QEMU's "virt" machine, started with a device tree that names units which it
 * does not have itself. Their functions are on buses behind an expander bridge, where a boot by
 * device tree does not look: nobody sizes or moves their BARs, which we program ourselves. The part
 * of the 32-bit PCI window that they take is no longer the guest's.
 */
#include "hw/smmuv3.h"
#include "spec/smmuv3.h"

#include "board.h"
#include "firmware.h"

#define HIDDEN_BUS 128
#define ECAM 0x4010000000ull		/* of QEMU's "virt" machine, as are the two below */
#define ITS 0x08080000ull
#define WINDOW 0x10000000u
#define ECAM_BUS 20
#define ECAM_SLOT 15
#define BUSES 0x18			/* type 1 configuration space */
#define MEMORY_WINDOW 0x20
#define BAR0 0x10
#define TIMEOUT_STEPS 500
#define VINTF_LOG2 2

static struct smmuv3_config config_of(const struct board *board, unsigned int unit)
{
	struct smmuv3_config config = smmuv3_config_full();

	config.hyp = false;
	config.split_ats = true;
	config.pps = true;
	config.atc_timeout = TIMEOUT_STEPS;
	config.cmdq_log2 = config.eventq_log2 = config.priq_log2 = 8;
	config.cmdqv = board->units[unit].cmdqv;
	config.vcmdq_log2 = 4;
	config.vintf_log2 = VINTF_LOG2;
	config.sid_log2 = 2;
	return config;
}

static struct hw_iommu *create(struct machine *machine, const struct board *board,
			       unsigned int unit)
{
	struct smmuv3_config config = config_of(board, unit);

	return smmuv3_create(machine, &config);
}

static void describe(struct function *function, const struct board_unit *unit)
{
	config_add_express(&function->config, false, false);
}

static void options(const struct board *board, const char *dir, FILE *out)
{
	char socket[20], bus[20];

	firmware_options(dir, out);
	fprintf(out, "-device\npxb-pcie,id=hidden,bus_nr=%u,bus=pcie.0,addr=1e\n", HIDDEN_BUS);
	for (unsigned int i = 0; i < board->unit_count; i++) {
		unsigned int slot = board->units[i].slot;

		snprintf(socket, sizeof(socket), "unit%u", i);
		snprintf(bus, sizeof(bus), "hidden%u", i);
		fprintf(out, "-device\npcie-root-port,id=%s,bus=hidden,addr=%x,chassis=%u,"
			"slot=%u\n", bus, slot, HIDDEN_BUS + i, HIDDEN_BUS + i);
		board_function_option(out, dir, socket, bus, 0);
	}
}

/* ---- What is written before the CPUs run ---- */

static struct board_access write_config(unsigned int bus, unsigned int slot, unsigned int reg,
					uint32_t value)
{
	return (struct board_access){
		.addr = ECAM | (uint64_t)bus << ECAM_BUS | slot << ECAM_SLOT | reg,
		.value = value,
	};
}

/* The window of a root port: bits 31:20 of its first and its last address */
static uint32_t window_of(const struct board_unit *unit)
{
	uint32_t last = unit->base + SMMUV3_FUNCTION_BAR - 1;

	return (last & 0xfff00000) | (unit->base & 0xfff00000) >> 16;
}

static unsigned int accesses(const struct board *board,
			     struct board_access accesses[BOARD_ACCESSES])
{
	struct board_access *next = accesses;

	for (unsigned int i = 0; i < board->unit_count; i++) {
		const struct board_unit *unit = &board->units[i];
		unsigned int slot = unit->slot, behind = HIDDEN_BUS + 1 + i;

		*next++ = write_config(HIDDEN_BUS, slot, BUSES,
				       HIDDEN_BUS | behind << 8 | behind << 16);
		*next++ = write_config(HIDDEN_BUS, slot, MEMORY_WINDOW, window_of(unit));
		*next++ = write_config(HIDDEN_BUS, slot, CONFIG_COMMAND,
				       CONFIG_COMMAND_MEMORY | CONFIG_COMMAND_MASTER);
		*next++ = write_config(behind, 0, BAR0, unit->base);
		*next++ = write_config(behind, 0, CONFIG_COMMAND,
				       CONFIG_COMMAND_MEMORY | CONFIG_COMMAND_MASTER);
		*next++ = (struct board_access){ unit->base + SMMU_AIDR, SMMUV3_AIDR, true };
	}
	return next - accesses;
}

/* ---- Device tree: Documentation/devicetree/bindings/iommu/arm,smmu-v3.yaml ---- */

static void put_unit(const struct board *board, unsigned int index, FILE *out)
{
	uint32_t base = board->units[index].base, queues = base + SMMUV3_CMDQV_OFFSET;
	bool cmdqv = board->units[index].cmdqv;

	fprintf(out, "\tsmmu%u: smmu@%x {\n"
		"\t\tcompatible = %s\"arm,smmu-v3\";\n"
		"\t\treg = <0 %#x 0 %#x>;\n"
		"\t\tdma-coherent;\n"
		"\t\t#iommu-cells = <1>;\n"
		"\t\tmsi-parent = <&{/intc@8000000/its@8080000} 0>;\n", index, base,
		cmdqv ? "\"nvidia,tegra264-smmu\", " : "", base, SMMU_REGISTERS_SIZE);
	if (cmdqv)
		fprintf(out, "\t\tnvidia,cmdqv = <&cmdqv%u>;\n", index);
	fprintf(out, "\t};\n");
	if (cmdqv)	/* without interrupts, which are wired in the real one */
		fprintf(out, "\tcmdqv%u: cmdqv@%x {\n"
			"\t\tcompatible = \"nvidia,tegra264-cmdqv\";\n"
			"\t\treg = <0 %#x 0 %#x>;\n"
			"\t};\n", index, queues, queues, CMDQV_SIZE(1 << VINTF_LOG2));
}

/*
 * Endpoints, but not the ports above them: those are QEMU's, whose interrupts no unit translates.
 * What we write for an endpoint has device id 0 at the ITS, and what QEMU writes its own.
 */
static void put_bridge(const struct board *board, FILE *out)
{
	uint32_t size = board->units[0].base - WINDOW;

	fprintf(out, "&{/pcie@10000000} {\n\tats-supported;\n\tiommu-map =");
	for (unsigned int i = 0; i < board->endpoint_count; i++) {
		uint16_t rid = board_rid(board, i);

		fprintf(out, "%s <%#x &smmu%u %#x 1>", i ? "," : "", rid,
			board->endpoints[i].unit, rid);
	}
	fprintf(out, ";\n\tmsi-map =");
	for (unsigned int i = 0; i < board->endpoint_count; i++)
		fprintf(out, " <%#x &{/intc@8000000/its@8080000} 0 1>,", board_rid(board, i));
	fprintf(out, " <0 &{/intc@8000000/its@8080000} 0 0x10000>;\n"
		"\tranges = <0x1000000 0 0 0 0x3eff0000 0 0x10000>,\n"
		"\t\t <0x2000000 0 %#x 0 %#x 0 %#x>,\n"
		"\t\t <0x3000000 0x80 0 0x80 0 0x80 0>;\n"
		"};\n", WINDOW, WINDOW, size);
}

static void devicetree(const struct board *board, FILE *out)
{
	fprintf(out, "/ {\n");
	for (unsigned int i = 0; i < board->unit_count; i++)
		put_unit(board, i, out);
	fprintf(out, "};\n");
	put_bridge(board, out);
}

const struct board_vendor board_smmuv3 = {
	.class = 0x088000,
	.bar = SMMUV3_FUNCTION_BAR,
	.msi_first = ITS,
	.msi_last = ITS + 0x1ffff,
	.msi_translated = true,
	.answers_while_off = true,
	.create = create,
	.describe = describe,
	.options = options,
	.devicetree = devicetree,
	.accesses = accesses,
};
