#ifndef GATEWAY_LOOKUP_PROTO_H
#define GATEWAY_LOOKUP_PROTO_H

#include <stdint.h>

#include "base/addr.h"

/*
 * The messages between a worker and the resolver: one fixed struct a query and
 * one an answer, on a seqpacket pair (a link) of their own. Neither side trusts
 * what the other one sends.
 */

/* The longest DOMAIN, without its NUL; the most addresses in an answer. */
#define LOOKUP_NAME_MAX 255
#define LOOKUP_ADDRESSES_MAX 64
/* Workers, each with a link of its own; the most servers to ask. */
#define LOOKUP_LINKS_MAX 256
#define LOOKUP_SERVERS_MAX 8

enum lookup_outcome {
    LOOKUP_FOUND,
    LOOKUP_NO_SUCH_NAME, /* there is no such name, or it has no address */
    LOOKUP_FAILED,       /* no server could tell: server failure, silence, a
                            name that cannot be asked for */
    LOOKUP_OVERLOADED,   /* the resolver is full, and this source holds most */
};

enum lookup_kind {
    LOOKUP_ASK = 1,
    LOOKUP_CANCEL, /* the session of query `id` waits no more */
};

/* Which addresses are wanted. */
enum lookup_family { LOOKUP_V4 = 1, LOOKUP_V6 = 2, LOOKUP_BOTH = 3 };

struct lookup_query {
    uint16_t kind;
    uint16_t families;   /* enum lookup_family */
    uint32_t timeout_ms; /* how long the session waits */
    uint64_t id;         /* the worker's own */
    uint64_t source;     /* opaque: clients of one source have the same */
    uint8_t len;         /* 1 to 255; the octets after them are zero */
    char name[LOOKUP_NAME_MAX]; /* opaque octets [4A-A.2.3-1, 4A-B.6-2] */
};

/* Of both families, their addresses take turns, IPv6 first. */
struct lookup_answer {
    uint64_t id;
    uint32_t outcome;
    uint32_t count; /* LOOKUP_FOUND: 1 to 64 */
    struct addr addresses[LOOKUP_ADDRESSES_MAX];
};

#endif
