/* Another configuration for workers that run, more of them or fewer. */

#include "gateway/channel.h"
#include "gateway/confine/landlock.h"
#include "gateway/monitor/slots_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* --- the configuration --------------------------------------------------- */

static bool
slot_has_config_version(const struct slot *slot)
{
    return slot->config_version == slot->slots->config_version->number;
}

void
slot_note_config_version(struct slot *slot)
{
    const struct config_version *version = slot->slots->config_version;
    slot->config_version = version->number;
    slot->drain_ms = version->config->timeouts.drain_ms;
    memcpy(slot->id, version->id, sizeof(slot->id));
}

static int
slot_send_file(struct slot *slot, struct channel_file file, int fd)
{
    struct channel_message message = {.kind = CHANNEL_FILE,
                                      .arg =
                                          slot->slots->config_version->number,
                                      .file = file};
    return service_send(&slot->service, &message, fd);
}

/* The text first. All listeners, whatever it has by now: it closes what it
   has. */
static int
slot_send_config_version(struct slot *slot)
{
    const struct config_version *version = slot->slots->config_version;
    const struct listeners *listeners = slot->slots->listeners;
    struct channel_file text = {.kind = CHANNEL_FILE_TEXT, .len = version->len};
    struct channel_file tls = {.kind = CHANNEL_FILE_TLS};
    struct stat status;
    if (fstat(version->certificates.fd, &status) != 0)
        return -errno;
    tls.len = (uint64_t)status.st_size;
    int error = slot_send_file(slot, text, version->fd);
    if (error == 0)
        error = slot_send_file(slot, tls, version->certificates.fd);
    for (uint32_t i = 0; i < listeners->count && error == 0; i++) {
        struct channel_file file = {.kind = CHANNEL_FILE_LISTENER, .index = i};
        error = slot_send_file(slot, file, listeners->fds[i]);
    }
    return error;
}

void
slot_send(struct service *service)
{
    struct slot *slot = slot_of(service);
    struct channel_message drain = {.kind = CHANNEL_DRAIN};
    if (slot->unsent.config_version)
        slot->unsent.config_version = slot_send_config_version(slot) != 0;
    if (slot->unsent.drain)
        slot->unsent.drain = service_send(service, &drain, -1) != 0;
    if (slot->unsent.config_version || slot->unsent.drain)
        service_send_later(service);
}

void
slot_on_configured(struct slot *slot, uint32_t number)
{
    struct services *services = slot->slots->services;
    if (number != slot->slots->config_version->number)
        return;
    slot_note_config_version(slot);
    services->changed(services);
}

unsigned
slot_extra_pings(const struct service *service)
{
    const struct slot *slot = container_of(service, struct slot, service);
    if (service->state != SERVICE_STARTING && slot_has_config_version(slot))
        return 0;
    return config_version_read_seconds(slot->slots->config_version);
}

void
slot_on_ask_config(struct slot *slot)
{
    if (slot_has_config_version(slot))
        return;
    slot->unsent.config_version = true;
    slot_send(&slot->service);
}

/* A worker ends by itself at timeouts.drain. */
#define SLOT_DRAIN_GRACE_MS 5000

void
slot_on_overdue(struct timer *timer)
{
    struct slot *slot = container_of(timer, struct slot, overdue);
    struct log_line line;
    service_begin(&slot->service, &line, "hung", LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)slot->service.current.child.pid);
    log_text(&line, "message",
             "it was told to drain, and has not ended at timeouts.drain");
    sink_say(slot->slots->services->sink, &line);
    child_kill(&slot->service.current.child);
}

/* By its own configuration or by the newest, whichever gives it longer. */
static void
slot_start_overdue(struct slot *slot)
{
    const struct config *config = slot->slots->config_version->config;
    uint64_t ms = config->timeouts.drain_ms;
    if (ms == 0 || slot->drain_ms == 0)
        return;
    ms = slot->drain_ms > ms ? slot->drain_ms : ms;
    loop_start_timer(slot->slots->services->loop, &slot->overdue,
                     ms + SLOT_DRAIN_GRACE_MS);
}

void
slot_drain(struct slot *slot)
{
    slot_start_overdue(slot);
    slot->service.state = SERVICE_DRAINING;
    slot->unsent.drain = true;
    slot_send(&slot->service);
}

static void
slots_stop_slot(struct slots *slots, struct slot *slot)
{
    slots->wanted--;
    service_leave(&slot->service);
    if (slot->service.state != SERVICE_EMPTY)
        slot_drain(slot);
}

/* Landlock takes nothing back: a worker that was confined to other ports than
   it now needs drains, and slots_resize starts another. */
static bool
slot_is_confined_from(const struct slot *slot, const struct confine_tcp *needed)
{
    return slot->service.wanted && slot->service.state != SERVICE_EMPTY &&
           !tcp_ports_cover(&slot->ports, needed);
}

static void
slot_report_confined(struct slot *slot)
{
    struct log_line line;
    service_begin(&slot->service, &line, "behind", LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)slot->service.current.child.pid);
    log_text(&line, "message",
             "it cannot use the new ports, and stays until another worker has "
             "ended and left its place; restart to replace it now");
    sink_say(slot->slots->services->sink, &line);
}

/* False where no worker is confined to ports. */
static bool
slots_find_ports(const struct slots *slots, struct confine_tcp *needed)
{
    const struct config *config = slots->config_version->config;
    if (config->sandbox == CONFIG_SANDBOX_OFF || !landlock_bounds_ports())
        return false;
    tcp_ports_find(config, needed);
    return true;
}

/* As many as there is room for beside them. */
static void
slots_replace_confined(struct slots *slots, bool report)
{
    struct confine_tcp needed;
    if (!slots_find_ports(slots, &needed))
        return;
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        if (!slot_is_confined_from(slot, &needed))
            continue;
        if (slots_free(slots) > slots->meant - slots->wanted)
            slots_stop_slot(slots, slot);
        else if (report)
            slot_report_confined(slot);
    }
}

void
slots_reconfigure(struct slots *slots)
{
    /* First: what is queued is accepted under the rules that it can serve. */
    slots_replace_confined(slots, true);
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        if (slot->service.state == SERVICE_EMPTY)
            continue;
        slot->unsent.config_version = true;
        slot_send(&slot->service);
    }
}

/* A worker that drains is waited for, too: until it has the config version, it
   has listeners open that may be gone, and could not be opened again. */
static bool
slot_is_behind(const struct slot *slot)
{
    const struct service *service = &slot->service;
    return (service->wanted && service->state != SERVICE_READY) ||
           (service->state != SERVICE_EMPTY && !slot_has_config_version(slot));
}

/* Workers of a binary before are not waited for: one that cannot take the
   config version is told to drain once the new ones are ready. */
unsigned
slots_starting(const struct slots *slots)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->table[i];
        count += slot->service.wanted && slot_is_behind(slot);
    }
    return count;
}

unsigned
slots_behind(const struct slots *slots)
{
    struct confine_tcp needed;
    bool bounded = slots_find_ports(slots, &needed);
    unsigned count = 0;
    for (unsigned i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->table[i];
        count += slot_is_behind(slot) ||
                 (bounded && slot_is_confined_from(slot, &needed));
    }
    return count;
}

void
slots_replace_behind(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *slot = &slots->table[i];
        const struct child *child = &slot->service.current.child;
        struct log_line line;
        if (slot->service.state == SERVICE_EMPTY ||
            slot_has_config_version(slot))
            continue;
        service_begin(&slot->service, &line, "behind", LOG_LEVEL_ERROR);
        log_number(&line, "pid", (uint64_t)child->pid);
        log_text(&line, "message",
                 "it does not take the configuration, and is replaced");
        sink_say(slots->services->sink, &line);
        child_kill(child);
    }
}

/* --- how many ------------------------------------------------------------ */

static void
slots_start_slot(struct slots *slots, struct slot *slot)
{
    slots->wanted++;
    service_start(&slot->service);
}

/* First those that do not serve: one that does is not to go in their favour. */
static void
slots_stop_surplus(struct slots *slots)
{
    for (int serves = 0; serves <= 1; serves++)
        for (unsigned i = slots->count; i > 0 && slots->wanted > slots->meant;
             i--) {
            struct slot *slot = &slots->table[i - 1];
            if (slot->service.wanted &&
                (slot->service.state == SERVICE_READY) == serves)
                slots_stop_slot(slots, slot);
        }
}

void
slots_fill(struct slots *slots)
{
    if (slots->draining)
        return;
    slots_replace_confined(slots, false);
    for (unsigned i = 0; i < SEGMENT_SLOTS && slots->wanted < slots->meant;
         i++) {
        struct slot *slot = &slots->table[i];
        if (i == slots->count)
            slot_init(slot, slots, slots->count++);
        if (slot->service.state == SERVICE_EMPTY && !slot->service.wanted)
            slots_start_slot(slots, slot);
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
    slots_stop_surplus(slots);
    slots_fill(slots);
}
