#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "base/list.h"
#include "base/must_check.h"
#include "base/timer.h"

/*
 * One event loop per process, one thread. A turn: wait, events, timers that are
 * due, tasks. A timer never fires before the events that arrived until its
 * deadline are handled, even if the process was stopped for a while.
 *
 * A watch, a timer and a task are embedded in the object they belong to. The
 * object must not be freed before loop_unwatch, timer_cancel, task_cancel. An
 * object with a watch must not be freed within the turn either, since the batch
 * may contain another event for it: free it from a task.
 */
struct watch;
typedef void watch_fn(struct watch *watch, uint32_t events);

struct watch {
    watch_fn *ready;
    int fd;         /* -1: not watched; borrowed */
    uint32_t notes; /* the owner's own, where the struct has room */
};

struct task;
typedef void task_fn(struct task *task);

/* Work deferred to the end of the turn (from a task: of the next turn). */
struct task {
    struct list link;
    task_fn *run;
};

struct loop {
    int poller;
    uint64_t now_us;    /* monotonic, as of this turn */
    uint64_t polled_ms; /* before the first of the full batches in a row */
    int full_batches;   /* in a row */
    int last_fd;        /* the highest descriptor ever watched */
    struct timer_heap timers;
    struct list tasks;
    int stopped;
};

/* 0 or a negative errno. */
MUST_CHECK int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);

/* Runs turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn; waits for at most wait_ms (-1: until something happens). */
void loop_turn(struct loop *loop, int wait_ms);

static inline uint64_t
loop_now_ms(const struct loop *loop)
{
    return loop->now_us / 1000;
}

/* Sets the time of this turn to the present, after work that took long: a timer
   counts from the time of the turn in which it starts. */
void loop_read_clock(struct loop *loop);

/*
 * Registers fd once, for good. `events` as for epoll; EPOLLET for sockets
 * that are relayed, level-triggered and EPOLLEXCLUSIVE for listeners.
 * 0 or a negative errno.
 */
MUST_CHECK int loop_watch(struct loop *loop, struct watch *watch, int fd,
                          uint32_t events, watch_fn *ready);

/*
 * Other events from now on; what is so already is announced again. Nothing
 * where it is not watched. Where a process writes on a channel, EPOLLOUT only
 * while something waits for room: else each message that the reader takes wakes
 * the writer.
 */
void loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events);

/*
 * No event is delivered after this. The caller closes the descriptor; if it
 * does so at once, loop_forget saves the system call.
 */
void loop_unwatch(struct loop *loop, struct watch *watch);
void loop_forget(struct watch *watch);

void loop_start_timer(struct loop *loop, struct timer *timer, uint64_t in_ms);
void loop_cancel_timer(struct loop *loop, struct timer *timer);

void task_init(struct task *task, task_fn *run);
/* Runs the task once, however often this is called before it runs. */
void loop_defer(struct loop *loop, struct task *task);
void task_cancel(struct task *task);

#endif
