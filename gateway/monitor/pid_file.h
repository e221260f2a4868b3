#ifndef GATEWAY_MONITOR_PID_FILE_H
#define GATEWAY_MONITOR_PID_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/must_check.h"
#include "gateway/monitor/user.h"

/*
 * The monitor's process id in a file, for what starts and stops the gateway by
 * one. It is written when the gateway is ready and removed at its end.
 *
 * No link is followed on its path, whoever we run as. What lies there must be
 * a regular file with one name, of root or of the gateway's user, which is
 * empty or holds a process id: a wrong path destroys nothing. Where root has no
 * permission, the file is written and removed as `user`.
 */
struct pid_file {
    const char *path; /* borrowed; NULL: none is wanted */
    bool written;
    dev_t device; /* of the one that was written */
    ino_t inode;
};

/* Writes it, if one is wanted. 0 or a negative errno: see pid_file_error. */
MUST_CHECK int pid_file_write(struct pid_file *file, const struct user *user);

/* Removes it, if it is still the one that was written. */
void pid_file_remove(const struct pid_file *file, const struct user *user);

/* What the errno of pid_file_write means, with the remedy; static. */
const char *pid_file_error(int error);

#endif
