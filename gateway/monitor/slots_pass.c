/* From one binary to the next: its workers go on until ours are there. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/monitor/predecessor.h"
#include "gateway/monitor/slots_parts.h"

_Static_assert(SLOT_EMPTY == 0 && SLOT_DRAINING == 3,
               "handover.c knows the states by number");

/* --- to it --------------------------------------------------------------- */

static void
hand_over(const struct slot *slot, struct handed_slot *handed)
{
    handed->generation = slot->generation;
    handed->state = slot->state;
    handed->config_version = slot->config_version;
    handed->records = slot->records;
    memcpy(handed->id, slot->id, sizeof(handed->id));
    predecessor_hand_over(&slot->child, &slot->child_stderr, &handed->child);
    handed->log = slot->log;
    handed->asked = slot->asked;
    handed->untold_config_version = slot->untold.config_version;
    handed->untold_drain = slot->untold.drain;
    handed->question = slot->question;
}

static void
write_connect(void *stream, unsigned slot,
              const struct channel_message *message)
{
    struct handed_connect one;
    memset(&one, 0, sizeof(one));
    one.slot = slot;
    one.message = *message;
    fwrite(&one, sizeof(one), 1, stream);
}

int
slots_hand_over(const struct slots *slots, struct handover *handover)
{
    struct archive_blob *blob = &handover->live_connects;
    handover->slot_count = slots->count;
    for (unsigned i = 0; i < slots->count; i++)
        hand_over(&slots->table[i], &handover->slots[i]);
    FILE *stream = open_memstream(&blob->octets, &blob->len);
    if (stream == NULL)
        return -ENOMEM;
    live_connects_each(&slots->live_connects, write_connect, stream);
    return fclose(stream) == 0 ? 0 : -ENOMEM;
}

unsigned
slots_free(const struct slots *slots)
{
    unsigned unused = SEGMENT_SLOTS - slots->count;
    for (unsigned i = 0; i < slots->count; i++)
        unused += slots->table[i].state == SLOT_EMPTY;
    return unused;
}

/* --- from it ------------------------------------------------------------- */

static void
adopt_worker(struct slot *slot, const struct handed_slot *handed)
{
    slot->predecessor = true;
    slot->child = predecessor_child(&handed->child);
    slot->log = handed->log;
    slot_listen(slot);
    if (slot->state != SLOT_STARTING)
        heartbeat_pong(&slot->heartbeat); /* it has answered before */
    child_stderr_resume(&slot->child_stderr, handed->child.stderr_line);
    slot->asked = handed->asked;
    slot->question = handed->question;
    slot->untold.config_version = handed->untold_config_version;
    slot->untold.drain = handed->untold_drain;
    slot_tell_again(&slot->tell_again);
}

static void
adopt(struct slot *slot, const struct handed_slot *handed)
{
    slot->generation = (unsigned)handed->generation;
    slot->state = (enum slot_state)handed->state;
    slot->config_version = (uint32_t)handed->config_version;
    slot->records = handed->records;
    memcpy(slot->id, handed->id, sizeof(slot->id));
    if (slot->state != SLOT_EMPTY)
        adopt_worker(slot, handed);
}

static void
adopt_live_connects(struct slots *slots, const struct archive_blob *blob)
{
    struct handed_connect one;
    for (size_t at = 0; at < blob->len; at += sizeof(one)) {
        memcpy(&one, blob->octets + at, sizeof(one));
        live_connects_register(&slots->live_connects, (unsigned)one.slot,
                               &one.message);
    }
}

int
slots_adopt(struct slots *slots, const struct handover *handover)
{
    int error = slots_init(slots);
    if (error != 0)
        return error;
    for (unsigned i = 0; i < handover->slot_count; i++)
        slot_init(&slots->table[slots->count++], slots, i);
    for (unsigned i = 0; i < handover->slot_count; i++)
        adopt(&slots->table[i], &handover->slots[i]);
    adopt_live_connects(slots, &handover->live_connects);
    slots_resize(slots);
    return 0;
}

void
slots_dismiss_predecessor(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        if (slot->predecessor && slot->state != SLOT_EMPTY)
            slot_drain(slot);
        slot->predecessor = false;
    }
}
