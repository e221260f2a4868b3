#include "gateway/worker/lookup.h"

#include <assert.h>
#include <string.h>

static struct lookup *
lookup_of(struct peer_question *asked)
{
    return container_of(asked, struct lookup, asked);
}

static int
lookup_send(struct peer_questions *questions, struct peer_question *asked)
{
    const struct lookup *lookup = lookup_of(asked);
    struct lookup_query query = {.kind = LOOKUP_ASK,
                                 .families = lookup->families,
                                 .timeout_ms = lookup->timeout_ms,
                                 .id = asked->id,
                                 .source = lookup->source,
                                 .len = (uint8_t)lookup->name_len};

    memcpy(query.name, lookup->name, lookup->name_len);
    return peer_link_send(&questions->link, &query, sizeof(query));
}

void
lookup_init(struct lookup *lookup)
{
    *lookup = (struct lookup){.answered = NULL};
    list_init(&lookup->asked.link);
}

void
lookup_start(struct lookups *lookups, struct lookup *lookup, uint64_t source,
             const char *name, size_t len, enum lookup_family families,
             uint64_t timeout_ms, lookup_fn *answered)
{
    assert(len >= 1 && len <= LOOKUP_NAME_MAX);
    *lookup = (struct lookup){.source = source,
                              .name = name,
                              .name_len = len,
                              .families = (uint8_t)families,
                              .answered = answered};
    lookup->timeout_ms =
        timeout_ms < UINT32_MAX ? (uint32_t)timeout_ms : UINT32_MAX;
    peer_question_start(&lookups->asked, &lookup->asked);
}

void
lookup_cancel(struct lookups *lookups, struct lookup *lookup)
{
    struct lookup_query query = {.kind = LOOKUP_CANCEL, .id = lookup->asked.id};

    if (peer_question_stop(&lookup->asked)) {
        int error = peer_link_send(&lookups->asked.link, &query, sizeof(query));
        (void)error; /* the resolver gives up by itself */
    }
}

/* An answer that cannot be counts as a failure. */
static enum lookup_outcome
lookup_check(const struct lookup *lookup, const struct lookup_answer *answer)
{
    if (answer->outcome == LOOKUP_NO_SUCH_NAME ||
        answer->outcome == LOOKUP_OVERLOADED)
        return answer->outcome;
    if (answer->outcome != LOOKUP_FOUND || answer->count < 1 ||
        answer->count > LOOKUP_ADDRESSES_MAX)
        return LOOKUP_FAILED;
    for (size_t i = 0; i < answer->count; i++)
        if (lookup->families == LOOKUP_V4 && !addr_is_v4(answer->addresses[i]))
            return LOOKUP_FAILED;
    return LOOKUP_FOUND;
}

static void
lookup_receive(struct peer_question *asked, const void *message)
{
    struct lookup *lookup = lookup_of(asked);
    const struct lookup_answer *answer = message;
    enum lookup_outcome outcome = lookup_check(lookup, answer);

    lookup->answered(lookup, outcome, answer->addresses,
                     outcome == LOOKUP_FOUND ? answer->count : 0);
}

_Static_assert(sizeof(struct lookup_answer) <= PEER_LINK_ANSWER_MAX, "it fits");
_Static_assert(offsetof(struct lookup_answer, id) == 0, "it begins with it");

void
lookups_init(struct lookups *lookups, struct loop *loop)
{
    static const struct peer_questions_ops ops = {
        .answer_size = sizeof(struct lookup_answer),
        .send = lookup_send,
        .receive = lookup_receive,
    };

    peer_questions_init(&lookups->asked, loop, CHANNEL_PEER_RESOLVER, &ops);
}
