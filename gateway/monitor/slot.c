/* One worker after another in a slot: its start and its end. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/monitor/slots_parts.h"

const char *const slot_state_names[] = {
    [SLOT_EMPTY] = "empty",
    [SLOT_STARTING] = "starting",
    [SLOT_READY] = "ready",
    [SLOT_DRAINING] = "draining",
};

void
slot_begin(const struct slot *slot, struct log_line *line, const char *event,
           enum log_level level)
{
    sink_begin(slot->slots->sink, line, event, level);
    log_number(line, "worker", slot->number);
}

/* --- start -------------------------------------------------------------- */

/* Each gets a descriptor of its own: a duplicate would share the offset. */
static int
reopen_read_only(int fd)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = open(path, O_RDONLY | O_CLOEXEC);
    return own < 0 ? -errno : own;
}

static int
execute(struct slot *slot, int log, int config)
{
    const struct slots *slots = slot->slots;
    char number[16], uid[16], gid[16];
    snprintf(number, sizeof(number), "%u", slot->number);
    snprintf(uid, sizeof(uid), "%u", slots->user->uid);
    snprintf(gid, sizeof(gid), "%u", slots->user->gid);
    char *argv[] = {"socks4d: worker", "--worker", number, uid, gid, NULL};

    int fds[3 + CONFIG_LISTENERS_MAX] = {log, slots->segment_fd, config};
    memcpy(fds + 3, slots->listeners->fds,
           slots->listeners->count * sizeof(fds[0]));
    struct child_plan plan = {slots->program, argv, fds,
                              3 + slots->listeners->count};
    return child_start(&slot->child, &plan);
}

static int
start_child(struct slot *slot)
{
    int log[2];
    int config = reopen_read_only(slot->slots->config_version->fd);
    if (config < 0)
        return config;
    int error = channel_pair(log);
    if (error == 0) {
        error = execute(slot, log[1], config);
        close(log[1]);
        slot->log = log[0];
    }
    if (error != 0 && slot->log != -1) {
        close(slot->log);
        slot->log = -1;
    }
    close(config);
    return error;
}

static uint64_t
retry(struct slot *slot, bool was_ready)
{
    struct slots *slots = slot->slots;
    uint64_t in_ms = respawn_in_ms(&slot->respawn, &slots->rate, was_ready,
                                   loop_now_ms(slots->loop));
    loop_start_timer(slots->loop, &slot->retry, in_ms);
    return in_ms;
}

static void
spawn(struct timer *timer)
{
    struct slot *slot = container_of(timer, struct slot, retry);
    int error = start_child(slot);
    if (error == 0) {
        slot->generation++;
        slot->predecessor = false;
        slot->state = SLOT_STARTING;
        slot_note_config_version(slot);
        slot_listen(slot);
        slot->slots->wants_line(slot->slots, slot->number);
        return;
    }
    struct log_line line;
    slot_begin(slot, &line, "worker_not_started", LOG_LEVEL_ERROR);
    log_number(&line, "retry_ms", retry(slot, false));
    log_text(&line, "message", strerror(-error));
    sink_say(slot->slots->sink, &line);
}

/* Nobody will ever hear from it: what it holds is given back by its end. */
static void
hangs(struct heartbeat *heartbeat)
{
    struct slot *slot = container_of(heartbeat, struct slot, heartbeat);
    struct log_line line;
    slot_begin(slot, &line, "worker_hung", LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)slot->child.pid);
    sink_say(slot->slots->sink, &line);
    child_kill(&slot->child);
}

void
slot_note_config_version(struct slot *slot)
{
    const struct config_version *config_version = slot->slots->config_version;
    slot->config_version = config_version->number;
    memcpy(slot->id, config_version->id, sizeof(slot->id));
}

void
slot_spawn(struct slot *slot)
{
    spawn(&slot->retry);
}

void
slot_init(struct slot *slot, struct slots *slots, unsigned number)
{
    *slot = (struct slot){.slots = slots, .number = number, .log = -1};
    slot->control_watch.fd = slot->log_watch.fd = slot->child_stderr.watch.fd =
        -1;
    child_init(&slot->child);
    timer_init(&slot->retry, spawn);
    timer_init(&slot->tell_again, slot_tell_again);
    heartbeat_init(&slot->heartbeat, slots->loop, hangs);
}

/* --- end ---------------------------------------------------------------- */

void
slot_bury(struct slot *slot)
{
    struct loop *loop = slot->slots->loop;
    heartbeat_stop(&slot->heartbeat);
    loop_unwatch(loop, &slot->control_watch);
    loop_unwatch(loop, &slot->log_watch);
    slot_hear_out(slot);
    close(slot->log);
    slot->log = -1;
    child_bury(&slot->child);
    slot->asked = false;
    loop_cancel_timer(loop, &slot->tell_again);
    slot->untold.config_version = slot->untold.drain = false;
    live_connects_drop(&slot->slots->live_connects, slot->number);
}

static void
report_end(struct slot *slot, pid_t pid, int status, uint64_t live)
{
    struct log_line line;
    bool clean = status == 0 && (slot->slots->draining || !slot->wanted);
    slot_begin(slot, &line, "worker_ended",
               clean ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    log_ending(&line, pid, status);
    log_number(&line, "lost", live);
    if (timer_running(&slot->retry))
        log_number(&line, "retry_ms",
                   slot->retry.deadline_ms - loop_now_ms(slot->slots->loop));
    sink_say(slot->slots->sink, &line);
}

/* Records it had written, and took along before they were sent. */
static void
count_lost_records(struct slot *slot, struct segment_column *column)
{
    uint64_t written = atomic_load(&column->counters[SEGMENT_COUNTER_records]);
    if (written > slot->records)
        segment_count(column, SEGMENT_COUNTER_dropped, written - slot->records);
    slot->records = written;
}

void
slot_died(struct slot *slot, int status)
{
    struct slots *slots = slot->slots;
    pid_t pid = slot->child.pid;
    bool was_ready = slot->state == SLOT_READY;
    slot_bury(slot);
    slot->state = SLOT_EMPTY;
    struct segment_column *column = &slots->segment->columns[slot->number];
    count_lost_records(slot, column);
    uint64_t live = segment_retire(slots->segment, slot->number);
    if (!slots->draining && slot->wanted)
        retry(slot, was_ready);
    report_end(slot, pid, status, live);
    if (!slots->draining)
        slots_fill(slots);
    slots->changed(slots);
}
