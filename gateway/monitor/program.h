#ifndef GATEWAY_MONITOR_PROGRAM_H
#define GATEWAY_MONITOR_PROGRAM_H

#include <stddef.h>

#include <stdbool.h>

#include "base/must_check.h"

/*
 * The file we were started from: where an upgrade finds the next binary. The
 * path as it was given, so that a symbolic link may lead elsewhere by then.
 */

/* Its absolute path, before anything is replaced. 0 or a negative errno. */
MUST_CHECK int program_find(char *path, size_t room);

/* A descriptor of the program that runs; without /proc, of the one at `path`,
   since one that was executed by its descriptor cannot find itself. Or a
   negative errno. */
MUST_CHECK int program_open_running(const char *path);

/* A descriptor of the program there now; or -1, with what is wrong and what to
   do in `why`. */
#define PROGRAM_WHY_MAX 512
MUST_CHECK int program_open(const char *path, char why[PROGRAM_WHY_MAX]);

/*
 * Executes the open program. Some security modules (TOMOYO, which Debian's
 * kernels have) resolve /dev/fd/N, the name that the kernel gives it; where
 * /dev/fd or /proc is missing that fails, and it is executed by `path`, if the
 * same file is still there. Returns only a negative errno.
 */
int program_execute(int program, const char *path, char *const *argv,
                    char *const *environment);

/* Whether the file at `path` is the one that is open as `program`. */
bool program_is(const char *path, int program);

#endif
