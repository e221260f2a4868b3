#ifndef GATEWAY_MONITOR_SLOTS_PARTS_H
#define GATEWAY_MONITOR_SLOTS_PARTS_H

#include "base/must_check.h"
#include "gateway/monitor/slots.h"

/*
 * Shared by the files of the slots, included by no other:
 *
 *     slots.c           all of them: how many, a message to all, the end
 *     slots_change.c    another configuration, more workers or fewer
 *     slots_handover.c  from one binary to the next
 *     slot.c            a worker as a service: start, messages, lines, end
 */

/* Empty, never used before. */
void slot_init(struct slot *slot, struct slots *slots, unsigned number);

/* Watches for lines of the log of the worker that is in it. */
void slot_watch_log(struct slot *slot);

/* Answers workers that have asked whether a CONNECT lives. */
void slots_answer(struct task *task);

/* It accepts no more: told to drain, again and again until it is sent. */
void slot_drain(struct slot *slot);
/* It has not ended in time. */
void slot_on_overdue(struct timer *timer);

/* It runs on the config version in force. */
void slot_note_config_version(struct slot *slot);

/* The worker says so; some of it did not arrive. */
void slot_on_configured(struct slot *slot, uint32_t number);
void slot_on_ask_config(struct slot *slot);
unsigned slot_extra_pings(const struct service *service);

/* What could not be sent before. */
void slot_send(struct service *service);

/* Kills what is left of it and closes everything. */
void slot_fini(struct slot *slot);

/* No slot was ever used. 0 or -ENOMEM. */
MUST_CHECK int slots_init(struct slots *slots);

static inline struct slot *
slot_of(struct service *service)
{
    return container_of(service, struct slot, service);
}

#endif
