// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested domains and the commands of guests.
 *
 * A guest's STE contributes what it may say about stage 1; stage 2 and the VMID are the parent's.
 * A guest's commands go to hardware in its order with its VMID replaced and its StreamIDs
 * translated; nothing is added to them: what caches what is known to the guest alone, so it also
 * says what ATCs have to forget.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "smmuv3.h"

#define STE0_ALLOWED (STE0_V | STE0_CONFIG | STE0_S1FMT | STE0_S1CONTEXTPTR | STE0_S1CDMAX)
#define STE1_ALLOWED (STE1_S1DSS | STE1_S1CIR | STE1_S1COR | STE1_S1CSH | STE1_S1STALLD | STE1_EATS)

/* struct iommu_hwpt_arm_smmuv3: what is not allowed is -EIO; V == 0 aborts. */
static int check_ste(const struct smmu *smmu, uint64_t ste[2])
{
	uint64_t config = smmu_get(STE0_CONFIG, ste[0]), eats = smmu_get(STE1_EATS, ste[1]);

	if (!(ste[0] & STE0_V)) {
		ste[0] = STE0_V | smmu_put(STE0_CONFIG, STE_CONFIG_ABORT);
		ste[1] = 0;
		return 0;
	}
	if (ste[0] & ~STE0_ALLOWED || ste[1] & ~STE1_ALLOWED)
		return -EIO;
	if (config != STE_CONFIG_ABORT && config != STE_CONFIG_BYPASS && config != STE_CONFIG_S1)
		return -EIO;
	if (eats != STE_EATS_NONE && eats != STE_EATS_FULL)
		return -EIO;
	if (smmu_get(STE0_S1CDMAX, ste[0]) > smmu_get(SMMU_IDR1_SSIDSIZE, smmu->idr[1]))
		return -EIO;
	return 0;
}

int smmu_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
		      struct hyp_viommu *viommu, uint32_t flags, uint32_t type, const void *data,
		      uint32_t len, struct hyp_domain **out)
{
	const struct iommu_hwpt_arm_smmuv3 *given = data;
	struct smmu_domain *domain;
	uint64_t ste[2];
	int rc;

	if (!viommu || flags & ~IOMMU_HWPT_FAULT_ID_VALID || type != IOMMU_HWPT_DATA_ARM_SMMUV3)
		return -EOPNOTSUPP;
	if (len < sizeof(*given))
		return -EINVAL;
	for (const char *tail = (const char *)data + sizeof(*given);
	     tail < (const char *)data + len; tail++)
		if (*tail)
			return -E2BIG;
	memcpy(ste, given->ste, sizeof(ste));
	rc = check_ste(smmu_device(device)->smmu, ste);
	if (rc)
		return rc;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return -ENOMEM;
	domain->hyp = (struct hyp_domain){ .hyp = device->hyp, .parent = parent, .viommu = viommu };
	domain->stage = SMMU_NESTED;
	domain->tag = smmu_domain(parent)->tag;
	memcpy(domain->ste, ste, sizeof(ste));
	*out = &domain->hyp;
	return 0;
}

/* Invalidation: struct iommu_viommu_arm_smmuv3_invalidate */

/**
 * struct command - an opcode that guests may send
 * @fields: of each word, besides the opcode; @ssid, @range: with a feature of the SMMU only
 */
struct command {
	enum smmu_opcode opcode;
	uint64_t fields[2];
	uint64_t ssid[2];
	uint64_t range[2];
	bool has_vmid;
	bool has_sid;
};

#define RANGE_0 (CMD0_TLBI_NUM | CMD0_TLBI_SCALE)
#define RANGE_1 (CMD1_TLBI_TG | CMD1_TLBI_TTL)

static const struct command commands[] = {
	{ CMD_TLBI_NSNH_ALL, .has_vmid = true },
	{ CMD_TLBI_NH_ALL, { CMD0_TLBI_VMID }, .has_vmid = true },
	{ CMD_TLBI_NH_ASID, { CMD0_TLBI_VMID | CMD0_TLBI_ASID }, .has_vmid = true },
	{ CMD_TLBI_NH_VA, { CMD0_TLBI_VMID | CMD0_TLBI_ASID, CMD1_LEAF | CMD1_ADDR },
	  .range = { RANGE_0, RANGE_1 }, .has_vmid = true },
	{ CMD_TLBI_NH_VAA, { CMD0_TLBI_VMID, CMD1_LEAF | CMD1_ADDR },
	  .range = { RANGE_0, RANGE_1 }, .has_vmid = true },
	{ CMD_CFGI_CD, { CMD0_SID, CMD1_LEAF }, .ssid = { CMD0_SSID }, .has_sid = true },
	{ CMD_CFGI_CD_ALL, { CMD0_SID }, .has_sid = true },
	{ CMD_ATC_INV, { CMD0_SID, CMD1_ADDR | CMD1_ATC_SIZE },
	  .ssid = { CMD0_SSID | CMD0_SSV | CMD0_ATC_GLOBAL }, .has_sid = true },
};

static const struct command *find_command(uint64_t opcode)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].opcode == opcode)
			return &commands[i];
	return NULL;
}

/* Reserved combinations of a range (4.4.1.1): TG alone says nothing; nothing goes without TG. */
static bool range_ok(const struct smmu *smmu, const uint64_t cmd[2])
{
	uint64_t num = smmu_get(CMD0_TLBI_NUM, cmd[0]), scale = smmu_get(CMD0_TLBI_SCALE, cmd[0]);
	uint64_t tg = smmu_get(CMD1_TLBI_TG, cmd[1]), ttl = smmu_get(CMD1_TLBI_TTL, cmd[1]);
	bool ds = smmu->idr[5] & SMMU_IDR5_DS;

	if (!ds && (scale > 31 || (tg == CMD_TLBI_TG_16K && ttl == 1)))
		return false;
	return (tg != CMD_TLBI_TG_ANY) == (num || scale || ttl);
}

/*
 * What @cmd may not have is -EIO, so that no guest makes the queue of all guests stop (CERROR_ILL).
 * No field of the 64-bit descriptors is left over: TTL128 and the like are not allowed.
 */
static int check_command(const struct smmu *smmu, const struct command *command,
			 const uint64_t cmd[2])
{
	uint64_t allowed[2] = { CMD0_OPCODE | command->fields[0], command->fields[1] };

	for (unsigned int i = 0; i < 2; i++) {
		if (smmu_get(SMMU_IDR1_SSIDSIZE, smmu->idr[1]))
			allowed[i] |= command->ssid[i];
		if (smmu->idr[3] & SMMU_IDR3_RIL)
			allowed[i] |= command->range[i];
		if (cmd[i] & ~allowed[i])
			return -EIO;
	}
	if (command->fields[0] & CMD0_TLBI_ASID && !(smmu->idr[0] & SMMU_IDR0_ASID16) &&
	    smmu_get(CMD0_TLBI_ASID, cmd[0]) > 0xff)
		return -EIO;
	if (command->range[0] && !range_ok(smmu, cmd))
		return -EIO;
	if (command->ssid[0] && smmu_get(CMD0_SSID, cmd[0]) >>
	    smmu_get(SMMU_IDR1_SSIDSIZE, smmu->idr[1]))
		return -EIO;
	if (command->opcode != CMD_ATC_INV)
		return 0;
	return smmu->idr[0] & SMMU_IDR0_ATS &&
	       smmu_get(CMD1_ATC_SIZE, cmd[1]) <= CMD_ATC_SIZE_ALL ? 0 : -EIO;
}

/* Replace a guest's ids by the real ones. *@skip: the command has no effect, so it is done. */
static int convert(struct hyp_viommu *viommu, const struct smmu *smmu,
		   const struct command *command, uint64_t cmd[2], bool *skip)
{
	struct hyp_vdevice *vdevice;

	*skip = false;
	if (command->has_vmid) {
		cmd[0] &= ~CMD0_TLBI_VMID;
		if (!FAULT("hyp.smmuv3-vmid-not-forced", "a guest's command goes to VMID 0"))
			cmd[0] |= smmu_put(CMD0_TLBI_VMID, smmu_domain(viommu->parent)->tag);
	}
	/* All of a guest's stage 1 is one VMID, not that of everybody. */
	if (command->opcode == CMD_TLBI_NSNH_ALL &&
	    !FAULT("hyp.smmuv3-nsnh-all-passes", "TLBI_NSNH_ALL of a guest is sent as it is"))
		cmd[0] = (cmd[0] & ~CMD0_OPCODE) | CMD_TLBI_NH_ALL;
	if (!command->has_sid)
		return 0;
	vdevice = hyp_vdevice_find(viommu, smmu_get(CMD0_SID, cmd[0]));
	if (FAULT("hyp.smmuv3-sid-not-translated", "a guest's StreamID is taken for a real one"))
		return 0;
	if (!vdevice)
		return -EIO;
	cmd[0] &= ~CMD0_SID;
	cmd[0] |= smmu_put(CMD0_SID, smmu_device(vdevice->device)->sid);
	/* With ATS off a device has nothing cached, and need not answer (PCIe 10.3.7). */
	*skip = command->opcode == CMD_ATC_INV && !smmu_device(vdevice->device)->ats &&
		!FAULT("hyp.smmuv3-asks-without-ats", "ATC_INV goes to devices with ATS off");
	return 0;
}

/** struct request - a list of a guest on its way; @origin: the entry that a command came from */
struct request {
	uint64_t (*cmds)[2];
	uint32_t *origin;
	unsigned int n;
	uint32_t entries;
};

/* All of the array before anything is done: a short entry reads as 0 where it ends, a longer one
 * must be 0 there. */
static int copy_entries(uint64_t from, uint32_t len, struct request *request)
{
	uint32_t size = sizeof(request->cmds[0]), part = len < size ? len : size;
	uint8_t byte;

	for (uint32_t i = 0; i < request->entries; i++, from += len) {
		if (hyp_copy_from_user(request->cmds[i], from, part))
			return -EFAULT;
		for (uint32_t at = size; at < len; at++) {
			if (hyp_copy_from_user(&byte, from + at, 1))
				return -EFAULT;
			if (byte)
				return -E2BIG;
		}
	}
	return 0;
}

/* Up to the first entry that is wrong; request->entries comes back as its number */
static int convert_entries(struct hyp_viommu *viommu, const struct smmu *smmu,
			   struct request *request)
{
	for (uint32_t i = 0; i < request->entries; i++) {
		uint64_t cmd[2] = { request->cmds[i][0], request->cmds[i][1] };
		const struct command *command = find_command(smmu_get(CMD0_OPCODE, cmd[0]));
		bool skip;
		int rc;

		rc = command ? check_command(smmu, command, cmd) : -EIO;
		rc = rc ?: convert(viommu, smmu, command, cmd, &skip);
		if (rc) {
			request->entries = i;
			return rc;
		}
		if (skip)
			continue;
		request->cmds[request->n][0] = cmd[0];
		request->cmds[request->n][1] = cmd[1];
		request->origin[request->n++] = i;
	}
	return 0;
}

/*
 * Entries are taken in order up to the first bad one, carried out, and counted as far as they are
 * complete: the error of a command is more urgent than that of the entry behind it.
 */
static int invalidate(struct hyp_viommu *viommu, struct smmu *smmu, struct request *request,
		      uint32_t *num)
{
	unsigned int done;
	int bad, rc;

	bad = convert_entries(viommu, smmu, request);
	rc = smmu_issue(smmu, (const uint64_t (*)[2])request->cmds, request->n, &done);
	*num = done < request->n ? request->origin[done] : request->entries;
	if (FAULT("hyp.smmuv3-failed-entry-is-done", "the entry that failed is counted"))
		*num += rc || bad;
	return rc ?: bad;
}

int smmu_invalidate(struct hyp_domain *domain, struct hyp_viommu *viommu, uint32_t type,
		    uint64_t entries, uint32_t entry_len, uint32_t *num)
{
	struct request request = { .entries = *num };
	int rc = -ENOMEM;

	*num = 0;
	if (!viommu && FAULT("hyp.smmuv3-nested-takes-commands", "a nested HWPT takes commands"))
		viommu = domain->viommu;
	if (!viommu)
		return -EOPNOTSUPP;
	if (type != IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 &&
	    !FAULT("hyp.smmuv3-any-data-type", "the type of the entries is not looked at"))
		return -EOPNOTSUPP;
	if (!request.entries)
		return 0;
	request.cmds = calloc(request.entries, sizeof(*request.cmds));
	request.origin = calloc(request.entries, sizeof(*request.origin));
	if (request.cmds && request.origin)
		rc = copy_entries(entries, entry_len, &request);
	if (!rc)
		rc = invalidate(viommu, &smmuv3_of(viommu->hyp)->units[viommu->iommu], &request,
				num);
	free(request.cmds);
	free(request.origin);
	return rc;
}
