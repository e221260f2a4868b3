#ifndef TOOLS_SOCKS4_LINK_H
#define TOOLS_SOCKS4_LINK_H

#include "tools/route/route.h"
#include "tools/stream/tls.h"

/*
 * Connects to the first gateway of the route, and speaks TLS with it unless
 * `tls` is NULL; nothing of SOCKS is said yet. dial->gateway becomes the
 * address that answered. 0; or a negative errno of stream.h, whose sentence is
 * in `fault`, and the stream is closed.
 */
int link_open(struct stream *stream, const struct route *route,
              struct socks4_dial *dial, const struct tls_context *tls,
              struct tls_fault *fault);

#endif
