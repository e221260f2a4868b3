#ifndef GATEWAY_MONITOR_HEARTBEAT_H
#define GATEWAY_MONITOR_HEARTBEAT_H

#include <stdbool.h>

#include "base/loop.h"

/*
 * Whether a child's loop still turns: it is asked every second, and one that
 * leaves five questions unanswered hangs. What is counted is questions, not
 * time: when all of us were stopped and go on, one more has been put, and
 * not as many as seconds went by.
 */
#define HEARTBEAT_MS 1000
#define HEARTBEAT_MISSED 5
/* For the first answer: it reads its configuration meanwhile. */
#define HEARTBEAT_MISSED_FIRST 20

struct heartbeat;
typedef void heartbeat_lost_fn(struct heartbeat *heartbeat);

struct heartbeat {
    struct loop *loop;       /* borrowed */
    heartbeat_lost_fn *lost; /* once; then no more is asked */
    int channel;             /* borrowed; to the child */
    bool answered;           /* it has answered once */
    unsigned unanswered;
    struct timer timer;
};

void heartbeat_init(struct heartbeat *heartbeat, struct loop *loop,
                    heartbeat_lost_fn *lost);

/* There is a child, and it has gone. */
void heartbeat_start(struct heartbeat *heartbeat, int channel);
void heartbeat_stop(struct heartbeat *heartbeat);

/* It has answered, or said that it is ready. */
void heartbeat_pong(struct heartbeat *heartbeat);

#endif
