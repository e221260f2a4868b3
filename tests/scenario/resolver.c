#include "tests/scenario/resolver.h"

#include <stddef.h>

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

int
resolver_receive(struct lookups *lookups, const struct lookup_query *message)
{
    (void)lookups;
    if (count < RECEIVED_MAX)
        received[count++] = *message;
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
