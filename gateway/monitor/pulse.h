#ifndef GATEWAY_MONITOR_PULSE_H
#define GATEWAY_MONITOR_PULSE_H

#include <stdbool.h>

#include "base/loop.h"

/*
 * Whether a child's loop still turns: it is asked every second, and one that
 * leaves five questions unanswered hangs. What is counted is questions, not
 * time: when all of us were stopped and go on, one more has been put, and
 * not as many as seconds went by.
 */
#define PULSE_MS 1000
#define PULSE_MISSED 5
/* For the first answer: it reads its configuration meanwhile. */
#define PULSE_MISSED_FIRST 20

struct pulse;
typedef void pulse_lost_fn(struct pulse *pulse);

struct pulse {
    struct loop *loop;   /* borrowed */
    pulse_lost_fn *lost; /* once; then no more is asked */
    int channel;         /* borrowed; to the child */
    bool felt;           /* it has answered once */
    unsigned unanswered;
    struct timer timer;
};

void pulse_init(struct pulse *pulse, struct loop *loop, pulse_lost_fn *lost);

/* There is a child, and it has gone. */
void pulse_start(struct pulse *pulse, int channel);
void pulse_stop(struct pulse *pulse);

/* It has answered, or said that it is ready. */
void pulse_feel(struct pulse *pulse);

#endif
