#ifndef GATEWAY_MONITOR_SLOTS_PARTS_H
#define GATEWAY_MONITOR_SLOTS_PARTS_H

#include "base/must_check.h"
#include "gateway/monitor/slots.h"

/*
 * What the files of the slots share, and nobody else includes:
 *
 *     slots.c         all of them: how many, a word to all, the end
 *     slot.c          one worker after another in a slot: start and end
 *     slots_hear.c    what workers say
 *     slots_change.c  another configuration, more workers or fewer
 *     slots_pass.c    from one binary to the next
 */

void slot_begin(const struct slot *slot, struct log_line *line,
                const char *event, enum log_level level);

/* Empty, never used before. */
void slot_init(struct slot *slot, struct slots *slots, unsigned number);

/* Starts a worker in it, or tries again later. */
void slot_spawn(struct slot *slot);

/* Listens to the worker that is in it. */
void slot_listen(struct slot *slot);

/* What it had sent before it died is still there to be read. Its lists die
   with it; why it could not serve does not. */
void slot_hear_out(struct slot *slot);

/* It was reaped: what it held is given back, and another started if one is
   wanted. Bury: only what is ours of it. */
void slot_died(struct slot *slot, int status);
void slot_bury(struct slot *slot);

/* It takes nobody any more: told to drain, until it has heard. */
void slot_drain(struct slot *slot);

/* It runs on the config version in force. */
void slot_note_config_version(struct slot *slot);

/* The worker says so; some of it did not arrive. */
void slot_heard_configured(struct slot *slot, uint32_t number);
void slot_heard_ask_config(struct slot *slot);

/* Of slot->tell_again. */
void slot_tell_again(struct timer *timer);

/* Starts the workers that are missing, as far as there are slots. */
void slots_fill(struct slots *slots);

/* No slot was ever used. 0 or -ENOMEM. */
MUST_CHECK int slots_init(struct slots *slots);

#endif
