#ifndef GATEWAY_MONITOR_UPGRADE_PROBE_H
#define GATEWAY_MONITOR_UPGRADE_PROBE_H

#include <stdbool.h>

#include "base/loop.h"
#include "base/must_check.h"
#include "gateway/channel.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"

/*
 * A binary that is checked: a child that is to become a worker of that binary,
 * as far as one can without serving (gateway/upgrade_check/main.h), and to end
 * in order.
 *
 *   start ─► version ─► READY ─► we: DRAIN ─► exit 0: it would do
 *     └────────┴────────┴───────────┴─► anything else, or UPGRADE_PROBE_MS: why
 * not
 *
 * It is heard out and dead before `done` is called, whatever comes of it.
 */
#define UPGRADE_PROBE_MS                                                       \
    4900 /* and told of within five seconds of the signal */
#define UPGRADE_PROBE_WHY_MAX 1024

struct upgrade_probe;
typedef void upgrade_probe_done_fn(struct upgrade_probe *probe,
                                   const char *why); /* or NULL */

struct upgrade_probe {
    struct loop *loop;           /* borrowed */
    upgrade_probe_done_fn *done; /* borrowed */
    enum {
        UPGRADE_PROBE_BEGUN,
        UPGRADE_PROBE_SPEAKS,
        UPGRADE_PROBE_READY
    } stage;
    struct child child;
    struct watch control_watch;
    struct child_stderr child_stderr;
    char said[CHILD_STDERR_LINE_MAX]; /* its last line on stderr */
    char why[UPGRADE_PROBE_WHY_MAX];  /* it will not do; empty: it may */
    bool cancelled;
    struct timer patience;
};

void upgrade_probe_init(struct upgrade_probe *probe, struct loop *loop,
                        upgrade_probe_done_fn *done);

/* 0 or a negative errno: then done is not called. */
MUST_CHECK int upgrade_probe_start(struct upgrade_probe *probe,
                                   const struct child_plan *plan);
bool upgrade_probe_is_running(const struct upgrade_probe *probe);

/* Whether `pid` was it; then it is dealt with. */
bool upgrade_probe_reap(struct upgrade_probe *probe, pid_t pid, int status);

/* It is killed, and done is not called. */
void upgrade_probe_cancel(struct upgrade_probe *probe);

#endif
