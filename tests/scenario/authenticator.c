#include "tests/scenario/authenticator.h"

#include <stddef.h>

/* Later messages are dropped. */
#define RECEIVED_MAX 64

static struct authentication_question received[RECEIVED_MAX];
static size_t count, next;
static const struct authentication_question *question;

void
authenticator_start(void)
{
    count = next = 0;
    question = NULL;
}

void
authenticator_receive(const struct authentication_question *message)
{
    if (count < RECEIVED_MAX)
        received[count++] = *message;
}

const struct authentication_question *
authenticator_next(void)
{
    if (next == count)
        return NULL;
    if (received[next].kind == AUTHENTICATION_ASK)
        question = &received[next];
    return &received[next++];
}

const struct authentication_question *
authenticator_question(void)
{
    return question;
}
