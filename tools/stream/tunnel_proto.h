#ifndef TOOLS_STREAM_TUNNEL_PROTO_H
#define TOOLS_STREAM_TUNNEL_PROTO_H

#include <stdint.h>

#include "base/addr.h"
#include "tools/stream/tls.h"

/*
 * What the library in a program says to the process that speaks TLS for it
 * (tools/socks4/tunnel.h), over a seqpacket socket with an abstract name.
 * Both check that the other one is of the same user.
 *
 *     library                            tunnel
 *     connects                           connects to the gateway, speaks TLS
 *                  <- tunnel_answer      listens on 127.0.0.1
 *     connects the program's socket
 *     to that port
 *     tunnel_caller ->                   accepts that connection and no other
 */

#define TUNNEL_NAME_MAX 64

/* port 0: it failed with that negative errno, for the reason in `text`. */
struct tunnel_answer {
    int32_t error;
    uint16_t port;
    char text[TLS_FAULT_MAX];
};

/* Where the program's socket comes from. */
struct tunnel_caller {
    struct endpoint at;
};

#endif
