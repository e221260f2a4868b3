#ifndef GATEWAY_MONITOR_SOCKET_DIAG_H
#define GATEWAY_MONITOR_SOCKET_DIAG_H

#include <stdbool.h>

/*
 * What only the kernel's diagnosis of sockets (sock_diag(7)) says about one.
 */

/*
 * Whether connections accepted from this listening socket will not be able to
 * send: a process has ended its listening, shut it down for sending, and made
 * it listen again. False also where the kernel does not answer (it has no
 * tcp_diag, or an address that the socket is bound to with a device).
 */
bool socket_diag_is_shut(int fd);

#endif
