#ifndef GATEWAY_MONITOR_UPGRADE_PROBE_H
#define GATEWAY_MONITOR_UPGRADE_PROBE_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/monitor/service.h"

/*
 * A binary that is checked: a child that is to become a worker of that binary,
 * as far as one can without serving (gateway/upgrade_check/main.h), and to end
 * in order.
 *
 *   start ─► version ─► READY ─► we: DRAIN ─► exit 0: it would do
 *     └──────────┴──────────┴─────────┴──► anything else, or UPGRADE_PROBE_MS:
 *                                          why not
 *
 * All its messages have been read and it is dead before `done` is called,
 * whatever comes of it.
 */
/* So that the log says so within five seconds of the signal. */
#define UPGRADE_PROBE_MS 4900
#define UPGRADE_PROBE_WHY_MAX 1024

struct upgrade_probe;
typedef void upgrade_probe_done_fn(struct upgrade_probe *probe,
                                   const char *why); /* or NULL */

struct upgrade_probe {
    struct service service;
    upgrade_probe_done_fn *done; /* borrowed */
    enum {
        UPGRADE_PROBE_BEGUN,
        UPGRADE_PROBE_SPEAKS,
        UPGRADE_PROBE_READY
    } stage;
    char stderr_line[CHILD_STDERR_LINE_MAX]; /* the last one */
    char why[UPGRADE_PROBE_WHY_MAX];         /* it will not do; empty: it may */
    bool cancelled;
    struct timer deadline;
};

void upgrade_probe_init(struct upgrade_probe *probe, struct services *services,
                        upgrade_probe_done_fn *done);

/* `program` is a descriptor of the binary, `args` how the monitor was called,
   `fds` what upgrade_check/main.h says. 0 or a negative errno: then done is
   not called. */
MUST_CHECK int upgrade_probe_start(struct upgrade_probe *probe, int program,
                                   char *const *args, size_t arg_count,
                                   const int *fds, size_t fd_count);
bool upgrade_probe_is_running(const struct upgrade_probe *probe);

/* It is killed, and done is not called. */
void upgrade_probe_cancel(struct upgrade_probe *probe);

#endif
