// SPDX-License-Identifier: GPL-2.0-only
/* IOMMU_OPTION */
#include <errno.h>

#include "core/fault.h"
#include "object.h"

static bool is_empty(const struct hyp_context *context)
{
	for (uint32_t id = 1; id < context->room; id++)
		if (context->objects[id])
			return false;
	return true;
}

/* Who may change it is the kernel's to say: here anyone. */
static int rlimit_mode(struct hyp_context *context, struct iommu_option *cmd)
{
	if (cmd->object_id)
		return -EOPNOTSUPP;
	if (cmd->op == IOMMU_OPTION_OP_GET) {
		cmd->val64 = context->process_accounting;
		return 0;
	}
	if (!is_empty(context) && !FAULT("hyp.rlimit-mode-while-in-use",
					 "the accounting of a context with objects is changed"))
		return -EBUSY;
	if (cmd->val64 > 1)
		return -EINVAL;
	context->process_accounting = cmd->val64;
	return 0;
}

static int huge_pages(struct hyp_context *context, struct iommu_option *cmd)
{
	struct hyp_ioas *ioas = hyp_object_get(context, cmd->object_id, HYP_IOAS);
	bool before;
	int rc;

	if (!ioas)
		return -ENOENT;
	before = ioas->whole_pages;
	if (cmd->op == IOMMU_OPTION_OP_GET) {
		cmd->val64 = !before;
		return 0;
	}
	if (cmd->val64 > 1)
		return -EINVAL;
	/* What is mapped already may be combined already. */
	if (!before && !cmd->val64 && ioas->hwpts && ioas->areas)
		return -EINVAL;
	ioas->whole_pages = !cmd->val64;
	rc = hyp_iova_align(ioas);
	if (rc)
		ioas->whole_pages = before;
	return rc;
}

int hyp_option(struct hyp_context *context, void *arg)
{
	struct iommu_option *cmd = arg;

	if (cmd->__reserved ||
	    (cmd->op != IOMMU_OPTION_OP_GET && cmd->op != IOMMU_OPTION_OP_SET))
		return -EOPNOTSUPP;
	switch (cmd->option_id) {
	case IOMMU_OPTION_RLIMIT_MODE:
		return rlimit_mode(context, cmd);
	case IOMMU_OPTION_HUGE_PAGES:
		return huge_pages(context, cmd);
	default:
		return -EOPNOTSUPP;
	}
}
