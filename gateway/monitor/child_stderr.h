#ifndef GATEWAY_MONITOR_CHILD_STDERR_H
#define GATEWAY_MONITOR_CHILD_STDERR_H

#include <stddef.h>

#include "base/loop.h"

/*
 * What a child writes to its stderr (a failed assert, a sanitizer's
 * report), line by line, so that it reaches the log escaped and no child
 * can speak to the operator's terminal.
 */
#define CHILD_STDERR_LINE_MAX 512

struct child_stderr;
/* Called for each line, also for empty ones: a callee that limits the number of
   lines thereby limits the octets. */
typedef void child_stderr_line_fn(struct child_stderr *child_stderr,
                                  const char *line);

struct child_stderr {
    struct loop *loop; /* borrowed */
    struct watch watch;
    child_stderr_line_fn *on_line;
    size_t len;
    char line[CHILD_STDERR_LINE_MAX];
};

/* Listens to `fd`, which stays the caller's. */
MUST_CHECK int child_stderr_start(struct child_stderr *child_stderr,
                                  struct loop *loop, int fd,
                                  child_stderr_line_fn *on_line);

/* After an upgrade: `line` is the unfinished line that the former binary had
   read from this child. */
void child_stderr_resume(struct child_stderr *child_stderr, const char *line);

/* Says what is left, then listens no more. */
void child_stderr_end(struct child_stderr *child_stderr);

#endif
