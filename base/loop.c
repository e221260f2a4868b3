#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/sys.h"

/* The most events a turn. */
#define LOOP_BATCH 256

int
loop_init(struct loop *loop)
{
    memset(loop, 0, sizeof(*loop));
    list_init(&loop->tasks);
    loop->now_us = sys_now_us();
    loop->poller = sys_poll_open();
    return loop->poller < 0 ? loop->poller : 0;
}

void
loop_fini(struct loop *loop)
{
    if (loop->poller >= 0)
        sys_close(loop->poller);
    loop->poller = -1;
}

void
loop_run(struct loop *loop)
{
    while (!loop->stopped)
        loop_turn(loop, -1);
}

void
loop_stop(struct loop *loop)
{
    loop->stopped = 1;
}

void
loop_read_clock(struct loop *loop)
{
    loop->now_us = sys_now_us();
}

/* How long the poller may wait: at most wait_ms, at most until the next timer,
   and not at all while tasks are pending. */
static int
loop_timeout_ms(const struct loop *loop, int wait_ms, uint64_t now_ms)
{
    if (!list_empty(&loop->tasks))
        return 0;
    uint64_t next_ms = timer_next_ms(&loop->timers);
    if (next_ms == UINT64_MAX)
        return wait_ms;
    uint64_t left_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    if (wait_ms >= 0 && left_ms > (uint64_t)wait_ms)
        return wait_ms;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static void
loop_run_tasks(struct loop *loop)
{
    struct list now;

    list_init(&now);
    list_take(&now, &loop->tasks);
    while (!list_empty(&now)) {
        struct task *task = container_of(now.next, struct task, link);
        list_remove(&task->link);
        task->run(task);
    }
}

/*
 * The time up to which all events have been handled, this batch included. That
 * is not the present: the process may have been stopped after the poller
 * returned. After a full batch other descriptors may still be waiting; epoll
 * reports them in turn, so enough full batches have covered all of them.
 */
static uint64_t
loop_complete_ms(struct loop *loop, uint64_t polled_ms, int count)
{
    if (loop->full_batches == 0)
        loop->polled_ms = polled_ms;
    if (count < LOOP_BATCH) {
        loop->full_batches = 0;
        return polled_ms;
    }
    if (loop->full_batches++ < loop->last_fd / LOOP_BATCH)
        return 0;
    loop->full_batches = 0;
    return loop->polled_ms;
}

void
loop_turn(struct loop *loop, int wait_ms)
{
    struct epoll_event events[LOOP_BATCH];
    uint64_t polled_ms = sys_now_us() / 1000;
    int count = sys_poll_wait(loop->poller, events, LOOP_BATCH,
                              loop_timeout_ms(loop, wait_ms, polled_ms));

    loop_read_clock(loop);
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        if (watch->fd >= 0)
            watch->ready(watch, events[i].events);
    }
    timer_fire(&loop->timers, loop_complete_ms(loop, polled_ms, count));
    loop_run_tasks(loop);
}

int
loop_watch(struct loop *loop, struct watch *watch, int fd, uint32_t events,
           watch_fn *ready)
{
    int error = sys_poll_add(loop->poller, fd, events, watch);
    if (error < 0)
        return error;
    watch->fd = fd;
    watch->ready = ready;
    if (fd > loop->last_fd)
        loop->last_fd = fd;
    return 0;
}

/* The kernel allocates nothing for this: it fails only by a fault of ours. */
void
loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events)
{
    if (watch->fd < 0)
        return;
    int error = sys_poll_change(loop->poller, watch->fd, events, watch);
    assert(error == 0);
    (void)error;
}

void
loop_unwatch(struct loop *loop, struct watch *watch)
{
    if (watch->fd >= 0)
        sys_poll_del(loop->poller, watch->fd);
    watch->fd = -1;
}

void
loop_forget(struct watch *watch)
{
    watch->fd = -1;
}

void
loop_start_timer(struct loop *loop, struct timer *timer, uint64_t in_ms)
{
    uint64_t now_ms = loop_now_ms(loop);
    uint64_t deadline_ms =
        in_ms > UINT64_MAX - 1 - now_ms ? UINT64_MAX - 1 : now_ms + in_ms;
    timer_start(&loop->timers, timer, deadline_ms);
}

void
loop_cancel_timer(struct loop *loop, struct timer *timer)
{
    timer_cancel(&loop->timers, timer);
}

void
task_init(struct task *task, task_fn *run)
{
    list_init(&task->link);
    task->run = run;
}

void
loop_defer(struct loop *loop, struct task *task)
{
    if (list_empty(&task->link))
        list_append(&loop->tasks, &task->link);
}

void
task_cancel(struct task *task)
{
    list_remove(&task->link);
}
