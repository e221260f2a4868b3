#ifndef GATEWAY_WORKER_PROXY_HEADER_H
#define GATEWAY_WORKER_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/span.h"

/*
 * The PROXY protocol, versions 1 and 2: octets in, values out, and back. A
 * balancer sends the header in front of everything else and says in it from
 * where its client has connected:
 *
 *     PROXY TCP4 192.0.2.7 198.51.100.1 40123 1080\r\n
 *
 *     0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a   signature
 *     21 11  00 0c                          2 PROXY, TCP over IPv4, 12 follow
 *     c0 00 02 07  c6 33 64 01  9c bb  04 38
 *     TLVs: type, two octets of length, value
 *
 * Nothing here reads a socket or takes memory. What a header says is the
 * balancer's word, and only for those that may give it.
 */

/* Of version 1, its end included. */
#define PROXY_HEADER_LINE_MAX 107
/* Of any: longer ones are malformed. */
#define PROXY_HEADER_MAX 4096
/* Of the name in a certificate. */
#define PROXY_HEADER_NAME_MAX 1024
/* Of those that proxy_header_encode writes. */
#define PROXY_HEADER_SENT_MAX PROXY_HEADER_LINE_MAX

struct proxy_header {
    bool local;    /* the balancer's own connection: a health check */
    bool given;    /* the addresses are there. Otherwise those of the connection
                      count: LOCAL, UNKNOWN, UNSPEC, UNIX */
    bool verified; /* the client had a certificate, which was verified */
    struct span name; /* and its common name, in the octets; 0: none */
    struct endpoint source;
    struct endpoint dest;
};

/* symbol, what the record says */
#define PROXY_HEADER_ERRORS(X)                                                 \
    X(MISSING, "no PROXY header")                                              \
    X(LINE, "the line is longer than 107 octets")                              \
    X(TEXT, "the line is not one of version 1")                                \
    X(VERSION, "neither version 1 nor version 2")                              \
    X(COMMAND, "a command other than LOCAL and PROXY")                         \
    X(FAMILY, "an unknown address family, or no stream")                       \
    X(SHORT, "the header is shorter than its addresses")                       \
    X(LONG, "the header is longer than 4096 octets")                           \
    X(TLV, "a TLV does not fit, or is there twice")                            \
    X(NAME, "a name in a certificate is too long, or has control octets")      \
    X(CHECKSUM, "the checksum is wrong")

enum proxy_header_error {
    PROXY_HEADER_FINE,
#define X(symbol, text) PROXY_HEADER_##symbol,
    PROXY_HEADER_ERRORS(X)
#undef X
};

/* Static; NULL for FINE. */
const char *proxy_header_error_text(enum proxy_header_error error);

/*
 * Decodes the header at the beginning of `len` octets. The number of its
 * octets; 0 while more of it has to come; or a negative enum
 * proxy_header_error. The answer to a prefix is 0 or the final one.
 */
ssize_t proxy_header_decode(const uint8_t *octets, size_t len,
                            struct proxy_header *header);

/*
 * Writes the header of `version`, 1 or 2, for a connection of a client at
 * `source` to `dest`, and returns its size. Where only one of the two is IPv4,
 * it is written as an IPv4-mapped IPv6 address.
 */
size_t proxy_header_encode(unsigned version, const struct endpoint *source,
                           const struct endpoint *dest,
                           uint8_t octets[PROXY_HEADER_SENT_MAX]);

#endif
