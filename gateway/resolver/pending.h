#ifndef GATEWAY_RESOLVER_PENDING_H
#define GATEWAY_RESOLVER_PENDING_H

#include "gateway/resolver/cache.h"
#include "gateway/resolver/query.h"

/*
 * The lookups that are not answered yet. Waiters that ask for the same name at
 * about the same time share a query; what the cache knows is not asked.
 * Waiters and queries are pools of fixed size [4A-B.4-4]: beyond it the answer
 * is FAILED, at once. A client may hold as many as are still free, so that one
 * that takes all it can leaves as much to the others.
 */
#define PENDING_QUERIES 1024
#define PENDING_WAITERS 8192

/* An older query is not joined: its next try is too far away. */
#define PENDING_JOIN_MS 1000

/* How much longer than its waiters a query lives: the workers keep the
   deadlines, this is for a worker that cannot send its cancel. */
#define PENDING_GRACE_MS 250

/* A worker, and what it holds. */
struct resolver_client {
    struct list waiters; /* unanswered, by `mine` */
    size_t waiter_count; /* including answers that wait to be sent */
    size_t query_count;
};

/* One query of one worker. */
struct waiter {
    struct list link; /* of its lookup, or of the link that sends its answer */
    struct list mine; /* of its client */
    struct resolver_client *client;
    struct pending_lookup *lookup;
    struct lookup_answer answer; /* its id is set from the beginning */
};

/* A DNS query with the waiters that share it. */
struct pending_lookup {
    struct query query;
    struct list waiters;
    struct pending *pending;
    struct resolver_client *charged; /* NULL: it is gone */
    uint64_t since_ms;
};

/* The waiter's answer is filled in: send it, then pending_release. */
typedef void pending_answered_fn(struct waiter *waiter);

struct pending {
    struct query_context context;
    pending_answered_fn *answered;
    struct list open; /* lookups whose query runs, oldest first */
    struct list free_lookups;
    struct list free_waiters;
    size_t free_lookup_count;
    size_t free_waiter_count;
    struct cache cache;
    struct pending_lookup lookups[PENDING_QUERIES];
    struct waiter waiters[PENDING_WAITERS];
};

/* `servers` is borrowed; NULL: the system's. */
void pending_init(struct pending *pending, struct loop *loop,
                  struct ares_addr_port_node *servers, unsigned sockets_max,
                  pending_answered_fn *answered);

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

/* The answer was sent. */
void pending_release(struct pending *pending, struct waiter *waiter);

/* The client is gone, and all that it asked. Release the answers that wait to
   be sent first. */
void pending_leave(struct pending *pending, struct resolver_client *client);

#endif
