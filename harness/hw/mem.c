// SPDX-License-Identifier: GPL-2.0-only
#include "mem.h"

/* One naturally aligned piece of RAM at a time, each with a single access. */
static size_t piece(uint64_t pa, size_t len)
{
	if (!(pa & 7) && len >= 8)
		return 8;
	return !(pa & 3) && len >= 4 ? 4 : 1;
}

static void ram_read(const uint8_t *ram, uint64_t pa, uint8_t *buf, size_t len)
{
	for (size_t n; len; ram += n, pa += n, buf += n, len -= n) {
		n = piece(pa, len);
		if (n == 8) {
			uint64_t v = __atomic_load_n((const uint64_t *)ram, __ATOMIC_ACQUIRE);

			memcpy(buf, &v, n);
		} else if (n == 4) {
			uint32_t v = __atomic_load_n((const uint32_t *)ram, __ATOMIC_ACQUIRE);

			memcpy(buf, &v, n);
		} else {
			*buf = __atomic_load_n(ram, __ATOMIC_ACQUIRE);
		}
	}
}

static void ram_write(uint8_t *ram, uint64_t pa, const uint8_t *buf, size_t len)
{
	for (size_t n; len; ram += n, pa += n, buf += n, len -= n) {
		n = piece(pa, len);
		if (n == 8) {
			uint64_t v;

			memcpy(&v, buf, n);
			__atomic_store_n((uint64_t *)ram, v, __ATOMIC_RELEASE);
		} else if (n == 4) {
			uint32_t v;

			memcpy(&v, buf, n);
			__atomic_store_n((uint32_t *)ram, v, __ATOMIC_RELEASE);
		} else {
			__atomic_store_n(ram, *buf, __ATOMIC_RELEASE);
		}
	}
}

/* How much of the @len bytes at @pa is on the same side of the window's ends */
static size_t one_side(const struct hw_mem *mem, uint64_t pa, size_t len)
{
	uint64_t offset = pa - mem->base;
	uint64_t room = offset < mem->size ? mem->size - offset : -offset;

	return room && room < len ? room : len;
}

int hw_read(struct hw_mem *mem, uint64_t pa, void *buf, size_t len)
{
	uint8_t *to = buf;

	for (size_t n; len; pa += n, to += n, len -= n) {
		const uint8_t *ram;
		int rc;

		n = one_side(mem, pa, len);
		ram = hw_ram(mem, pa, n);
		if (ram) {
			ram_read(ram, pa, to, n);
			continue;
		}
		rc = mem->ops->read ? mem->ops->read(mem, pa, to, n) : -EFAULT;
		if (rc)
			return rc;
	}
	return 0;
}

int hw_write(struct hw_mem *mem, uint64_t pa, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	for (size_t n; len; pa += n, from += n, len -= n) {
		uint8_t *ram;
		int rc;

		n = one_side(mem, pa, len);
		ram = hw_ram(mem, pa, n);
		if (ram) {
			ram_write(ram, pa, from, n);
			continue;
		}
		rc = mem->ops->write ? mem->ops->write(mem, pa, from, n) : -EFAULT;
		if (rc)
			return rc;
	}
	return 0;
}
