#include "tests/scenario/monitor.h"

#include <stddef.h>

/* The first so many; behind them it is deaf. */
#define HEARD_MAX 64

static struct channel_message heard[HEARD_MAX];
static size_t count, next;
static const struct channel_message *question;

void
monitor_start(void)
{
    count = next = 0;
    question = NULL;
}

int
monitor_hear(struct live_link *link, const struct channel_message *message)
{
    (void)link;
    if (count < HEARD_MAX)
        heard[count++] = *message;
    return 0;
}

const struct channel_message *
monitor_next(void)
{
    if (next == count)
        return NULL;
    if (heard[next].kind == CHANNEL_ASK_CONNECT)
        question = &heard[next];
    return &heard[next++];
}

const struct channel_message *
monitor_question(void)
{
    return question;
}
