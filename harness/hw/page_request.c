// SPDX-License-Identifier: GPL-2.0-only
/* The page request interface of an endpoint (PCIe ATS 10.4). */
#include "core/fault.h"

#include "endpoint_state.h"

#define RESPONSE_FAILURE 0xf

int endpoint_pri_enable(struct endpoint *endpoint, bool on)
{
	if (!endpoint->config.pri)
		return -EINVAL;
	pthread_mutex_lock(&endpoint->lock);
	if (on)
		endpoint->pri_failed = false;
	pthread_mutex_unlock(&endpoint->lock);
	endpoint_turn(&endpoint->pri, on);
	return 0;
}

int endpoint_page_request(struct endpoint *endpoint, const struct hw_page_request *request)
{
	struct hw_page_request message = *request;
	struct hw_iommu *iommu = endpoint->iommu;
	struct prg *prg = &endpoint->prgs[request->index % PRG_INDEXES];
	bool failed;

	if (!endpoint_is_on(&endpoint->pri) ||
	    (request->has_pasid && !endpoint_is_on(&endpoint->pasid)))
		return -EINVAL;
	message.rid = endpoint->config.rid;
	message.index %= PRG_INDEXES;
	pthread_mutex_lock(&endpoint->lock);
	failed = endpoint->pri_failed;
	if (!failed)
		*prg = (struct prg){
			.waiting = true, .has_pasid = message.has_pasid, .pasid = message.pasid,
			.code = -EAGAIN,
		};
	pthread_mutex_unlock(&endpoint->lock);
	if (failed)
		return -EIO;
	hw_trace(endpoint->machine->trace, endpoint->unit,
		 "page request index %llu last %llu addr %#llx pasid %#llx access %llu",
		 message.index, message.last, message.addr,
		 message.has_pasid ? message.pasid : DMA_NO_PASID, message.access);
	iommu->ops->page_request(iommu, &message);
	return 0;
}

int endpoint_prg_answer(struct endpoint *endpoint, uint16_t index)
{
	struct prg *prg = &endpoint->prgs[index % PRG_INDEXES];
	int code = -EAGAIN;

	pthread_mutex_lock(&endpoint->lock);
	if (prg->waiting && prg->code >= 0) {
		code = prg->code;
		prg->waiting = false;
	}
	pthread_mutex_unlock(&endpoint->lock);
	return code;
}

unsigned long endpoint_prg_unexpected(struct endpoint *endpoint)
{
	unsigned long unexpected;

	pthread_mutex_lock(&endpoint->lock);
	unexpected = endpoint->prg_unexpected;
	pthread_mutex_unlock(&endpoint->lock);
	return unexpected;
}

static bool expected(const struct prg *prg, bool has_pasid, uint32_t pasid)
{
	if (!prg->waiting || prg->code >= 0)
		return false;
	/* Whether responses carry the PASID is the function's choice; a wrong one is none. */
	return !has_pasid || (prg->has_pasid && prg->pasid == pasid) ||
	       FAULT("endpoint.prg-ignores-pasid",
		     "a page response for another PASID is taken");
}

void endpoint_prg_response(struct endpoint *endpoint, bool has_pasid, uint32_t pasid,
			   uint16_t index, uint8_t code)
{
	struct prg *prg;
	bool taken;

	if (FAULT("endpoint.prg-wrong-group", "a page response goes to the group before"))
		index--;
	prg = &endpoint->prgs[index % PRG_INDEXES];
	pthread_mutex_lock(&endpoint->lock);
	taken = expected(prg, has_pasid, pasid);
	endpoint->prg_unexpected += !taken;
	if (taken)
		prg->code = code & 0xf;
	if (taken && prg->code == RESPONSE_FAILURE &&
	    !FAULT("endpoint.ignores-response-failure",
		   "page requests go on after a Response Failure"))
		endpoint->pri_failed = true;
	pthread_mutex_unlock(&endpoint->lock);
	hw_trace(endpoint->machine->trace, endpoint->unit,
		 "page response index %llu pasid %#llx code %llu expected %llu", index,
		 has_pasid ? pasid : DMA_NO_PASID, code, taken);
}
