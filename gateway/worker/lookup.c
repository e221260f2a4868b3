#include "gateway/worker/lookup.h"

#include <assert.h>
#include <string.h>

static struct lookup *
lookup_of(struct inquiry *inquiry)
{
    return container_of(inquiry, struct lookup, inquiry);
}

static int
lookup_send(struct inquiries *inquiries, struct inquiry *inquiry)
{
    const struct lookup *lookup = lookup_of(inquiry);
    struct lookup_query query = {.kind = LOOKUP_ASK,
                                 .families = lookup->families,
                                 .timeout_ms = lookup->timeout_ms,
                                 .id = inquiry->id,
                                 .source = lookup->source,
                                 .len = (uint8_t)lookup->name_len};

    memcpy(query.name, lookup->name, lookup->name_len);
    return peer_link_send(&inquiries->link, &query, sizeof(query));
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
    inquiry_start(&lookups->asked, &lookup->inquiry);
}

void
lookup_cancel(struct lookups *lookups, struct lookup *lookup)
{
    struct lookup_query query = {.kind = LOOKUP_CANCEL,
                                 .id = lookup->inquiry.id};

    if (inquiry_stop(&lookup->inquiry)) {
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
lookup_receive(struct inquiry *inquiry, const void *message)
{
    struct lookup *lookup = lookup_of(inquiry);
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
    static const struct inquiries_ops ops = {
        .link = INQUIRIES_LINK(sizeof(struct lookup_answer)),
        .send = lookup_send,
        .receive = lookup_receive,
    };

    inquiries_init(&lookups->asked, loop, CHANNEL_PEER_RESOLVER, &ops);
}
