#ifndef GATEWAY_MONITOR_LOG_SOCKET_H
#define GATEWAY_MONITOR_LOG_SOCKET_H

#include "base/must_check.h"

/* Connects to the one who reads logs at `path`, /dev/log or the journal's
   socket: a non-blocking socket of datagrams, or a negative errno. */
MUST_CHECK int log_socket_connect(const char *path);

#endif
