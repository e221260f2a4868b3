#ifndef GATEWAY_RESOLVER_QUERY_H
#define GATEWAY_RESOLVER_QUERY_H

#include <ares.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/loop.h"
#include "base/must_check.h"
#include "gateway/resolver/cache.h"
#include "gateway/resolver/nameservers.h"

/*
 * One name looked up in DNS, in one family. Each query has a c-ares channel of
 * its own, driven by our loop: it leaves from a fresh port (a forger has to
 * guess the port as well as the id), asks the servers as they are now, and can
 * be cancelled alone. c-ares reads no file but /dev/urandom: it is told all
 * that it would look up.
 */

/* How long the first server has for the first try. It doubles with each try. */
#define QUERY_TRY_MS 1000
#define QUERY_TRIES 4
/* Sockets at a time: one a server, and one for TCP. */
#define QUERY_SOCKETS 8

/* What all queries share. */
struct query_context {
    struct loop *loop;
    struct nameservers *servers; /* borrowed, read by each query */
    unsigned sockets;            /* open now, by all queries */
    unsigned sockets_max;
};

struct query;
typedef void query_fn(struct query *query);

struct query_socket {
    struct watch watch;
    struct query *query;
};

/* Must not move while it runs. */
struct query {
    struct list link; /* the owner's */
    struct key key;
    enum lookup_family family;
    struct answer answer; /* when it is over */
    query_fn *done;
    struct query_context *context; /* borrowed */
    ares_channel channel;          /* owned; NULL */
    struct query_socket sockets[QUERY_SOCKETS];
    struct timer retry;    /* when c-ares wants to try again */
    struct timer deadline; /* when the last waiter's time has passed */
    struct task finish;
    bool answered; /* c-ares has answered, or the query was cancelled */
};

/* Call once a process, before the first query. 0 or a negative errno. */
MUST_CHECK int query_prepare(void);

void query_init(struct query *query, struct query_context *context);

/*
 * Looks up query->key in query->family. `done` is called once, later, never
 * from inside this call, with `answer` filled in; then the query may be started
 * again. Any failure is LOOKUP_FAILED.
 */
void query_start(struct query *query, uint64_t timeout_ms, query_fn *done);

/* `done` will not be called, and the sockets are closed. Not from inside
   `done`. */
void query_cancel(struct query *query);

/* A waiter with a later deadline joins. */
void query_extend(struct query *query, uint64_t timeout_ms);

#endif
