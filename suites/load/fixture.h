/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixture `load`: every way that the kernel maps for NVMe, with every pace of invalidations beside
 * it and every size of requests.
 */
#ifndef NIT_SUITES_LOAD_FIXTURE_H
#define NIT_SUITES_LOAD_FIXTURE_H

#include "load.h"

#define BATCH 16	/* invalidations of a round in a storm */

FIXTURE(load)
{
	struct load load;
};

FIXTURE_VARIANT(load)
{
	const char *domain;
	enum nested_pace pace;
	unsigned int block;
};

#define LOAD_BLOCK(_name, _domain, _pace, _size, _block) \
	FIXTURE_VARIANT_ADD(load, _name ## _ ## _size) \
	{ .domain = _domain, .pace = _pace, .block = _block }

#define LOAD(_how, _domain, _name, _pace) \
	LOAD_BLOCK(_how ## _ ## _name, _domain, _pace, 4k, 4 << 10); \
	LOAD_BLOCK(_how ## _ ## _name, _domain, _pace, 64k, 64 << 10); \
	LOAD_BLOCK(_how ## _ ## _name, _domain, _pace, 1m, 1 << 20)

LOAD(strict, "DMA", idle, NESTED_IDLE);
LOAD(strict, "DMA", steady, NESTED_STEADY);
LOAD(strict, "DMA", storm, NESTED_STORM);
LOAD(lazy, "DMA-FQ", idle, NESTED_IDLE);
LOAD(lazy, "DMA-FQ", steady, NESTED_STEADY);
LOAD(lazy, "DMA-FQ", storm, NESTED_STORM);
LOAD(passthrough, "identity", idle, NESTED_IDLE);
LOAD(passthrough, "identity", steady, NESTED_STEADY);
LOAD(passthrough, "identity", storm, NESTED_STORM);

FIXTURE_SETUP(load)
{
	load_open(_metadata, &self->load, variant->domain);
	if (!self->load.device)
		return;
	self->load.nested.pace = variant->pace;
	self->load.nested.batch = variant->pace == NESTED_STORM ? BATCH : 1;
	ASSERT_EQ(0, nested_start(&self->load.nested));
}

FIXTURE_TEARDOWN(load)
{
	load_close(&self->load);
}

#endif
