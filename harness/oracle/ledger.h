/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page requests of a world, between those who ask (DMA engines on threads) and the guest that
 * answers (the one thread that changes everything): each is answered once, as the guest said.
 *
 * A group is an engine's to ask with. It is not used again before the guest, too, has done with it:
 * when an attachment ends, the hypervisor answers what the guest has read and not answered.
 */
#ifndef NIT_ORACLE_LEDGER_H
#define NIT_ORACLE_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_DEVICES 4
#define LEDGER_GROUPS 64	/* of a device */

/*
 * Rounds of the guest within which a request is answered: one may have begun before it came, the
 * next one finds it, and that after it answers what was left.
 */
#define LEDGER_ROUNDS 3

/** enum ledger_answer - the guest's; LEDGER_NONE: it gave none, so it was another's to give */
enum ledger_answer { LEDGER_NONE, LEDGER_SERVED, LEDGER_REFUSED };

/** enum ledger_code - what a device hears (PCIe 10.4.2.1) */
enum ledger_code { LEDGER_SUCCESS = 0, LEDGER_INVALID = 1, LEDGER_FAILURE = 0xf };

/**
 * struct ledger_group - a page request group, of one page
 * @asked: a device waits for the answer; @place, @slot, @write: written before
 * @read: the guest has it, and has not answered
 * @given: what the guest answered last
 */
struct ledger_group {
	_Atomic bool asked;
	_Atomic bool read;
	_Atomic int given;
	uint8_t place;
	uint8_t slot;
	bool write;
};

/**
 * struct ledger
 * @rounds: of the guest, each of which read what there was and answered what the one before left
 * @resets: of each device, which then forgets what it asked for
 */
struct ledger {
	struct ledger_group groups[LEDGER_DEVICES][LEDGER_GROUPS];
	_Atomic unsigned int rounds;
	_Atomic unsigned int resets[LEDGER_DEVICES];
};

/** ledger_ask() - Before @group is asked with. False: it is still in use */
bool ledger_ask(struct ledger_group *group, unsigned int place, unsigned int slot, bool write);

/** ledger_wrong() - What is wrong with an answer; NULL: nothing. @moved: the attachment changed */
const char *ledger_wrong(const struct ledger_group *group, unsigned int code, bool moved);

#endif
