// SPDX-License-Identifier: GPL-2.0-only
/* Page requests: 7.3 to 7.5. The queue in memory, its event, and answers. */
#include "vtd_internal.h"

/*
 * What hardware answers itself: without a last request in the group, nothing is to be answered.
 * Sent with the next step: a device does not hear back from within its own call.
 */
static void owe(struct vtd *vtd, const struct hw_page_request *request, enum vtd_response code)
{
	if (!request->last)
		return;
	pthread_mutex_lock(&vtd->fault_lock);
	if (vtd->response_count < VTD_RESPONSES)
		vtd->responses[vtd->response_count++] = (struct vtd_owed){
			request->rid, request->has_pasid, request->pasid, request->index, code,
		};
	pthread_mutex_unlock(&vtd->fault_lock);
}

/* Room for one more, and not overflown before. Sets PRO if not. */
static bool enqueue(struct vtd *vtd, const uint64_t d[4])
{
	uint64_t pqa = vtd_get64(vtd, VTD_PQA_REG), size = 4096ull << VTD_GET(VTD_PQA_PQS, pqa);
	uint64_t tail = vtd_get64(vtd, VTD_PQT_REG) % size, next = (tail + 32) % size;
	uint32_t status = vtd_get32(vtd, VTD_PRS_REG);

	if (status & VTD_PRS_PRO || next == vtd_get64(vtd, VTD_PQH_REG) % size) {
		vtd_set32(vtd, VTD_PRS_REG, status | VTD_PRS_PRO);
		if (!(status & (VTD_PRS_PRO | VTD_PRS_PPR)))
			vtd_event(vtd, VTD_PECTL_REG);
		vtd_trace(vtd, "page request queue overflow");
		return false;
	}
	if (hw_write(vtd->iommu.mem, (pqa & VTD_ADDR_4K) + tail, d, 32))
		return false;
	vtd_set64(vtd, VTD_PQT_REG, next);
	vtd_set32(vtd, VTD_PRS_REG, status | VTD_PRS_PPR);
	if (!(status & (VTD_PRS_PRO | VTD_PRS_PPR)))
		vtd_event(vtd, VTD_PECTL_REG);
	return true;
}

static void describe(const struct hw_page_request *request, uint64_t d[4])
{
	d[0] = VTD_PRQ_TYPE_PAGE | VTD_PUT(VTD_PRQ_PP, request->has_pasid) |
	       VTD_PUT(VTD_PRQ_RID, request->rid) |
	       VTD_PUT(VTD_PRQ_PASID, request->has_pasid &&
			!FAULT("vtd.page-request-pasid-lost", "Requests are queued without PASID") ?
			request->pasid : 0) |
	       VTD_PUT(VTD_PRQ_EXE, !!(request->access & HW_EXEC)) |
	       VTD_PUT(VTD_PRQ_PRIV, !!(request->access & HW_PRIV));
	d[1] = VTD_PUT(VTD_PRQ_R, !!(request->access & HW_READ)) |
	       VTD_PUT(VTD_PRQ_W, !!(request->access & HW_WRITE)) |
	       VTD_PUT(VTD_PRQ_LPIG, request->last) | VTD_PUT(VTD_PRQ_PRGI, request->index) |
	       (request->addr & VTD_PRQ_ADDR);
	d[2] = 0;
	d[3] = 0;
}

/* Which address space it is for, or why there is none. */
static enum vtd_fault admit(struct vtd *vtd, const struct hw_request *as_request,
			    struct vtd_space *space)
{
	enum vtd_fault reason;

	memset(space, 0, sizeof(*space));
	if (vtd_ttm(vtd) == VTD_TTM_LEGACY)
		return VTD_FAULT_RTA_3_PAGE_GROUP;
	reason = vtd_space_find(vtd, as_request, space);
	if (reason)
		return reason;
	return space->pre ? 0 : VTD_FAULT_SCT_8_PRE;
}

void vtd_page_request(struct hw_iommu *iommu, const struct hw_page_request *request)
{
	struct vtd *vtd = to_vtd(iommu);
	struct hw_request as_request = {
		.type = HW_TRANSLATION_REQUEST, .rid = request->rid,
		.has_pasid = request->has_pasid, .pasid = request->pasid, .addr = request->addr,
		.access = request->access,
	};
	struct vtd_space space;
	enum vtd_fault reason;
	uint64_t d[4];
	bool queued;

	vtd_trace(vtd, "page request rid %#llx pasid %#llx addr %#llx index %llu last %llu",
		  request->rid, request->has_pasid ? request->pasid : -1ull, request->addr,
		  request->index, request->last);
	if (!atomic_load(&vtd->translating) || !vtd->config.prs) {
		owe(vtd, request, VTD_RESPONSE_FAILURE);
		return;
	}
	reason = admit(vtd, &as_request, &space);
	if (reason) {
		vtd_fault_record(vtd, &as_request, reason, space.fpd);
		owe(vtd, request, VTD_RESPONSE_INVALID);
		return;
	}
	vtd_invalidate_page(vtd, &space, request->addr);
	describe(request, d);
	pthread_mutex_lock(&vtd->fault_lock);
	queued = enqueue(vtd, d);
	pthread_mutex_unlock(&vtd->fault_lock);
	/* 7.4: if lost, the last of a group is answered as if all were well: the device retries. */
	if (!queued && !FAULT("vtd.overflow-not-answered", "Page requests that overflow vanish"))
		owe(vtd, request, VTD_RESPONSE_SUCCESS);
}

static void answer(struct vtd *vtd, const struct vtd_owed *owed)
{
	struct endpoint *endpoint = machine_endpoint(vtd->iommu.machine, owed->rid);

	vtd_trace(vtd, "page response rid %#llx pasid %#llx index %llu code %llu", owed->rid,
		  owed->has_pasid ? owed->pasid : -1ull, owed->index, owed->code);
	if (endpoint)
		endpoint_prg_response(endpoint, owed->has_pasid, owed->pasid, owed->index,
				      owed->code);
}

bool vtd_prq_owes(struct vtd *vtd)
{
	bool owes;

	pthread_mutex_lock(&vtd->fault_lock);
	owes = vtd->response_count > 0;
	pthread_mutex_unlock(&vtd->fault_lock);
	return owes;
}

bool vtd_prq_step(struct vtd *vtd)
{
	struct vtd_owed owed[VTD_RESPONSES];
	unsigned int count;

	pthread_mutex_lock(&vtd->fault_lock);
	count = vtd->response_count;
	memcpy(owed, vtd->responses, count * sizeof(owed[0]));
	vtd->response_count = 0;
	pthread_mutex_unlock(&vtd->fault_lock);
	for (unsigned int i = 0; i < count; i++)
		answer(vtd, &owed[i]);
	return count;
}

/* A page group response descriptor, 7.5.1. */
void vtd_prq_respond(struct vtd *vtd, uint64_t d0, uint64_t d1)
{
	struct vtd_owed owed = {
		.rid = VTD_GET(VTD_INV_RESPONSE_RID, d0),
		.has_pasid = d0 & VTD_INV_RESPONSE_PP,
		.pasid = VTD_GET(VTD_INV_PASID, d0),
		.index = VTD_GET(VTD_INV_RESPONSE_PRGI, d1),
		.code = VTD_GET(VTD_INV_RESPONSE_RC, d0),
	};

	if (FAULT("vtd.response-code-lost", "Page group responses always say success"))
		owed.code = VTD_RESPONSE_SUCCESS;
	answer(vtd, &owed);
}
