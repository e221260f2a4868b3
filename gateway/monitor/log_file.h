#ifndef GATEWAY_MONITOR_LOG_FILE_H
#define GATEWAY_MONITOR_LOG_FILE_H

#include <errno.h>
#include <sys/types.h>

#include "gateway/monitor/user.h"

/*
 * The log file, opened by the monitor. The gateway's user may own the folder
 * that it lies in. As root the monitor would then append to whatever that user
 * has put in its place, or wait in open() for the other end of a pipe.
 *
 * So, as root: no link is followed, anywhere on the path; the file is a regular
 * one, has one name, and belongs to root or to `user`. Where root has no
 * permission, the file is opened as `user`. As an ordinary user, who could do
 * the same without us, links are followed. open() never waits.
 */

/* The descriptor, to append to, or a negative errno: see log_file_error. */
int log_file_open(const char *path, const struct user *user);

/* Whether log_file_open would, without making the file: 0, or a negative errno.
   `user` is needed as root alone. */
int log_file_try(const char *path, const struct user *user);

/* Another file with that care, whoever we are: no link is followed. */
int log_file_open_strictly(const char *path, int flags, mode_t mode,
                           const struct user *user);
#define LOG_FILE_NOT_REGULAR EMEDIUMTYPE /* what it may return besides */

/* What the errno of log_file_open means, with the remedy; static. */
const char *log_file_error(int error);

#endif
