#ifndef GATEWAY_RESOLVER_PENDING_H
#define GATEWAY_RESOLVER_PENDING_H

#include "gateway/resolver/cache.h"
#include "gateway/resolver/hosts.h"
#include "gateway/resolver/query.h"

/*
 * The lookups that are not answered yet. Waiters that ask for the same name at
 * about the same time share a query; what the hosts file or the cache knows is
 * not asked.
 *
 * A waiter that wants both families shares two queries, one for each, which are
 * those of waiters that want one. When one family has addresses, the other is
 * waited for only a little longer: a server that is silent about AAAA delays
 * nobody. Its query goes on, for the cache, and the waiter stays with it. Where
 * the first family has none the other is the only hope, and its server may only
 * be slow: it is waited for as a lookup of one family is. But where A does not
 * know the name itself, AAAA has the time for one lost datagram. Not the other
 * way round: servers that know no AAAA may say so of names that there are (RFC
 * 4074, 4.2).
 *
 * Waiters and queries are pools of fixed size [4A-B.4-4]. When one is full the
 * oldest of whoever holds most makes room and is answered OVERLOADED: of the
 * client that holds most, the source that holds most. A client (a worker) is
 * looked at first, because it names its sources itself: a worker that was taken
 * over can take room from its own sources alone, down to an equal part.
 */
#define PENDING_QUERIES 1024
#define PENDING_WAITERS 8192
#define PENDING_BUCKETS 1024

/* An older query is not joined: its next try is too far away. */
#define PENDING_JOIN_MS 1000

/* How much longer than its waiters a query lives: the workers keep the
   deadlines, this is for a worker that cannot send its cancel. */
#define PENDING_GRACE_MS 250

/* How long the other family is waited for: RFC 8305, 3, has 50 ms for AAAA.
   Connections by IPv6 alone may fail where A would not have, so that A has the
   time for one lost datagram. */
#define PENDING_V6_MS 50
#define PENDING_V4_MS 1500

enum pending_pool { POOL_WAITERS, POOL_QUERIES, POOL_COUNT };

/* A worker, and what it holds. */
struct resolver_client {
    struct list link;    /* of the clients that hold something */
    struct list waiters; /* that share a query, by `mine` */
    struct list shares;  /* oldest first */
    size_t held[POOL_COUNT];
};

/* What one source of one client holds: at least one waiter. */
struct share {
    struct list link;   /* of its client; of the free ones */
    struct list bucket; /* of the shares whose source has this hash */
    struct resolver_client *client;
    uint64_t source;
    struct list waiters; /* by `held`, oldest first; including answers that wait
                            to be sent */
    struct list lookups; /* charged to it, oldest first */
    size_t held[POOL_COUNT];
};

enum { FAMILY_V4, FAMILY_V6, FAMILIES };

/* A waiter's part in a query. */
struct waiter_leg {
    struct list link; /* of the lookup */
    struct waiter *waiter;
    struct pending_lookup *lookup; /* NULL: nothing of this family is to come */
};

/* One query of one worker. */
struct waiter {
    struct list link; /* of the link that sends its answer */
    struct list mine; /* of its client */
    struct list held; /* of its share */
    struct share *share;
    struct waiter_leg legs[FAMILIES];
    struct timer hurry; /* one family has come: how long for the other */
    bool unnamed;       /* A's servers know no such name */
    bool answered;      /* the answer is filled in */
    bool sent;          /* and only a query is waited for */
    struct lookup_answer *answer; /* as far as it is known; in pending's table,
                                     whose memory is touched only by use */
};

/* A DNS query with the waiters that share it. */
struct pending_lookup {
    struct query query;
    struct list waiters; /* their legs, oldest first */
    struct list charge;  /* of its share */
    struct pending *pending;
    struct share *charged; /* that of the oldest waiter; NULL: answered */
    uint64_t join_until_ms;
};

struct pending;

/* The waiter's answer is filled in: send it, then pending_sent. */
typedef void pending_answered_fn(struct waiter *waiter);

/* Looks whether the system's files have changed. False: the process is about
   to end. */
typedef bool pending_refresh_fn(struct pending *pending);

struct pending {
    struct query_context context;
    const struct hosts *hosts; /* borrowed */
    pending_refresh_fn *refresh;
    pending_answered_fn *answered;
    struct list clients; /* those that hold something */
    struct list open;    /* lookups whose query runs, oldest first */
    struct list free_lookups;
    struct list free_waiters;
    struct list free_shares;
    uint64_t secret[2]; /* a source cannot choose its bucket */
    struct list buckets[PENDING_BUCKETS];
    struct cache cache;
    struct pending_lookup lookups[PENDING_QUERIES];
    struct waiter waiters[PENDING_WAITERS];
    struct lookup_answer answers[PENDING_WAITERS]; /* the waiters' */
    struct share shares[PENDING_WAITERS];
};

/* Fill in `context`, `hosts`, `refresh` and `answered` first. */
void pending_init(struct pending *pending);

/* The DNS servers are others: what the old ones said is forgotten, and queries
   to them are not joined. */
void pending_forget(struct pending *pending);

void resolver_client_init(struct resolver_client *client);

/*
 * True: `answer` is filled in, and that is all. False: the answer comes later,
 * unless the query is cancelled. Nothing in `asked` has been checked yet.
 */
bool pending_ask(struct pending *pending, struct resolver_client *client,
                 const struct lookup_query *asked,
                 struct lookup_answer *answer);

/* Unknown ids are ignored. */
void pending_cancel(struct pending *pending, struct resolver_client *client,
                    uint64_t id);

/* The answer was sent, or never will be. */
void pending_sent(struct pending *pending, struct waiter *waiter);

/* The client is gone, and all that it asked. What waits to be sent to it counts
   as sent first. */
void pending_leave(struct pending *pending, struct resolver_client *client);

#endif
