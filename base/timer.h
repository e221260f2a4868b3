#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Deadlines, absolute and monotonic, in milliseconds. A pairing heap of
 * embedded nodes: nothing is allocated, start and cancel cost little
 * whatever the number of timers, and the next deadline is at the root.
 */
struct timer;
typedef void timer_fn(struct timer *timer);

struct timer {
    struct timer *child;
    struct timer *next;
    struct timer *prev; /* the previous sibling, or the parent */
    uint64_t deadline_ms;
    timer_fn *fired;
};

struct timer_heap {
    struct timer *root;
    uint64_t firing_ms; /* now_ms during timer_fire, else 0 */
};

/* A timer that is not running has prev == itself. */
void timer_init(struct timer *timer, timer_fn *fired);
bool timer_running(const struct timer *timer);

/* Starts the timer, or moves its deadline. */
void timer_start(struct timer_heap *heap, struct timer *timer,
                 uint64_t deadline_ms);

/* The callback will not be called after this. Idempotent. */
void timer_cancel(struct timer_heap *heap, struct timer *timer);

/* The next deadline; UINT64_MAX: no timer is running. */
uint64_t timer_next_ms(const struct timer_heap *heap);

/* The most that one call of timer_fire fires: many sessions may have the same
   deadline, and the others have their turn in between. */
#define TIMER_BATCH 256

/*
 * Fires the timers that are due at now_ms, the earliest first, each at most
 * once per call, and at most TIMER_BATCH of them. A callback may start and
 * cancel any timer, its own included; a timer that it starts for now_ms or
 * earlier fires a millisecond later.
 */
void timer_fire(struct timer_heap *heap, uint64_t now_ms);

#endif
