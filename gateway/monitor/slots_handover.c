/* From one binary to the next: its workers go on until ours are there. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/monitor/slots_parts.h"

_Static_assert(SERVICE_EMPTY == 0 && SERVICE_DRAINING == 3,
               "handover.c knows the states by number");

/* --- to it --------------------------------------------------------------- */

static void
slot_hand_over(const struct slot *slot, struct handed_slot *handed)
{
    handed->generation = slot->generation;
    handed->started_ms = slot->started_ms;
    handed->config_version = slot->config_version;
    handed->told = slot->told;
    memcpy(handed->id, slot->id, sizeof(handed->id));
    handed->log = slot->log;
    handed->asked = slot->service.paused;
    handed->unsent_config_version = slot->unsent.config_version;
    handed->unsent_drain = slot->unsent.drain;
    handed->question = slot->question;
}

static void
slots_write_connect(void *stream, unsigned slot,
                    const struct channel_message *message)
{
    struct handed_connect one;
    memset(&one, 0, sizeof(one));
    one.slot = slot;
    one.id = message->id;
    one.client = message->client;
    one.to = message->to;
    fwrite(&one, sizeof(one), 1, stream);
}

int
slots_hand_over(const struct slots *slots, struct handover *handover)
{
    struct archive_blob *blob = &handover->live_connects;
    handover->slot_count = slots->count;
    for (unsigned i = 0; i < slots->count; i++)
        slot_hand_over(&slots->table[i], &handover->slots[i]);
    FILE *stream = open_memstream(&blob->octets, &blob->len);
    if (stream == NULL)
        return -ENOMEM;
    live_connects_each(&slots->live_connects, slots_write_connect, stream);
    if (fclose(stream) != 0)
        return -ENOMEM;
    return lost_sessions_hand_over(&slots->lost_sessions,
                                   &handover->lost_sessions);
}

/* A slot whose worker has died and is about to be started again is not free. */
unsigned
slots_free(const struct slots *slots)
{
    unsigned count = SEGMENT_SLOTS - slots->count;
    for (unsigned i = 0; i < slots->count; i++) {
        const struct service *service = &slots->table[i].service;
        count += service->state == SERVICE_EMPTY && !service->wanted;
    }
    return count;
}

/* --- from it ------------------------------------------------------------- */

static void
slot_adopt(struct slot *slot, const struct handed_slot *handed,
           struct handover *handover)
{
    slot->generation = (unsigned)handed->generation;
    slot->started_ms = handed->started_ms;
    slot->config_version = (uint32_t)handed->config_version;
    slot->told = handed->told;
    memcpy(slot->id, handed->id, sizeof(slot->id));
    if (handed->log == -1)
        return;
    if (!service_resume(&slot->service, handover)) {
        close(handed->log);
        return;
    }
    slot->predecessor = true;
    slot->drain_ms = slot->slots->config_version->config->timeouts.drain_ms;
    slot->log = handed->log;
    slot_watch_log(slot);
    slot->service.paused = handed->asked;
    slot->question = handed->question;
    slot->unsent.config_version = handed->unsent_config_version;
    slot->unsent.drain = handed->unsent_drain;
    slot_send(&slot->service);
}

static void
slots_adopt_live_connects(struct slots *slots, const struct archive_blob *blob)
{
    struct handed_connect one;
    for (size_t at = 0; at < blob->len; at += sizeof(one)) {
        memcpy(&one, blob->octets + at, sizeof(one));
        struct channel_message message = {
            .id = one.id, .client = one.client, .to = one.to};
        int error = live_connects_register(&slots->live_connects,
                                           (unsigned)one.slot, &message);
        if (error != 0) /* a BIND that requires this one is refused */
            continue;
    }
}

int
slots_adopt(struct slots *slots, struct handover *handover)
{
    int error = slots_init(slots);
    if (error != 0)
        return error;
    for (unsigned i = 0; i < handover->slot_count; i++)
        slot_init(&slots->table[slots->count++], slots, i);
    for (unsigned i = 0; i < handover->slot_count; i++)
        slot_adopt(&slots->table[i], &handover->slots[i], handover);
    slots_adopt_live_connects(slots, &handover->live_connects);
    lost_sessions_adopt(&slots->lost_sessions, &handover->lost_sessions);
    loop_defer(slots->services->loop, &slots->answer);
    slots_resize(slots);
    return 0;
}

void
slots_drain_predecessors(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        slot->old = slot->predecessor && slot->service.state != SERVICE_EMPTY;
        if (slot->old)
            slot_drain(slot);
        slot->predecessor = false;
    }
}

static bool
slot_is_old(const struct slot *slot)
{
    return slot->old && slot->service.state != SERVICE_EMPTY;
}

unsigned
slots_count_old(const struct slots *slots)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slots->count; i++)
        count += slot_is_old(&slots->table[i]);
    return count;
}

void
slots_stop_old(struct slots *slots)
{
    const struct channel_message message = {.kind = CHANNEL_STOP};
    for (unsigned i = 0; i < slots->count; i++)
        if (slot_is_old(&slots->table[i]))
            service_tell(&slots->table[i].service, &message);
}

void
slots_kill_old(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++)
        if (slot_is_old(&slots->table[i]))
            child_kill(&slots->table[i].service.current.child);
}
