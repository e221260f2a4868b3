#ifndef GATEWAY_MONITOR_TRIAL_H
#define GATEWAY_MONITOR_TRIAL_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/channel.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"

/*
 * A binary on trial: a child that is to become a worker of that binary, as
 * far as one can without serving (gateway/rehearsal.h), and to end in order.
 *
 *   start ─► TRIAL ─► READY ─► we: DRAIN ─► exit 0: it would do
 *     └────────┴────────┴───────────┴─► anything else, or TRIAL_MS: why not
 *
 * It is heard out and dead before `done` is called, whatever comes of it.
 */
#define TRIAL_MS 4900 /* and told of within five seconds of the signal */
#define TRIAL_WHY_MAX 1024

struct trial;
typedef void trial_done_fn(struct trial *trial, const char *why); /* or NULL */

struct trial {
    struct loop *loop;   /* borrowed */
    trial_done_fn *done; /* borrowed */
    enum { TRIAL_BEGUN, TRIAL_SPEAKS, TRIAL_READY } stage;
    struct child child;
    struct watch control_watch;
    struct child_stderr child_stderr;
    char said[CHILD_STDERR_LINE_MAX]; /* its last line on stderr */
    char why[TRIAL_WHY_MAX];          /* it will not do; empty: it may */
    bool cancelled;
    struct timer patience;
};

void trial_init(struct trial *trial, struct loop *loop, trial_done_fn *done);

/* 0 or a negative errno: then done is not called. */
int trial_start(struct trial *trial, const struct child_plan *plan);
bool trial_is_running(const struct trial *trial);

/* Whether `pid` was it; then it is dealt with. */
bool trial_reap(struct trial *trial, pid_t pid, int status);

/* It is killed, and done is not called. */
void trial_cancel(struct trial *trial);

#endif
