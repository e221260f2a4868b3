#include "gateway/monitor/live_connects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

/* A client and a destination with a live CONNECT between them. */
struct live_pair {
    struct list link;
    struct addr client;
    struct addr to;
    uint64_t count; /* of CONNECTs */
};

struct live_connect {
    struct list link;
    struct live_pair *pair; /* counts it */
    uint64_t id;
    unsigned slot;
    unsigned count; /* more than 1: ids were given twice, or lied about */
};

void
live_connects_init(struct live_connects *live_connects, unsigned quota)
{
    *live_connects = (struct live_connects){.quota = quota};
    for (size_t i = 0; i < LIVE_CONNECTS_BUCKETS; i++) {
        list_init(&live_connects->buckets[i]);
        list_init(&live_connects->pairs[i]);
    }
    /* Where there is no randomness the buckets are merely not secret. */
    if (getrandom(live_connects->secret, sizeof(live_connects->secret),
                  GRND_NONBLOCK) < 0)
        memset(live_connects->secret, 0, sizeof(live_connects->secret));
}

/* --- pairs --------------------------------------------------------------- */

static uint64_t
live_connects_hash(const struct live_connects *live_connects,
                   const uint64_t *words, size_t count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++)
        hash = siphash(live_connects->secret, hash ^ words[i]);
    return hash;
}

static size_t
live_connects_pair_bucket(const struct live_connects *live_connects,
                          const struct channel_message *message)
{
    const uint64_t words[] = {message->client.hi, message->client.lo,
                              message->to.hi, message->to.lo};
    return (size_t)live_connects_hash(live_connects, words, 4) %
           LIVE_CONNECTS_BUCKETS;
}

static struct live_pair *
live_connects_find_pair(const struct live_connects *live_connects,
                        const struct channel_message *message)
{
    const struct list *bucket =
        &live_connects
             ->pairs[live_connects_pair_bucket(live_connects, message)];

    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct live_pair *pair = container_of(at, struct live_pair, link);
        if (addr_equal(pair->to, message->to) &&
            addr_equal(pair->client, message->client))
            return pair;
    }
    return NULL;
}

/* NULL: no memory. */
static struct live_pair *
live_connects_make_pair(struct live_connects *live_connects,
                        const struct channel_message *message)
{
    struct live_pair *pair = malloc(sizeof(*pair));

    if (pair == NULL)
        return NULL;
    *pair = (struct live_pair){.client = message->client, .to = message->to};
    list_init(&pair->link);
    list_append(&live_connects
                     ->pairs[live_connects_pair_bucket(live_connects, message)],
                &pair->link);
    return pair;
}

static void
live_pair_free_unused(struct live_pair *pair)
{
    if (pair->count > 0)
        return;
    list_remove(&pair->link);
    free(pair);
}

/* --- CONNECTs ------------------------------------------------------------ */

static struct list *
live_connects_bucket(struct live_connects *live_connects, unsigned slot,
                     const struct channel_message *message)
{
    const uint64_t words[] = {message->client.hi, message->client.lo,
                              message->to.hi,     message->to.lo,
                              message->id,        slot};
    return &live_connects->buckets[live_connects_hash(live_connects, words, 6) %
                                   LIVE_CONNECTS_BUCKETS];
}

static struct live_connect *
live_connects_find(struct list *bucket, unsigned slot,
                   const struct channel_message *message)
{
    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct live_connect *live = container_of(at, struct live_connect, link);
        if (live->id == message->id && live->slot == slot &&
            addr_equal(live->pair->to, message->to) &&
            addr_equal(live->pair->client, message->client))
            return live;
    }
    return NULL;
}

static int
live_connects_add(struct live_connects *live_connects, struct list *bucket,
                  unsigned slot, const struct channel_message *message)
{
    struct live_pair *pair = live_connects_find_pair(live_connects, message);
    struct live_connect *live = malloc(sizeof(*live));

    if (live != NULL && pair == NULL)
        pair = live_connects_make_pair(live_connects, message);
    if (live == NULL || pair == NULL) {
        free(live);
        return -ENOMEM;
    }
    *live = (struct live_connect){
        .pair = pair, .id = message->id, .slot = slot, .count = 1};
    list_init(&live->link);
    list_append(bucket, &live->link);
    pair->count++;
    return 0;
}

int
live_connects_register(struct live_connects *live_connects, unsigned slot,
                       const struct channel_message *message)
{
    struct list *bucket = live_connects_bucket(live_connects, slot, message);

    if (live_connects->counts[slot] >= live_connects->quota)
        return -EDQUOT;
    struct live_connect *live = live_connects_find(bucket, slot, message);
    if (live != NULL) {
        live->count++;
        live->pair->count++;
    } else {
        int error = live_connects_add(live_connects, bucket, slot, message);
        if (error != 0)
            return error;
    }
    live_connects->counts[slot]++;
    return 0;
}

/* `count` of them. */
static void
live_connects_forget(struct live_connects *live_connects,
                     struct live_connect *live, unsigned count)
{
    live_connects->counts[live->slot] -= count;
    live->pair->count -= count;
    live->count -= count;
    live_pair_free_unused(live->pair);
    if (live->count > 0)
        return;
    list_remove(&live->link);
    free(live);
}

void
live_connects_unregister(struct live_connects *live_connects, unsigned slot,
                         const struct channel_message *message)
{
    struct live_connect *live = live_connects_find(
        live_connects_bucket(live_connects, slot, message), slot, message);

    if (live != NULL)
        live_connects_forget(live_connects, live, 1);
}

bool
live_connects_has(const struct live_connects *live_connects,
                  const struct channel_message *message)
{
    return live_connects_find_pair(live_connects, message) != NULL;
}

static void
live_connects_report(const struct live_connect *live,
                     live_connects_each_fn *each, void *context)
{
    struct channel_message message = {.kind = CHANNEL_REGISTER,
                                      .id = live->id,
                                      .client = live->pair->client,
                                      .to = live->pair->to};

    for (unsigned i = 0; i < live->count; i++)
        each(context, live->slot, &message);
}

void
live_connects_each(const struct live_connects *live_connects,
                   live_connects_each_fn *each, void *context)
{
    for (size_t i = 0; i < LIVE_CONNECTS_BUCKETS; i++) {
        const struct list *bucket = &live_connects->buckets[i];
        for (struct list *at = bucket->next; at != bucket; at = at->next)
            live_connects_report(container_of(at, struct live_connect, link),
                                 each, context);
    }
}

void
live_connects_drop(struct live_connects *live_connects, unsigned slot)
{
    for (size_t i = 0; i < LIVE_CONNECTS_BUCKETS; i++)
        list_each_safe (at, after, &live_connects->buckets[i]) {
            struct live_connect *live =
                container_of(at, struct live_connect, link);
            if (live->slot == slot)
                live_connects_forget(live_connects, live, live->count);
        }
}

void
live_connects_fini(struct live_connects *live_connects)
{
    for (unsigned slot = 0; slot < SEGMENT_SLOTS; slot++)
        if (live_connects->counts[slot] > 0)
            live_connects_drop(live_connects, slot);
}
