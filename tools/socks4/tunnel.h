#ifndef TOOLS_SOCKS4_TUNNEL_H
#define TOOLS_SOCKS4_TUNNEL_H

#include "tools/route/route.h"
#include "tools/stream/tls.h"
#include "tools/stream/tunnel_proto.h"

/*
 * The process that speaks TLS for a program of `socks4 run`. It relays between
 * the program's sockets, which are plain, and the gateway; the library in the
 * program asks it for each connection (tunnel_proto.h). It is no child of the
 * program, holds none of its files, and ends when no process is left that has
 * `variable` with its name in the environment, and no connection.
 */

/* Starts it for the calling process and those that it starts, and fills in its
   name. 0 or a negative errno. */
int tunnel_start(const struct route *route, const struct tls_context *tls,
                 uint64_t timeout_ms, const char *variable,
                 char name[TUNNEL_NAME_MAX]);

#endif
