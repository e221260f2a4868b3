#ifndef GATEWAY_RESOLVER_LINK_H
#define GATEWAY_RESOLVER_LINK_H

#include "gateway/resolver/pending.h"

/*
 * A worker's link: queries come in, answers go out. No query is read while an
 * answer waits for room. Nothing that a worker sends is trusted.
 */
struct link {
    struct pending *pending; /* borrowed */
    struct watch watch;      /* owns its descriptor; -1: the link is closed */
    struct resolver_client client;
    struct list outbox;          /* answered askers, in order */
    struct lookup_answer answer; /* to a query just read, */
    bool waits;                  /* and there was no room for it */
    bool full;                   /* it is watched for room */
    struct task again;
};

/* Queries read from one link in one turn. */
#define LINK_TURN 64

void link_init(struct link *link, struct pending *pending);

/* Serves on fd, which is taken. */
void link_open(struct link *link, int fd);

/* Drops all that it asked. Idempotent. */
void link_close(struct link *link);

/* For pending_init. */
void link_answered(struct waiter *waiter);

#endif
