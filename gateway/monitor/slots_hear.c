/* What workers say: messages, lines for the log, last words. */

#include <errno.h>
#include <sys/socket.h>

#include "gateway/channel.h"
#include "gateway/monitor/confinement.h"
#include "gateway/monitor/slots_parts.h"

static void
heard_ready(struct slot *slot, unsigned missing)
{
    struct log_line line;
    slot->slots->missing |= missing;
    heartbeat_pong(&slot->heartbeat);
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
    message.arg = live_connects_has(&slot->slots->live_connects, question);
    /* One whose channel is full hears nothing, and refuses the BIND. */
    channel_tell(slot->child.control, &message);
}

/* All but a question, which has to wait until the others are heard. */
static void
heard(struct slot *slot, const struct channel_message *message)
{
    struct live_connects *live_connects = &slot->slots->live_connects;

    if (message->kind == CHANNEL_READY)
        heard_ready(slot, message->arg);
    else if (message->kind == CHANNEL_UNCONFINED)
        heard_unconfined(slot, message);
    else if (message->kind == CHANNEL_CONNECTED)
        live_connects_register(live_connects, slot->number, message);
    else if (message->kind == CHANNEL_CONNECT_ENDED)
        live_connects_unregister(live_connects, slot->number, message);
    else if (message->kind == CHANNEL_ASK_LINK)
        slot->slots->wants_line(slot->slots, slot->number);
    else if (message->kind == CHANNEL_PONG)
        heartbeat_pong(&slot->heartbeat);
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
said(struct child_stderr *child_stderr, const char *text)
{
    struct slot *slot = container_of(child_stderr, struct slot, child_stderr);
    struct log_line line;
    slot_begin(slot, &line, "stderr", LOG_LEVEL_ERROR);
    log_text(&line, "message", text);
    sink_say(slot->slots->sink, &line);
}

/* A worker that cannot be listened to is of no use: another one follows when
   it has ended. */
static void
slot_kill_unwatched(struct slot *slot, int error)
{
    struct log_line line;
    slot_begin(slot, &line, "worker_not_started", LOG_LEVEL_ERROR);
    log_text(&line, "message", strerror(-error));
    sink_say(slot->slots->sink, &line);
    child_kill(&slot->child);
}

void
slot_listen(struct slot *slot)
{
    struct loop *loop = slot->slots->loop;
    int error = loop_watch(loop, &slot->control_watch, slot->child.control,
                           EPOLLIN, control_ready);
    if (error == 0)
        error =
            loop_watch(loop, &slot->log_watch, slot->log, EPOLLIN, log_ready);
    if (error == 0)
        error = child_stderr_start(&slot->child_stderr, loop,
                                   slot->child.stderr_fd, said);
    if (error != 0)
        slot_kill_unwatched(slot, error);
    heartbeat_start(&slot->heartbeat, slot->child.control);
}

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

void
slot_hear_out(struct slot *slot)
{
    for (int i = 0; i < HEAR_MAX && take_batch(slot) > 0; i++)
        ;
    hear_last(slot);
    child_stderr_end(&slot->child_stderr);
}
