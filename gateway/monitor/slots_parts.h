#ifndef GATEWAY_MONITOR_SLOTS_PARTS_H
#define GATEWAY_MONITOR_SLOTS_PARTS_H

#include "gateway/monitor/slots.h"

/*
 * What the files of the slots share, and nobody else includes:
 *
 *     slots.c         a worker's life, what it says, the end of all
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
void slot_watch(struct slot *slot);

/* It takes nobody any more: told to drain, until it has heard. */
void slot_drain(struct slot *slot);

/* It runs on the edition in force. */
void slot_note_edition(struct slot *slot);

/* The worker says so; some of it did not arrive. */
void slot_heard_configured(struct slot *slot, uint32_t number);
void slot_heard_ask_config(struct slot *slot);

/* Of slot->tell_again. */
void slot_tell_again(struct timer *timer);

/* Starts the workers that are missing, as far as there are slots. */
void slots_fill(struct slots *slots);

/* No slot was ever used. 0 or -ENOMEM. */
int slots_init(struct slots *slots);

#endif
