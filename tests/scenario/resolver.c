#include "tests/scenario/resolver.h"

#include <stddef.h>

/* The first so many; behind them it is deaf. */
#define HEARD_MAX 64

static struct lookup_question heard[HEARD_MAX];
static size_t count, next;
static const struct lookup_question *question;

void
resolver_start(void)
{
    count = next = 0;
    question = NULL;
}

int
resolver_hear(struct lookups *lookups, const struct lookup_question *message)
{
    (void)lookups;
    if (count < HEARD_MAX)
        heard[count++] = *message;
    return 0;
}

const struct lookup_question *
resolver_next(void)
{
    if (next == count)
        return NULL;
    if (heard[next].kind == LOOKUP_ASK)
        question = &heard[next];
    return &heard[next++];
}

const struct lookup_question *
resolver_question(void)
{
    return question;
}
