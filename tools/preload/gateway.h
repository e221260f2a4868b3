#ifndef TOOLS_PRELOAD_GATEWAY_H
#define TOOLS_PRELOAD_GATEWAY_H

#include "tools/route/route_ask.h"

/* The family of a socket that can connect to the gateway. */
int gateway_family(void);

/*
 * Connects the socket, which is of that domain, to the gateway, through the
 * process that speaks TLS if there is one, and makes the handshake. The
 * socket's O_NONBLOCK flag does not matter and is not changed. Results as
 * route_ask.
 */
int gateway_dial(int fd, int domain, const struct route_dest *dest,
                 struct route_asked *asked);

#endif
