#ifndef GATEWAY_MONITOR_SYSLOG_H
#define GATEWAY_MONITOR_SYSLOG_H

#include <stddef.h>

#include "base/must_check.h"

/*
 * Lines to the system's log: one datagram each, in the form that syslogd
 * and journald read at /dev/log, facility daemon.
 */

/* A connected, non-blocking socket, or a negative errno. */
MUST_CHECK int syslog_connect(void);

/* One line, its newline not included. 0, -EAGAIN, or why not. */
MUST_CHECK int syslog_send(int fd, const char *line, size_t len);

#endif
