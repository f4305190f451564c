/* SPDX-License-Identifier: GPL-2.0-only */
/* What hardware counts, exactly; of reference hardware, wherever it runs. */
#ifndef NIT_CORE_COUNTS_H
#define NIT_CORE_COUNTS_H

#include <stdint.h>

/**
 * struct counts - of all IOMMUs of a machine together, since it was made
 * @syncs: of the commands, those that software waits for
 * @ats_invalidates: messages to devices
 * @walks: translations that no cache had; @table_reads: words of tables that these read
 * @removed, @over_removed: entries of caches that commands removed; of these, what none named
 * @cached: entries in ATCs at this moment
 */
struct counts {
	uint64_t commands, syncs, ats_invalidates;
	uint64_t walks, table_reads;
	uint64_t removed, over_removed, cached;
};

#endif
