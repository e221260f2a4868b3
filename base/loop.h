#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "base/list.h"
#include "base/must_check.h"
#include "base/timer.h"

/*
 * One event loop a process, one thread. A turn: wait, events, timers that
 * are due, tasks. No timer runs out before what came until its time is heard,
 * however long the process was stopped meanwhile.
 *
 * A watch, a timer and a task are embedded in what they serve and must not
 * be freed before loop_unwatch, timer_cancel, task_cancel - and a watch
 * not before the turn is over, since an event for it may be waiting in the
 * same batch: free it from a task.
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

/* Work put off to the end of the turn (or, from a task, to the next). */
struct task {
    struct list link;
    task_fn *run;
};

struct loop {
    int poller;
    uint64_t now_us;   /* monotonic, as of this turn */
    uint64_t asked_ms; /* of the first of the full batches in a row */
    int full_batches;  /* in a row */
    int last_fd;       /* no descriptor was watched above it */
    struct timer_heap timers;
    struct list tasks;
    int stopped;
};

/* 0 or a negative errno. */
MUST_CHECK int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);

/* Turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn; waits for at most wait_ms (-1: until something happens). */
void loop_turn(struct loop *loop, int wait_ms);

static inline uint64_t
loop_now_ms(const struct loop *loop)
{
    return loop->now_us / 1000;
}

/*
 * Registers fd once, for good. `events` as for epoll; EPOLLET for sockets
 * that are relayed, level-triggered and EPOLLEXCLUSIVE for listeners.
 * 0 or a negative errno.
 */
MUST_CHECK int loop_watch(struct loop *loop, struct watch *watch, int fd,
                          uint32_t events, watch_fn *ready);

/*
 * No event comes after this. Closing the descriptor is the caller's; when
 * it closes it at once, loop_forget spares the system call.
 */
void loop_unwatch(struct loop *loop, struct watch *watch);
void loop_forget(struct watch *watch);

void loop_start_timer(struct loop *loop, struct timer *timer, uint64_t in_ms);
void loop_cancel_timer(struct loop *loop, struct timer *timer);

void task_init(struct task *task, task_fn *run);
/* Once, however often it is called before it has run. */
void loop_defer(struct loop *loop, struct task *task);
void task_cancel(struct task *task);

#endif
