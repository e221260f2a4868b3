#ifndef TOOLS_PRELOAD_GATEWAY_H
#define TOOLS_PRELOAD_GATEWAY_H

#include "socks4/dial.h"

/* The family of a socket that can connect to the gateway. */
int gateway_family(void);

/*
 * Connects the socket, which is of that domain, to the gateway, through the
 * process that speaks TLS if there is one, and makes the handshake. The
 * socket's O_NONBLOCK flag does not matter and is not changed. Results as
 * socks4_dial_over.
 */
int gateway_dial(int fd, int domain, const struct socks4_request *request,
                 struct socks4_dialled *dialled);

#endif
