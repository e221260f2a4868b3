#include "gateway/monitor/slots_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/channel.h"

int
slots_init(struct slots *slots)
{
    slots->table = calloc(SEGMENT_SLOTS, sizeof(slots->table[0]));
    if (slots->table == NULL)
        return -ENOMEM;
    live_connects_init(&slots->live_connects);
    return 0;
}

int
slots_start(struct slots *slots)
{
    int error = slots_init(slots);
    if (error == 0)
        slots_resize(slots);
    return error;
}

unsigned
slots_count(const struct slots *slots, enum slot_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slots->count; i++)
        count += slots->table[i].state == state;
    return count;
}

bool
slots_reap(struct slots *slots, pid_t pid, int status)
{
    for (unsigned i = 0; i < slots->count; i++) {
        if (slots->table[i].child.pid != pid)
            continue;
        slot_died(&slots->table[i], status);
        return true;
    }
    return false;
}

int
slots_pass_line(struct slots *slots, unsigned number, int fd)
{
    struct channel_message message = {.kind = CHANNEL_LINK, .arg = number};
    if (number >= slots->count || slots->table[number].state == SLOT_EMPTY)
        return -ENOENT;
    return channel_send(slots->table[number].child.control, &message, fd);
}

static void
tell(struct slots *slots, enum channel_kind kind)
{
    struct channel_message message = {.kind = kind, .arg = 0};
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        loop_cancel_timer(slots->loop, &slot->retry);
        if (slot->state == SLOT_EMPTY)
            continue;
        /* One whose channel is full does not listen: it will be killed. */
        channel_tell(slot->child.control, &message);
        slot->state = SLOT_DRAINING;
    }
}

void
slots_drain(struct slots *slots)
{
    slots->draining = true;
    tell(slots, CHANNEL_DRAIN);
}

void
slots_stop(struct slots *slots)
{
    slots->draining = true;
    tell(slots, CHANNEL_STOP);
}

void
slots_kill(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++)
        child_kill(&slots->table[i].child);
}

void
slots_fini(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        loop_cancel_timer(slots->loop, &slot->retry);
        if (slot->child.pid != 0)
            slot_bury(slot);
    }
    if (slots->table != NULL)
        live_connects_fini(&slots->live_connects);
    free(slots->table);
    slots->count = 0;
}
