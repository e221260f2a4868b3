#include "gateway/worker/lookup.h"

#include <assert.h>
#include <string.h>

void
lookups_init(struct lookups *lookups, lookup_send_fn *send)
{
    lookups->send = send;
    lookups->last_id = 0;
    list_init(&lookups->waiting);
    for (size_t i = 0; i < LOOKUP_BUCKETS; i++)
        list_init(&lookups->sent[i]);
}

static struct list *
bucket(struct lookups *lookups, uint64_t id)
{
    return &lookups->sent[id % LOOKUP_BUCKETS];
}

static int
send_question(struct lookups *lookups, const struct lookup *lookup)
{
    struct lookup_question question = {.kind = LOOKUP_ASK,
                                       .patience_ms = lookup->patience_ms,
                                       .id = lookup->id,
                                       .len = (uint8_t)lookup->name_len};

    memcpy(question.name, lookup->name, lookup->name_len);
    return lookups->send(lookups, &question);
}

void
lookups_flush(struct lookups *lookups)
{
    list_each_safe (at, after, &lookups->waiting) {
        struct lookup *lookup = container_of(at, struct lookup, link);
        if (send_question(lookups, lookup) < 0)
            return;
        lookup->sent = true;
        list_remove(at);
        list_append(bucket(lookups, lookup->id), at);
    }
}

void
lookup_start(struct lookups *lookups, struct lookup *lookup, const char *name,
             size_t len, uint64_t patience_ms, lookup_fn *answered)
{
    assert(len >= 1 && len <= LOOKUP_NAME_MAX);
    *lookup = (struct lookup){.id = ++lookups->last_id,
                              .name = name,
                              .name_len = len,
                              .answered = answered};
    lookup->patience_ms =
        patience_ms < UINT32_MAX ? (uint32_t)patience_ms : UINT32_MAX;
    bool first = list_empty(&lookups->waiting);
    list_append(&lookups->waiting, &lookup->link);
    if (first) /* else there was no room, and none has been announced */
        lookups_flush(lookups);
}

/* Best effort: a resolver that does not hear of it gives up by itself. */
void
lookup_cancel(struct lookups *lookups, struct lookup *lookup)
{
    struct lookup_question question = {.kind = LOOKUP_CANCEL, .id = lookup->id};

    list_remove(&lookup->link);
    if (lookup->sent)
        lookups->send(lookups, &question);
    lookup->sent = false;
}

static struct lookup *
lookup_find(struct lookups *lookups, uint64_t id)
{
    list_each_safe (at, after, bucket(lookups, id)) {
        struct lookup *lookup = container_of(at, struct lookup, link);
        if (lookup->id == id)
            return lookup;
    }
    return NULL;
}

/* An answer that cannot be is one that failed. */
static enum lookup_outcome
judge(const struct lookup_answer *answer)
{
    if (answer->outcome == LOOKUP_NO_SUCH_NAME)
        return LOOKUP_NO_SUCH_NAME;
    bool found = answer->outcome == LOOKUP_FOUND && answer->count >= 1 &&
                 answer->count <= LOOKUP_ADDRESSES_MAX;
    return found ? LOOKUP_FOUND : LOOKUP_FAILED;
}

void
lookups_hear(struct lookups *lookups, const struct lookup_answer *answer)
{
    struct lookup *lookup = lookup_find(lookups, answer->id);
    enum lookup_outcome outcome = judge(answer);

    if (lookup == NULL)
        return;
    list_remove(&lookup->link);
    lookup->sent = false;
    lookup->answered(lookup, outcome, answer->addresses,
                     outcome == LOOKUP_FOUND ? answer->count : 0);
}

/* What was sent is older than what waits: it goes first. */
void
lookups_resend(struct lookups *lookups)
{
    struct list newer;

    list_init(&newer);
    list_take(&newer, &lookups->waiting);
    for (size_t i = 0; i < LOOKUP_BUCKETS; i++)
        list_take(&lookups->waiting, &lookups->sent[i]);
    list_each_safe (at, after, &lookups->waiting) {
        container_of(at, struct lookup, link)->sent = false;
    }
    list_take(&lookups->waiting, &newer);
    lookups_flush(lookups);
}
