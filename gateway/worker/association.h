#ifndef GATEWAY_WORKER_ASSOCIATION_H
#define GATEWAY_WORKER_ASSOCIATION_H

#include <sys/types.h>

#include "base/loop.h"
#include "base/sys.h"
#include "gateway/series.h"
#include "gateway/worker/lookup.h"

/*
 * A UDP association of SOCKS5 (RFC 1928, section 7): the datagrams of one
 * client, each with a header that says where it goes, and what comes back.
 *
 *                header, data             data
 *     client ◄─────────────► inner  outer[0] ◄─────► IPv4
 *                                   outer[1] ◄─────► IPv6
 *
 * Each datagram is decided by its own destination, and the decision kept for
 * the destinations that were sent to last. Only from there anything comes back.
 * Nothing waits but for the resolver: what the kernel does not take is dropped
 * and counted, as a network would.
 */

struct association;

/* What the text in a header is. */
enum association_text {
    ASSOCIATION_ADDRESS,
    ASSOCIATION_NAME,
    ASSOCIATION_BAD
};

/* The owner's part: it knows the rules. */
struct association_ops {
    /* DATAGRAM_PASSED: a datagram may go there; else why not. */
    enum datagram (*decide)(struct association *association,
                            const struct endpoint *to);
    /* The same of the addresses of a name, of which the first that may be
       reached goes into *addr. */
    enum datagram (*decide_name)(struct association *association,
                                 const char *name, size_t len, uint16_t port,
                                 const struct addr *addresses, size_t count,
                                 struct addr *addr);
    /* *addr, where it is one. BAD: also a name that no rule could grant, and
     *why says which. */
    enum association_text (*read)(struct association *association,
                                  const char *text, size_t len, uint16_t port,
                                  struct addr *addr, enum datagram *why);
    /* Whether one more destination, or name, is within the client's rate. */
    bool (*on_time)(struct association *association);
    /* So many octets of data were passed on. */
    void (*moved)(struct association *association, bool up, size_t octets);
};

/* What all associations of a worker share. */
struct association_pool {
    struct loop *loop;           /* borrowed, as these two */
    struct lookups *lookups;     /* */
    _Atomic uint64_t *datagrams; /* by enum datagram */
    uint64_t version; /* of the rules: decisions of another are void */
    uint64_t resolve_ms;
    uint32_t in_max; /* of a socket, unread; 0: as the system has it */
    size_t count;    /* associations */
    uint8_t *octets; /* owned, while there are any: room for datagrams */
};

/* Destinations that are remembered, and may answer; names that are, and how
   much waits for the resolver. */
#define ASSOCIATION_PEERS 64
#define ASSOCIATION_NAMES 8
#define ASSOCIATION_WAITING 4         /* datagrams, for each name */
#define ASSOCIATION_WAITING_MAX 16384 /* octets, for all names */

enum association_decision { PEER_UNDECIDED, PEER_ALLOWED, PEER_DENIED };

struct association_peer {
    struct endpoint at;
    uint64_t used;     /* when, in datagrams; 0: free */
    uint64_t until_ms; /* the decision is good until then */
    uint64_t paid_ms;  /* the client's rate has been asked for it until then */
    uint8_t decision;  /* of the address by itself: enum association_decision */
    bool sent;         /* it may answer */
    bool answered;     /* since the rate was asked */
};

struct association_name;

struct association {
    const struct association_ops *ops;
    void *owner;
    struct association_pool *pool;
    struct watch inner, outer[2];
    struct endpoint client; /* port 0: it has sent nothing yet */
    struct addr source;     /* of outer[0]; 0.0.0.0: the kernel chooses */
    uint64_t source_hash;   /* for the resolver */
    uint64_t version;       /* of what is remembered */
    uint64_t clock;         /* of `used' */
    bool open;
    size_t waiting;                 /* octets that wait for the resolver */
    struct association_name *names; /* owned; NULL: it has sent to none */
    struct association_peer peers[ASSOCIATION_PEERS];
};

/* What one is reckoned at beside its session: itself, names and what waits for
   them. */
#define ASSOCIATION_OCTETS (24 << 10)

/* Open, without sockets. NULL: no memory. */
struct association *association_new(struct association_pool *pool,
                                    const struct association_ops *ops,
                                    void *owner, struct addr client,
                                    struct addr source, uint64_t source_hash);

/* The socket towards the client, at the address in `at' and a free port of the
   range, in the order of `seed' (sys_datagrams_within). 0 or a negative errno:
   the caller closes it. */
MUST_CHECK int association_bind(struct association *association,
                                struct endpoint *at, uint16_t first,
                                uint16_t last, uint64_t seed);

/* Closes the sockets and forgets what waits. False: it was closed. */
bool association_close(struct association *association);
/* When the turn is over; NULL too. */
void association_free(struct association *association);

#endif
