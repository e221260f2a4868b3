#include "gateway/monitor/slots_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/monitor/confinement.h"

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

/* --- what a worker says ------------------------------------------------- */

static void
heard_ready(struct slot *slot, unsigned missing)
{
    struct log_line line;
    slot->slots->missing |= missing;
    pulse_feel(&slot->pulse);
    if (slot->state == SLOT_STARTING)
        slot->state = SLOT_READY;
    slot_begin(slot, &line, "worker_ready", LOG_LEVEL_DEBUG);
    log_number(&line, "pid", (uint64_t)slot->child.pid);
    sink_say(slot->slots->sink, &line);
    slot->slots->changed(slot->slots);
}

static void
heard_unconfined(struct slot *slot, const struct channel_message *message)
{
    confinement_complain(slot->slots->sink, message);
    slot->slots->unconfined = *message;
    slot->slots->changed(slot->slots);
}

/*
 * Whether the CONNECT asked for lives is known only when everybody has been
 * heard: a worker tells of a CONNECT before its client hears of it, so what
 * was told before the question was put is in some channel by now.
 */
#define HEAR_MAX 4096 /* more than a channel holds */

static void heard_all(struct slots *slots);

static void
answer(struct slot *slot, const struct channel_message *question)
{
    struct channel_message message = *question;

    heard_all(slot->slots);
    message.kind = CHANNEL_ANSWER;
    message.arg = connects_has(&slot->slots->connects, question);
    /* One whose channel is full hears nothing, and refuses the BIND. */
    channel_send(slot->child.control, &message, -1);
}

/* All but a question, which has to wait until the others are heard. */
static void
heard(struct slot *slot, const struct channel_message *message)
{
    struct connects *connects = &slot->slots->connects;

    if (message->kind == CHANNEL_READY)
        heard_ready(slot, message->arg);
    else if (message->kind == CHANNEL_UNCONFINED)
        heard_unconfined(slot, message);
    else if (message->kind == CHANNEL_CONNECTED)
        connects_add(connects, slot->number, message);
    else if (message->kind == CHANNEL_CONNECT_ENDED)
        connects_remove(connects, slot->number, message);
    else if (message->kind == CHANNEL_ASK_LINE)
        slot->slots->wants_line(slot->slots, slot->number);
    else if (message->kind == CHANNEL_PONG)
        pulse_feel(&slot->pulse);
    else if (message->kind == CHANNEL_CONFIGURED)
        slot_heard_configured(slot, message->arg);
    else if (message->kind == CHANNEL_ASK_CONFIG)
        slot_heard_ask_config(slot);
}

/* A question waits in its slot while the other channels are read. */
static int
hear(struct slot *slot)
{
    struct channel_message message;

    if (slot->asked)
        return -EAGAIN;
    int came = channel_receive(slot->child.control, &message, NULL);
    if (came != 1)
        return came;
    slot->asked = message.kind == CHANNEL_ASK_CONNECT;
    if (slot->asked)
        slot->question = message;
    else
        heard(slot, &message);
    return 1;
}

static void
heard_all(struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++)
        if (slots->table[i].state != SLOT_EMPTY)
            for (int n = 0; n < HEAR_MAX && hear(&slots->table[i]) == 1; n++)
                ;
}

/* Its end shows as SIGCHLD; here it only must not wake us for ever. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct slot *slot = container_of(watch, struct slot, control_watch);
    struct slots *slots = slot->slots;

    if (hear(slot) == 0)
        loop_unwatch(slots->loop, watch);
    for (unsigned i = 0; i < slots->count; i++) {
        struct slot *asker = &slots->table[i];
        if (!asker->asked)
            continue;
        answer(asker, &asker->question);
        asker->asked = false;
    }
}

/* Octets, 0 at the end, -1 when there is no batch now. */
static ssize_t
take_batch(struct slot *slot)
{
    static char batch[CHANNEL_BATCH_MAX];
    ssize_t len = recv(slot->log, batch, sizeof(batch), MSG_DONTWAIT);
    if (len > 0) {
        slot->records += log_count_records(batch, (size_t)len);
        sink_lines(slot->slots->sink, batch, (size_t)len);
    }
    return len;
}

static void
log_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct slot *slot = container_of(watch, struct slot, log_watch);
    if (take_batch(slot) == 0)
        loop_unwatch(slot->slots->loop, watch);
}

static void
slot_said(struct voice *voice, const char *text)
{
    struct slot *slot = container_of(voice, struct slot, voice);
    struct log_line line;
    slot_begin(slot, &line, "stderr", LOG_LEVEL_ERROR);
    log_text(&line, "message", text);
    sink_say(slot->slots->sink, &line);
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
    int config = reopen_read_only(slot->slots->edition->fd);
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

void
slot_watch(struct slot *slot)
{
    struct loop *loop = slot->slots->loop;
    loop_watch(loop, &slot->control_watch, slot->child.control, EPOLLIN,
               control_ready);
    loop_watch(loop, &slot->log_watch, slot->log, EPOLLIN, log_ready);
    voice_start(&slot->voice, loop, slot->child.voice, slot_said);
    pulse_start(&slot->pulse, slot->child.control);
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
        slot->former = false;
        slot->state = SLOT_STARTING;
        slot_note_edition(slot);
        slot_watch(slot);
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
slot_hangs(struct pulse *pulse)
{
    struct slot *slot = container_of(pulse, struct slot, pulse);
    struct log_line line;
    slot_begin(slot, &line, "worker_hung", LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)slot->child.pid);
    sink_say(slot->slots->sink, &line);
    child_kill(&slot->child);
}

void
slot_note_edition(struct slot *slot)
{
    const struct edition *edition = slot->slots->edition;
    slot->edition = edition->number;
    memcpy(slot->id, edition->id, sizeof(slot->id));
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
    slot->control_watch.fd = slot->log_watch.fd = slot->voice.watch.fd = -1;
    child_init(&slot->child);
    timer_init(&slot->retry, spawn);
    timer_init(&slot->tell_again, slot_tell_again);
    pulse_init(&slot->pulse, slots->loop, slot_hangs);
}

int
slots_init(struct slots *slots)
{
    slots->table = calloc(SEGMENT_SLOTS, sizeof(slots->table[0]));
    if (slots->table == NULL)
        return -ENOMEM;
    connects_init(&slots->connects);
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

/* --- end ---------------------------------------------------------------- */

/* Its lists die with it; why it could not serve does not. */
static void
hear_last(struct slot *slot)
{
    struct channel_message message;
    for (int i = 0; i < HEAR_MAX; i++) {
        if (channel_receive(slot->child.control, &message, NULL) != 1)
            return;
        if (message.kind == CHANNEL_UNCONFINED)
            heard_unconfined(slot, &message);
    }
}

/* What it had sent before it died is still there to be read. */
static void
bury(struct slot *slot)
{
    struct loop *loop = slot->slots->loop;
    pulse_stop(&slot->pulse);
    loop_unwatch(loop, &slot->control_watch);
    loop_unwatch(loop, &slot->log_watch);
    for (int i = 0; i < 4096 && take_batch(slot) > 0; i++)
        ;
    hear_last(slot);
    voice_end(&slot->voice);
    close(slot->log);
    slot->log = -1;
    child_bury(&slot->child);
    slot->asked = false;
    loop_cancel_timer(loop, &slot->tell_again);
    slot->untold.edition = slot->untold.drain = false;
    connects_drop(&slot->slots->connects, slot->number);
}

static void
report_end(struct slot *slot, pid_t pid, int status, uint64_t live)
{
    struct log_line line;
    bool clean = status == 0 && (slot->slots->draining || !slot->wanted);
    slot_begin(slot, &line, "worker_ended",
               clean ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)pid);
    if (WIFSIGNALED(status))
        log_number(&line, "signal", (uint64_t)WTERMSIG(status));
    else
        log_number(&line, "status", (uint64_t)WEXITSTATUS(status));
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

static void
slot_died(struct slot *slot, int status)
{
    struct slots *slots = slot->slots;
    pid_t pid = slot->child.pid;
    bool was_ready = slot->state == SLOT_READY;
    bury(slot);
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
    struct channel_message message = {.kind = CHANNEL_LINE, .arg = number};
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
        channel_send(slot->child.control, &message, -1);
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
            bury(slot);
    }
    if (slots->table != NULL)
        connects_fini(&slots->connects);
    free(slots->table);
    slots->count = 0;
}
