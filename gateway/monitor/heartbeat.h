#ifndef GATEWAY_MONITOR_HEARTBEAT_H
#define GATEWAY_MONITOR_HEARTBEAT_H

#include <stdbool.h>

#include "base/loop.h"

/*
 * Whether a child's loop still turns: it gets a ping every second, and a child
 * that leaves five pings unanswered hangs. Pings are counted, not seconds: when
 * the whole gateway was stopped and goes on, one more ping has been sent, and
 * not as many as seconds went by.
 */
#define HEARTBEAT_MS 1000
#define HEARTBEAT_MISSED 5
/* Before the first pong: the child reads its configuration meanwhile. */
#define HEARTBEAT_MISSED_FIRST 20

struct heartbeat;
/* Asked with each ping from then on, until it says true: no ping follows. */
typedef bool heartbeat_lost_fn(struct heartbeat *heartbeat);

struct heartbeat {
    struct loop *loop;       /* borrowed */
    heartbeat_lost_fn *lost; /* whether the child hangs, then */
    int channel;             /* borrowed; to the child */
    bool answered;           /* at least once */
    unsigned unanswered;
    struct timer timer;
};

void heartbeat_init(struct heartbeat *heartbeat, struct loop *loop,
                    heartbeat_lost_fn *lost);

/* A child was started; it has ended. */
void heartbeat_start(struct heartbeat *heartbeat, int channel);
void heartbeat_stop(struct heartbeat *heartbeat);

/* How many pings it has left unanswered beyond those that any may. */
unsigned heartbeat_overdue(const struct heartbeat *heartbeat);

/* The child has answered, or said that it is ready. */
void heartbeat_pong(struct heartbeat *heartbeat);

#endif
