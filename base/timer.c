#include "base/timer.h"

#include <stddef.h>

/*
 * A pairing heap. `prev` is NULL for the root, the parent for a first child,
 * the previous sibling for any other child, and the timer itself while it is
 * not running.
 */

static struct timer *
timer_merge(struct timer *a, struct timer *b)
{
    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->deadline_ms < a->deadline_ms) {
        struct timer *later = a;
        a = b;
        b = later;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next != NULL)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings: merges pairs, then the results. */
static struct timer *
timer_merge_siblings(struct timer *first)
{
    struct timer *pairs = NULL; /* a stack through `next` */

    while (first != NULL) {
        struct timer *a = first;
        struct timer *b = a->next;
        first = b != NULL ? b->next : NULL;
        a->next = NULL;
        if (b != NULL)
            b->next = NULL;
        a = timer_merge(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct timer *root = NULL;
    while (pairs != NULL) {
        struct timer *rest = pairs->next;
        pairs->next = NULL;
        root = timer_merge(root, pairs);
        pairs = rest;
    }
    if (root != NULL)
        root->prev = NULL;
    return root;
}

void
timer_init(struct timer *timer, timer_fn *fired)
{
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = timer;
    timer->deadline_ms = 0;
    timer->fired = fired;
}

bool
timer_running(const struct timer *timer)
{
    return timer->prev != timer;
}

void
timer_start(struct timer_heap *heap, struct timer *timer, uint64_t deadline_ms)
{
    timer_cancel(heap, timer);
    /* Started by a callback for a time in the past: fires at the next call. */
    if (heap->firing_ms != 0 && deadline_ms <= heap->firing_ms)
        deadline_ms = heap->firing_ms + 1;
    timer->deadline_ms = deadline_ms;
    timer->prev = NULL;
    heap->root = timer_merge(heap->root, timer);
    heap->root->prev = NULL;
}

void
timer_cancel(struct timer_heap *heap, struct timer *timer)
{
    if (!timer_running(timer))
        return;
    struct timer *orphans = timer_merge_siblings(timer->child);
    if (heap->root == timer) {
        heap->root = orphans;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next != NULL)
            timer->next->prev = timer->prev;
        heap->root = timer_merge(heap->root, orphans);
        heap->root->prev = NULL;
    }
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = timer;
}

uint64_t
timer_next_ms(const struct timer_heap *heap)
{
    return heap->root != NULL ? heap->root->deadline_ms : UINT64_MAX;
}

void
timer_fire(struct timer_heap *heap, uint64_t now_ms)
{
    heap->firing_ms = now_ms;
    for (int i = 0; i < TIMER_BATCH && heap->root != NULL &&
                    heap->root->deadline_ms <= now_ms;
         i++) {
        struct timer *timer = heap->root;
        timer_cancel(heap, timer);
        timer->fired(timer);
    }
    heap->firing_ms = 0;
}
