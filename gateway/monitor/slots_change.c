/* Another configuration for workers that run, more of them or fewer. */

#include <string.h>

#include "gateway/channel.h"
#include "gateway/monitor/slots_parts.h"

/* How soon what did not go into a channel is sent again. */
#define TELL_AGAIN_MS 100

/* --- the configuration --------------------------------------------------- */

static bool
has_config_version(const struct slot *slot)
{
    return slot->config_version == slot->slots->config_version->number;
}

static int
send_listener(struct slot *slot, uint32_t index)
{
    const struct slots *slots = slot->slots;
    struct channel_message message = {.kind = CHANNEL_LISTENER,
                                      .arg = index,
                                      .id = slots->config_version->number};
    return channel_send(slot->child.control, &message,
                        slots->listeners->fds[index]);
}

/* All listeners, whatever it has by now: it closes what it has. */
static int
send_config_version(struct slot *slot)
{
    const struct config_version *config_version = slot->slots->config_version;
    struct channel_message message = {.kind = CHANNEL_CONFIG,
                                      .arg = config_version->number,
                                      .id = config_version->len};
    int error = channel_send(slot->child.control, &message, config_version->fd);
    for (uint32_t i = 0; i < slot->slots->listeners->count && error == 0; i++)
        error = send_listener(slot, i);
    return error;
}

static int
send_drain(struct slot *slot)
{
    struct channel_message message = {.kind = CHANNEL_DRAIN};
    return channel_send(slot->child.control, &message, -1);
}

static void
tell(struct slot *slot)
{
    if (slot->untold.config_version)
        slot->untold.config_version = send_config_version(slot) != 0;
    if (slot->untold.drain)
        slot->untold.drain = send_drain(slot) != 0;
    if (slot->untold.config_version || slot->untold.drain)
        loop_start_timer(slot->slots->loop, &slot->tell_again, TELL_AGAIN_MS);
}

void
slot_tell_again(struct timer *timer)
{
    tell(container_of(timer, struct slot, tell_again));
}

void
slot_heard_configured(struct slot *slot, uint32_t number)
{
    const struct config_version *config_version = slot->slots->config_version;
    if (number != config_version->number)
        return;
    slot_note_config_version(slot);
    slot->slots->changed(slot->slots);
}

void
slot_heard_ask_config(struct slot *slot)
{
    if (has_config_version(slot))
        return;
    slot->untold.config_version = true;
    tell(slot);
}

void
slots_reconfigure(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        if (slot->state == SLOT_EMPTY)
            continue;
        slot->untold.config_version = true;
        tell(slot);
    }
}

/* One that drains is waited for, too: until it has heard, it has listeners
   open that may be gone, and could not be opened again. */
static bool
is_behind(const struct slot *slot)
{
    return (slot->wanted && slot->state != SLOT_READY) ||
           (slot->state != SLOT_EMPTY && !has_config_version(slot));
}

unsigned
slots_behind(const struct slots *slots)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slots->count; i++)
        count += is_behind(&slots->table[i]);
    return count;
}

void
slots_replace_behind(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        struct log_line line;
        if (slot->state == SLOT_EMPTY || has_config_version(slot))
            continue;
        slot_begin(slot, &line, "worker_behind", LOG_LEVEL_ERROR);
        log_number(&line, "pid", (uint64_t)slot->child.pid);
        log_text(&line, "message",
                 "it does not take the configuration, and is replaced");
        sink_say(slots->sink, &line);
        child_kill(&slot->child);
    }
}

/* --- how many ------------------------------------------------------------ */

void
slot_drain(struct slot *slot)
{
    slot->state = SLOT_DRAINING;
    slot->untold.drain = true;
    tell(slot);
}

static void
dismiss(struct slot *slot)
{
    slot->wanted = false;
    slot->slots->wanted--;
    loop_cancel_timer(slot->slots->loop, &slot->retry);
    if (slot->state != SLOT_EMPTY)
        slot_drain(slot);
}

static void
hire(struct slot *slot)
{
    slot->wanted = true;
    slot->slots->wanted++;
    slot->respawn = (struct respawn){0};
    slot_spawn(slot);
}

static void
dismiss_surplus(struct slots *slots)
{
    for (unsigned i = slots->count; i > 0 && slots->wanted > slots->meant; i--)
        if (slots->table[i - 1].wanted)
            dismiss(&slots->table[i - 1]);
}

void
slots_fill(struct slots *slots)
{
    for (unsigned i = 0; i < SEGMENT_SLOTS && slots->wanted < slots->meant;
         i++) {
        struct slot *slot = &slots->table[i];
        if (i == slots->count)
            slot_init(slot, slots, slots->count++);
        if (slot->state == SLOT_EMPTY && !slot->wanted)
            hire(slot);
    }
}

unsigned
slots_needed(const struct config *config)
{
    uint64_t count = config_workers(config);
    return count < SEGMENT_SLOTS ? (unsigned)count : SEGMENT_SLOTS;
}

void
slots_resize(struct slots *slots)
{
    slots->meant = slots_needed(slots->config_version->config);
    dismiss_surplus(slots);
    slots_fill(slots);
}
