#include "tests/scenario/step.h"

#include <string.h>

#include "gateway/worker/live_link.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/monitor.h"

static const struct {
    const char *name;
    enum channel_kind kind;
} kinds[] = {
    {"connect", CHANNEL_REGISTER},
    {"end", CHANNEL_UNREGISTER},
    {"question", CHANNEL_ASK_CONNECT},
};

static bool
is_kind(const char *name, uint32_t kind)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].kind == kind)
            return strcmp(kinds[i].name, name) == 0;
    return false;
}

static bool
hears(struct play *play, char *const args[])
{
    const struct channel_message *message = monitor_next();
    struct addr client, dstip;

    if (addr_parse(args[1], &client) < 0 || addr_parse(args[2], &dstip) < 0)
        return play_fail(play, "a client's address, and a server's");
    if (message == NULL)
        return play_fail(play, "it heard nothing");
    return (is_kind(args[0], message->kind) &&
            addr_equal(message->client, client) &&
            addr_equal(message->to, dstip)) ||
           play_fail(play, "it heard something else");
}

static bool
hears_nothing(struct play *play, char *const args[])
{
    (void)args;
    return monitor_next() == NULL || play_fail(play, "it heard something");
}

static bool
answers(struct play *play, char *const args[])
{
    const struct channel_message *question = monitor_question();
    struct channel_message answer;

    if (question == NULL)
        return play_fail(play, "it was not asked");
    answer = *question;
    answer.kind = CHANNEL_ANSWER;
    answer.arg = strcmp(args[0], "yes") == 0;
    heap_watch(true);
    live_link_receive(&play->worker.sessions.live_link, &answer);
    heap_watch(false);
    return true;
}

const struct step monitor_steps[] = {
    {"monitor hears nothing", hears_nothing},
    {"monitor hears %w from %w to %w", hears},
    {"monitor answers %w", answers},
    {NULL, NULL},
};
