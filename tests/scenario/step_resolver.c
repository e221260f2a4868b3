#include "tests/scenario/step.h"

#include <string.h>

#include "gateway/worker/lookup.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/resolver.h"

static bool
resolver_hears_of(struct play *play, const char *name,
                  enum lookup_family families)
{
    const struct lookup_query *query = resolver_next();

    if (query == NULL)
        return play_fail(play, "it heard nothing");
    if (query->kind != LOOKUP_ASK)
        return play_fail(play, "it heard no query");
    return (query->families == families && strlen(name) == query->len &&
            memcmp(name, query->name, query->len) == 0) ||
           play_fail(play, "it heard '%.*s'%s", (int)query->len, query->name,
                     query->families == LOOKUP_BOTH ? " of both families" : "");
}

static bool
resolver_hears(struct play *play, char *const args[])
{
    return resolver_hears_of(play, args[0], LOOKUP_V4);
}

static bool
resolver_hears_both(struct play *play, char *const args[])
{
    return resolver_hears_of(play, args[0], LOOKUP_BOTH);
}

static bool
resolver_hears_cancel(struct play *play, char *const args[])
{
    const struct lookup_query *message = resolver_next();

    (void)args;
    return (message != NULL && message->kind == LOOKUP_CANCEL) ||
           play_fail(play, "it heard %s",
                     message == NULL ? "nothing" : "a query");
}

static bool
resolver_hears_nothing(struct play *play, char *const args[])
{
    (void)args;
    return resolver_next() == NULL || play_fail(play, "it heard something");
}

static bool
resolver_tell(struct play *play, struct lookup_answer *answer)
{
    const struct lookup_query *query = resolver_query();

    if (query == NULL)
        return play_fail(play, "it was not asked");
    answer->id = query->id;
    heap_watch(true);
    struct peer_link *link = &play->worker.sessions.lookups.asked.link;
    link->ops->receive(link, answer);
    heap_watch(false);
    return true;
}

static bool
resolver_answers(struct play *play, char *const args[])
{
    struct lookup_answer answer = {.outcome = LOOKUP_FOUND};
    char *at = args[0];

    for (char *word; (word = strsep(&at, " ")) != NULL;) {
        struct addr addr;
        if (addr_parse(word, &addr) < 0 || answer.count == LOOKUP_ADDRESSES_MAX)
            return play_fail(play, "'%s' is no address", word);
        answer.addresses[answer.count++] = addr;
    }
    return resolver_tell(play, &answer);
}

static bool
resolver_knows_no_name(struct play *play, char *const args[])
{
    struct lookup_answer answer = {.outcome = LOOKUP_NO_SUCH_NAME};

    (void)args;
    return resolver_tell(play, &answer);
}

static bool
resolver_fails(struct play *play, char *const args[])
{
    struct lookup_answer answer = {.outcome = LOOKUP_FAILED};

    (void)args;
    return resolver_tell(play, &answer);
}

static bool
resolver_is_overloaded(struct play *play, char *const args[])
{
    struct lookup_answer answer = {.outcome = LOOKUP_OVERLOADED};

    (void)args;
    return resolver_tell(play, &answer);
}

static bool
resolver_is_replaced(struct play *play, char *const args[])
{
    (void)args;
    heap_watch(true);
    struct peer_link *link = &play->worker.sessions.lookups.asked.link;
    link->ops->resend(link);
    heap_watch(false);
    return true;
}

const struct step resolver_steps[] = {
    {"resolver hears nothing", resolver_hears_nothing},
    {"resolver hears cancel", resolver_hears_cancel},
    {"resolver hears %w of both families", resolver_hears_both},
    {"resolver hears %w", resolver_hears},
    {"resolver answers %r", resolver_answers},
    {"resolver knows no such name", resolver_knows_no_name},
    {"resolver fails", resolver_fails},
    {"resolver is overloaded", resolver_is_overloaded},
    {"resolver is replaced", resolver_is_replaced},
    {NULL, NULL},
};
