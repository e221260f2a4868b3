#include "gateway/monitor/scribe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How soon the predecessor is told again, when its channel was full. */
#define FAREWELL_MS 100

/* The predecessor, for as long as it is there. */
static int
writing(const struct scribe *scribe)
{
    return predecessor_is_there(&scribe->predecessor)
               ? scribe->predecessor.child.control
               : scribe->child.control;
}

static void
pass_out(struct scribe *scribe)
{
    struct channel_message message = {.kind = CHANNEL_REOPEN, .arg = 0};
    scribe->unpassed =
        channel_send(writing(scribe), &message, scribe->out) != 0;
}

/* One whose channel is full waits for its file: so do we. */
static void
dismiss_predecessor(struct timer *timer)
{
    struct scribe *scribe = container_of(timer, struct scribe, farewell);
    struct channel_message message = {.kind = CHANNEL_DRAIN};
    if (scribe->unpassed)
        pass_out(scribe);
    if (channel_send(scribe->predecessor.child.control, &message, -1) ==
        -EAGAIN)
        loop_start_timer(scribe->loop, &scribe->farewell, FAREWELL_MS);
}

/* False when there is no message now. */
static bool
hear(struct scribe *scribe)
{
    struct channel_message message;
    int came = channel_receive(scribe->control_watch.fd, &message, NULL);
    if (came == 0)
        loop_unwatch(scribe->loop, &scribe->control_watch);
    if (came != 1)
        return false;
    if (message.kind == CHANNEL_READY)
        scribe->ready = true;
    if (message.kind == CHANNEL_PONG || message.kind == CHANNEL_READY)
        heartbeat_pong(&scribe->heartbeat);
    if (message.kind == CHANNEL_READY &&
        predecessor_is_there(&scribe->predecessor))
        dismiss_predecessor(&scribe->farewell);
    scribe->heard(scribe, &message);
    return true;
}

/* Edge-triggered: also when there is room again. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct scribe *scribe = container_of(watch, struct scribe, control_watch);
    while (hear(scribe))
        ;
    if (scribe->unpassed)
        pass_out(scribe);
}

static int
start_child(struct scribe *scribe)
{
    char uid[16], gid[16], mode[16];
    snprintf(uid, sizeof(uid), "%u", scribe->uid);
    snprintf(gid, sizeof(gid), "%u", scribe->gid);
    snprintf(mode, sizeof(mode), "%u", scribe->sandbox);
    char *argv[] = {"socks4d: log writer", "--logwriter", uid, gid, mode, NULL};
    struct child_plan plan = {scribe->program, argv, &scribe->lines[1], 1};
    return child_start(&scribe->child, &plan);
}

static void
retry(struct scribe *scribe, bool was_ready)
{
    uint64_t in_ms = respawn_in_ms(&scribe->respawn, &scribe->rate, was_ready,
                                   loop_now_ms(scribe->loop));
    loop_start_timer(scribe->loop, &scribe->retry, in_ms);
}

static void
spawn(struct timer *timer)
{
    struct scribe *scribe = container_of(timer, struct scribe, retry);
    scribe->ready = false;
    if (start_child(scribe) != 0) {
        retry(scribe, false);
        return;
    }
    if (loop_watch(scribe->loop, &scribe->control_watch, scribe->child.control,
                   EPOLLIN | EPOLLOUT | EPOLLET, control_ready) < 0 ||
        child_stderr_start(&scribe->child_stderr, scribe->loop,
                           scribe->child.stderr_fd, scribe->on_line) < 0)
        child_kill(&scribe->child); /* another one follows when it has ended */
    if (!predecessor_is_there(&scribe->predecessor)) {
        heartbeat_start(&scribe->heartbeat, scribe->child.control);
        pass_out(scribe);
    }
}

/* The one that writes; it may sleep in a dead file system, and go late. */
static void
hangs(struct heartbeat *heartbeat)
{
    struct scribe *scribe = container_of(heartbeat, struct scribe, heartbeat);
    const struct child *child = predecessor_is_there(&scribe->predecessor)
                                    ? &scribe->predecessor.child
                                    : &scribe->child;
    scribe->hung(scribe, child->pid);
    child_kill(child);
}

static void
init(struct scribe *scribe)
{
    child_init(&scribe->child);
    scribe->control_watch.fd = scribe->child_stderr.watch.fd = -1;
    timer_init(&scribe->retry, spawn);
    timer_init(&scribe->farewell, dismiss_predecessor);
    heartbeat_init(&scribe->heartbeat, scribe->loop, hangs);
}

void
scribe_adopt(struct scribe *scribe, const struct handed_log *log,
             predecessor_heard_fn *heard, child_stderr_line_fn *on_line)
{
    init(scribe);
    memcpy(scribe->lines, log->pair, sizeof(scribe->lines));
    scribe->out = log->out;
    predecessor_adopt(&scribe->predecessor, scribe->loop, &log->writer, heard,
                      on_line);
    if (predecessor_is_there(&scribe->predecessor))
        heartbeat_start(&scribe->heartbeat, scribe->predecessor.child.control);
    spawn(&scribe->retry);
}

void
scribe_hand_over(const struct scribe *scribe, struct handed_log *log)
{
    bool waits = predecessor_is_there(&scribe->predecessor);
    log->has_writer = 1;
    memcpy(log->pair, scribe->lines, sizeof(log->pair));
    log->out = scribe->out;
    /* Its successor has nothing yet, and ends when we do. */
    predecessor_hand_over(waits ? &scribe->predecessor.child : &scribe->child,
                          waits ? &scribe->predecessor.child_stderr
                                : &scribe->child_stderr,
                          &log->writer);
}

int
scribe_start(struct scribe *scribe)
{
    init(scribe);
    int error = channel_pair(scribe->lines);
    if (error == 0)
        spawn(&scribe->retry);
    return error;
}

bool
scribe_ended(const struct scribe *scribe)
{
    return scribe->child.pid == 0 && !timer_running(&scribe->retry) &&
           !predecessor_is_there(&scribe->predecessor);
}

int
scribe_line_fd(const struct scribe *scribe)
{
    return scribe->lines[0];
}

void
scribe_reopen(struct scribe *scribe, int out)
{
    close(scribe->out);
    scribe->out = out;
    if (writing(scribe) != -1)
        pass_out(scribe);
}

static void
bury(struct scribe *scribe)
{
    if (scribe->child.pid == 0)
        return;
    /* What it said before it died. */
    while (scribe->control_watch.fd >= 0 && hear(scribe))
        ;
    loop_unwatch(scribe->loop, &scribe->control_watch);
    if (!predecessor_is_there(&scribe->predecessor))
        heartbeat_stop(&scribe->heartbeat);
    child_stderr_end(&scribe->child_stderr);
    child_bury(&scribe->child);
}

void
scribe_died(struct scribe *scribe)
{
    bury(scribe);
    if (scribe->lines[0] != -1)
        retry(scribe, scribe->ready);
}

bool
scribe_reap_predecessor(struct scribe *scribe, pid_t pid)
{
    if (!predecessor_reap(&scribe->predecessor, pid))
        return false;
    loop_cancel_timer(scribe->loop, &scribe->farewell);
    heartbeat_stop(&scribe->heartbeat);
    if (scribe->child.pid != 0) {
        heartbeat_start(&scribe->heartbeat, scribe->child.control);
        pass_out(scribe);
    }
    return true;
}

void
scribe_predecessor_pong(struct scribe *scribe)
{
    heartbeat_pong(&scribe->heartbeat);
}

void
scribe_finish(struct scribe *scribe)
{
    if (scribe->lines[0] != -1)
        close(scribe->lines[0]);
    scribe->lines[0] = -1;
}

void
scribe_fini(struct scribe *scribe)
{
    loop_cancel_timer(scribe->loop, &scribe->retry);
    loop_cancel_timer(scribe->loop, &scribe->farewell);
    heartbeat_stop(&scribe->heartbeat);
    predecessor_fini(&scribe->predecessor);
    child_kill(&scribe->child);
    bury(scribe);
    scribe_finish(scribe);
    close(scribe->lines[1]);
    close(scribe->out);
}
