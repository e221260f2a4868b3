#ifndef GATEWAY_MONITOR_CHILD_H
#define GATEWAY_MONITOR_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/must_check.h"

/*
 * A child: this binary executed again, never only forked, so that it has an
 * address layout of its own and nothing of the monitor's memory. It gets
 * the descriptors of channel.h and no others: /dev/null for 0 and 1, and
 * for 2 a pipe, so that what a dying C library says passes through the
 * monitor like any other line.
 */
struct child {
    pid_t pid;     /* 0: there is none */
    int control;   /* our end of CHANNEL_FD_CONTROL; owned, -1 */
    int stderr_fd; /* what it writes to its stderr; owned, -1 */
};

struct child_plan {
    int program;      /* a descriptor of the binary */
    const char *path; /* where it was, see program_execute */
    char *const *argv;
    char *const *environment;
    const int *fds; /* borrowed; from CHANNEL_FD_LOG on, in order */
    size_t fd_count;
};

/* At most this many fds in a plan. */
#define CHILD_FDS_MAX 80

void child_init(struct child *child);

/* 0 or a negative errno. If the binary cannot be executed, the child sends
   CHANNEL_UNCONFINED and ends with status 127. */
MUST_CHECK int child_start(struct child *child, const struct child_plan *plan);

/* After it was reaped: closes what is left. */
void child_close(struct child *child);

void child_kill(const struct child *child);

#endif
