#include "gateway/monitor/slots_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "gateway/channel.h"

/* A session takes a descriptor at least: no worker can have more of them. */
static unsigned
slots_connect_quota(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > UINT_MAX)
        return UINT_MAX;
    return (unsigned)limit.rlim_cur;
}

int
slots_init(struct slots *slots)
{
    slots->table = calloc(SEGMENT_SLOTS, sizeof(slots->table[0]));
    if (slots->table == NULL)
        return -ENOMEM;
    segment_keep(slots->segment, &slots->head);
    live_connects_init(&slots->live_connects, slots_connect_quota());
    lost_sessions_init(&slots->lost_sessions, slots->services->loop,
                       slots->services->sink);
    task_init(&slots->answer, slots_answer);
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
slots_count(const struct slots *slots, enum service_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slots->count; i++)
        count += slots->table[i].service.state == state;
    return count;
}

void
slots_publish(const struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->table[i];
        struct segment_worker *worker = &slots->segment->workers[i];
        atomic_store(&worker->pid, (uint32_t)slot->service.current.child.pid);
        atomic_store(&worker->state, slot->service.state);
        atomic_store(&worker->started, slot->generation);
        atomic_store(&worker->config_version, slot->config_version);
        atomic_store(&worker->started_ms, slot->started_ms);
    }
}

void
slots_restore_segment(struct slots *slots)
{
    struct sink *sink = slots->services->sink;
    struct log_line line;
    if (!segment_restore(slots->segment, &slots->head))
        return;
    sink_begin(sink, &line, "segment_restored", LOG_LEVEL_ERROR);
    log_text(&line, "message",
             "a worker had set back the numbers of sessions, or changed what "
             "never changes: it may have been taken over; see SECURITY.md");
    sink_say(sink, &line);
}

int
slots_pass_link(struct slots *slots, unsigned number, enum channel_peer peer,
                int fd)
{
    struct channel_message message = {
        .kind = CHANNEL_LINK, .arg = number, .id = peer};
    if (number >= slots->count ||
        slots->table[number].service.state == SERVICE_EMPTY)
        return -ENOENT;
    return service_send(&slots->table[number].service, &message, fd);
}

static void
slots_send_last(struct slots *slots, enum channel_kind kind)
{
    struct channel_message message = {.kind = kind};
    slots->draining = true;
    for (unsigned i = 0; i < slots->count; i++) {
        struct service *service = &slots->table[i].service;
        service_leave(service);
        if (service->state == SERVICE_EMPTY)
            continue;
        /* One whose channel is full does not listen: it will be killed. */
        service_tell(service, &message);
        service->state = SERVICE_DRAINING;
    }
}

void
slots_drain(struct slots *slots)
{
    slots_send_last(slots, CHANNEL_DRAIN);
}

void
slots_stop(struct slots *slots)
{
    slots_send_last(slots, CHANNEL_STOP);
}

void
slots_kill(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++)
        child_kill(&slots->table[i].service.current.child);
}

void
slots_fini(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++)
        slot_fini(&slots->table[i]);
    if (slots->table != NULL) {
        task_cancel(&slots->answer);
        live_connects_fini(&slots->live_connects);
        lost_sessions_drop(&slots->lost_sessions);
    }
    free(slots->table);
    slots->count = 0;
}
