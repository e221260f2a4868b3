#include "tests/scenario/resolver.h"

#include <stddef.h>

#include "tests/scenario/authenticator.h"

/* Later messages are dropped. */
#define RECEIVED_MAX 64

static struct lookup_query received[RECEIVED_MAX];
static size_t count, next;
static const struct lookup_query *query;

void
resolver_start(void)
{
    count = next = 0;
    query = NULL;
}

/* The worker's link to it (worker/peer_link.h): never full. */
void
peer_link_init(struct peer_link *link, struct loop *loop,
               enum channel_peer peer, const struct peer_link_ops *ops)
{
    *link = (struct peer_link){.loop = loop, .peer = peer, .ops = ops};
}

int
peer_link_send(struct peer_link *link, const void *message, size_t size)
{
    (void)size;
    if (link->peer == CHANNEL_PEER_AUTHENTICATOR)
        authenticator_receive(message);
    else if (count < RECEIVED_MAX)
        received[count++] = *(const struct lookup_query *)message;
    return 0;
}

const struct lookup_query *
resolver_next(void)
{
    if (next == count)
        return NULL;
    if (received[next].kind == LOOKUP_ASK)
        query = &received[next];
    return &received[next++];
}

const struct lookup_query *
resolver_query(void)
{
    return query;
}
