#include "tests/scenario/step.h"

#include <string.h>

#include "gateway/worker/lookup.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/resolver.h"

static bool
hears(struct play *play, char *const args[])
{
    const struct lookup_question *question = resolver_next();

    if (question == NULL)
        return play_fail(play, "it heard nothing");
    if (question->kind != LOOKUP_ASK)
        return play_fail(play, "it heard no question");
    return (strlen(args[0]) == question->len &&
            memcmp(args[0], question->name, question->len) == 0) ||
           play_fail(play, "it heard '%.*s'", (int)question->len,
                     question->name);
}

static bool
hears_cancel(struct play *play, char *const args[])
{
    const struct lookup_question *message = resolver_next();

    (void)args;
    return (message != NULL && message->kind == LOOKUP_CANCEL) ||
           play_fail(play, "it heard %s",
                     message == NULL ? "nothing" : "a question");
}

static bool
hears_nothing(struct play *play, char *const args[])
{
    (void)args;
    return resolver_next() == NULL || play_fail(play, "it heard something");
}

static bool
tell(struct play *play, struct lookup_answer *answer)
{
    const struct lookup_question *question = resolver_question();

    if (question == NULL)
        return play_fail(play, "it was not asked");
    answer->id = question->id;
    heap_watch(true);
    lookups_hear(&play->worker.sessions.lookups, answer);
    heap_watch(false);
    return true;
}

static bool
answers(struct play *play, char *const args[])
{
    struct lookup_answer answer = {.outcome = LOOKUP_FOUND};
    char *at = args[0];

    for (char *word; (word = strsep(&at, " ")) != NULL;) {
        struct addr addr;
        if (addr_parse(word, &addr) < 0 || !addr_is_v4(addr) ||
            answer.count == LOOKUP_ADDRESSES_MAX)
            return play_fail(play, "'%s' is no address", word);
        answer.addresses[answer.count++] = addr_to_v4(addr);
    }
    return tell(play, &answer);
}

static bool
knows_no_name(struct play *play, char *const args[])
{
    struct lookup_answer answer = {.outcome = LOOKUP_NO_SUCH_NAME};

    (void)args;
    return tell(play, &answer);
}

static bool
fails(struct play *play, char *const args[])
{
    struct lookup_answer answer = {.outcome = LOOKUP_FAILED};

    (void)args;
    return tell(play, &answer);
}

static bool
is_replaced(struct play *play, char *const args[])
{
    (void)args;
    heap_watch(true);
    lookups_resend(&play->worker.sessions.lookups);
    heap_watch(false);
    return true;
}

const struct step resolver_steps[] = {
    {"resolver hears nothing", hears_nothing},
    {"resolver hears cancel", hears_cancel},
    {"resolver hears %w", hears},
    {"resolver answers %r", answers},
    {"resolver knows no such name", knows_no_name},
    {"resolver fails", fails},
    {"resolver is replaced", is_replaced},
    {NULL, NULL},
};
