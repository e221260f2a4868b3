#include "gateway/worker/lookup.h"

#include <assert.h>
#include <string.h>

static struct list *
lookups_bucket(struct lookups *lookups, uint64_t id)
{
    return &lookups->sent[id % LOOKUP_BUCKETS];
}

static int
lookup_send(struct lookups *lookups, const struct lookup *lookup)
{
    struct lookup_query query = {.kind = LOOKUP_ASK,
                                 .families = lookup->families,
                                 .timeout_ms = lookup->timeout_ms,
                                 .id = lookup->id,
                                 .source = lookup->source,
                                 .len = (uint8_t)lookup->name_len};

    memcpy(query.name, lookup->name, lookup->name_len);
    return peer_link_send(&lookups->link, &query, sizeof(query));
}

static void
lookups_flush(struct peer_link *link)
{
    struct lookups *lookups = container_of(link, struct lookups, link);

    list_each_safe (at, after, &lookups->unsent) {
        struct lookup *lookup = container_of(at, struct lookup, link);
        if (lookup_send(lookups, lookup) < 0)
            return;
        lookup->sent = true;
        list_remove(at);
        list_append(lookups_bucket(lookups, lookup->id), at);
    }
}

void
lookup_start(struct lookups *lookups, struct lookup *lookup, uint64_t source,
             const char *name, size_t len, enum lookup_family families,
             uint64_t timeout_ms, lookup_fn *answered)
{
    assert(len >= 1 && len <= LOOKUP_NAME_MAX);
    *lookup = (struct lookup){.id = ++lookups->last_id,
                              .source = source,
                              .name = name,
                              .name_len = len,
                              .families = (uint8_t)families,
                              .answered = answered};
    lookup->timeout_ms =
        timeout_ms < UINT32_MAX ? (uint32_t)timeout_ms : UINT32_MAX;
    bool first = list_empty(&lookups->unsent);
    list_append(&lookups->unsent, &lookup->link);
    if (first) /* else the link is full, and lookups_flush will come */
        lookups_flush(&lookups->link);
}

void
lookup_cancel(struct lookups *lookups, struct lookup *lookup)
{
    struct lookup_query query = {.kind = LOOKUP_CANCEL, .id = lookup->id};

    list_remove(&lookup->link);
    if (lookup->sent) {
        int error = peer_link_send(&lookups->link, &query, sizeof(query));
        (void)error; /* the resolver gives up by itself */
    }
    lookup->sent = false;
}

static struct lookup *
lookup_find(struct lookups *lookups, uint64_t id)
{
    list_each_safe (at, after, lookups_bucket(lookups, id)) {
        struct lookup *lookup = container_of(at, struct lookup, link);
        if (lookup->id == id)
            return lookup;
    }
    return NULL;
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

/* An answer without a lookup is ignored. */
static void
lookups_receive(struct peer_link *link, const void *message)
{
    struct lookups *lookups = container_of(link, struct lookups, link);
    const struct lookup_answer *answer = message;
    struct lookup *lookup = lookup_find(lookups, answer->id);

    if (lookup == NULL)
        return;
    enum lookup_outcome outcome = lookup_check(lookup, answer);
    list_remove(&lookup->link);
    lookup->sent = false;
    lookup->answered(lookup, outcome, answer->addresses,
                     outcome == LOOKUP_FOUND ? answer->count : 0);
}

/* Queries that were sent are older than those unsent: they go first. */
static void
lookups_resend(struct peer_link *link)
{
    struct lookups *lookups = container_of(link, struct lookups, link);
    struct list newer;

    list_init(&newer);
    list_take(&newer, &lookups->unsent);
    for (size_t i = 0; i < LOOKUP_BUCKETS; i++)
        list_take(&lookups->unsent, &lookups->sent[i]);
    list_each_safe (at, after, &lookups->unsent) {
        container_of(at, struct lookup, link)->sent = false;
    }
    list_take(&lookups->unsent, &newer);
    lookups_flush(link);
}

_Static_assert(sizeof(struct lookup_answer) <= PEER_LINK_ANSWER_MAX, "it fits");

void
lookups_init(struct lookups *lookups, struct loop *loop)
{
    static const struct peer_link_ops ops = {
        .answer_size = sizeof(struct lookup_answer),
        .receive = lookups_receive,
        .flush = lookups_flush,
        .resend = lookups_resend,
    };

    peer_link_init(&lookups->link, loop, CHANNEL_PEER_RESOLVER, &ops);
    lookups->last_id = 0;
    list_init(&lookups->unsent);
    for (size_t i = 0; i < LOOKUP_BUCKETS; i++)
        list_init(&lookups->sent[i]);
}
