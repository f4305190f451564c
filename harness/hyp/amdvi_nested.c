// SPDX-License-Identifier: GPL-2.0-only
/*
 * vIOMMUs, and the nested domains that guests describe by device table entries of theirs.
 *
 * A guest's DomainID means nothing to hardware. Each one that is in use in a vIOMMU has a host
 * DomainID of its own, shared by the nested domains that name it, as the guest expects of them:
 * one invalidation reaches all. That of another vIOMMU is another one, whatever its number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "amdvi.h"
#include "core/fault.h"
#include "iommufd/amd_nested.h"

/* What a guest may say in its device table entry; the rest is not its business. */
#define GUEST_DTE0 (AMDVI_DTE0_V | AMDVI_DTE0_TV | AMDVI_DTE0_PPR | AMDVI_DTE0_GPRP | \
		    AMDVI_DTE0_GIOV | AMDVI_DTE0_GV | AMDVI_DTE0_GLX | AMDVI_DTE0_GCR3_14_12 | \
		    AMDVI_DTE0_IR | AMDVI_DTE0_IW)
#define GUEST_DTE1 (AMDVI_DTE1_DOMAIN_ID | AMDVI_DTE1_GCR3_30_15 | AMDVI_DTE1_GCR3_51_31 | \
		    AMDVI_DTE1_I | AMDVI_DTE1_SE | AMDVI_DTE1_SA)
#define GUEST_DTE2 AMDVI_DTE2_GPM

struct amd_vdomain *amd_vdomain_find(struct amd_viommu *viommu, uint16_t guest)
{
	struct amd_vdomain *v = viommu->vdomains;

	while (v && v->guest != guest)
		v = v->next;
	return v;
}

static struct amd_vdomain *vdomain_get(struct amd_viommu *viommu, uint16_t guest, int *error)
{
	struct amd *amd = amd_of(viommu->viommu->hyp);
	struct amd_vdomain *v = amd_vdomain_find(viommu, guest);

	if (v && !FAULT("hyp.amdvi-vdomain-not-shared",
			"every nested domain gets a host DomainID of its own")) {
		v->users++;
		return v;
	}
	*error = -ENOMEM;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	*v = (struct amd_vdomain){ .guest = guest, .users = 1 };
	v->host = amd_domid_get(amd);
	if (guest && FAULT("hyp.amdvi-vdomain-is-host-domain", "a guest's DomainID is kept"))
		v->host = guest;
	*error = v->host ? amd_vf_map_domain(viommu, guest, v->host) : -ENOSPC;
	if (*error) {
		if (v->host)
			amd_domid_put(amd, v->host, false);
		free(v);
		return NULL;
	}
	v->next = viommu->vdomains;
	viommu->vdomains = v;
	return v;
}

/* The guest's name goes before its DomainID is anybody else's. */
static void vdomain_put(struct amd_viommu *viommu, struct amd_vdomain *v)
{
	struct amd_vdomain **link = &viommu->vdomains;

	if (--v->users)
		return;
	while (*link != v)
		link = &(*link)->next;
	*link = v->next;
	amd_vf_map_domain(viommu, v->guest, -1);
	amd_domid_put(amd_of(viommu->viommu->hyp), v->host, true);
	free(v);
}

static int check_dte(struct amd_iommu *iommu, const uint64_t dte[4])
{
	if (dte[0] & ~GUEST_DTE0 || dte[1] & ~GUEST_DTE1 || dte[2] & ~GUEST_DTE2 || dte[3])
		return -EINVAL;
	if (!(dte[0] & AMDVI_DTE0_V) || !(dte[0] & AMDVI_DTE0_GV))
		return 0;
	if (!amdvi_dte_gcr3(dte) || amdvi_get(dte[0], AMDVI_DTE0_GLX) > 2 ||
	    amdvi_get(dte[2], AMDVI_DTE2_GPM) > 1)
		return -EINVAL;
	if (amdvi_get(dte[0], AMDVI_DTE0_GLX) > amdvi_get(iommu->efr, AMDVI_EFR_GLX_SUP) ||
	    amdvi_get(dte[2], AMDVI_DTE2_GPM) > amdvi_get(iommu->efr, AMDVI_EFR_GATS))
		return -EOPNOTSUPP;
	return 0;
}

int amd_nested_alloc(struct hyp_device *device, struct hyp_domain *parent,
		       struct hyp_viommu *viommu, uint32_t flags, uint32_t type, const void *data,
		       uint32_t len, struct hyp_domain **domain)
{
	const struct iommu_hwpt_amd_guest *guest = data;
	struct amd_domain *new;
	int rc;

	/* Directly on the parent there would be no space that the guest's DomainID belongs to. */
	if (!viommu || type != IOMMU_HWPT_DATA_AMD_GUEST)
		return -EOPNOTSUPP;
	if (len != sizeof(*guest))
		return -EINVAL;
	rc = check_dte(amd_iommu_of(amd_device_of(device)), (const uint64_t *)guest->dte);
	if (rc)
		return rc;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->kind = AMD_NESTED;
	new->base.hyp = device->hyp;
	new->base.parent = parent;
	new->base.viommu = viommu;
	memcpy(new->dte, guest->dte, sizeof(new->dte));
	new->vdomain = vdomain_get(viommu->priv, amdvi_get(new->dte[1], AMDVI_DTE1_DOMAIN_ID), &rc);
	if (!new->vdomain) {
		free(new);
		return rc;
	}
	*domain = &new->base;
	return 0;
}

void amd_nested_free(struct amd_domain *domain)
{
	vdomain_put(domain->base.viommu->priv, domain->vdomain);
	free(domain);
}

int amd_viommu_alloc(struct hyp_viommu *viommu, struct hyp_device *device, void *data,
		       uint32_t len)
{
	struct amd *amd = amd_of(viommu->hyp);
	struct iommu_viommu_amd *user = data;
	struct amd_viommu *new;
	int rc = 0;

	if (viommu->type != IOMMU_VIOMMU_TYPE_AMD)
		return -EOPNOTSUPP;
	if (len && len != sizeof(*user))
		return -EINVAL;
	if (user->flags & ~IOMMU_VIOMMU_AMD_HW)
		return -EOPNOTSUPP;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->viommu = viommu;
	if (user->flags & IOMMU_VIOMMU_AMD_HW)
		rc = amd_vf_alloc(new);
	if (rc) {
		free(new);
		return rc;
	}
	user->out_gid = new->gid;
	user->out_mmap_offset = viommu->mmio_offset;
	user->out_mmap_length = viommu->mmio_length = new->gid ? AMDVI_VF_SIZE : 0;
	new->next = amd->viommus;
	amd->viommus = new;
	viommu->priv = new;
	return 0;
}

void amd_viommu_free(struct hyp_viommu *viommu)
{
	struct amd *amd = amd_of(viommu->hyp);
	struct amd_viommu *gone = viommu->priv, **link = &amd->viommus;

	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
	amd_vf_free(gone);
	free(gone);
}

int amd_vdevice_add(struct hyp_vdevice *vdevice)
{
	if (vdevice->virt_id > UINT16_MAX)
		return -EINVAL;
	return amd_vf_map_device(vdevice->viommu->priv, vdevice->virt_id,
				   vdevice->device->pdev->rid);
}

void amd_vdevice_remove(struct hyp_vdevice *vdevice)
{
	amd_vf_map_device(vdevice->viommu->priv, vdevice->virt_id, -1);
}
