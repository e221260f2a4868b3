#include "gateway/monitor/live_connects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

struct live_connect {
    struct list link;  /* in buckets */
    struct list by_id; /* in id_buckets */
    unsigned slot;
    uint64_t id;
    struct addr client;
    struct addr to;
};

void
live_connects_init(struct live_connects *live_connects, unsigned quota)
{
    *live_connects = (struct live_connects){.quota = quota};
    for (size_t i = 0; i < LIVE_CONNECTS_BUCKETS; i++) {
        list_init(&live_connects->buckets[i]);
        list_init(&live_connects->id_buckets[i]);
    }
    /* Where there is no randomness the buckets are merely not secret. */
    if (getrandom(live_connects->secret, sizeof(live_connects->secret),
                  GRND_NONBLOCK) < 0)
        memset(live_connects->secret, 0, sizeof(live_connects->secret));
}

static size_t
live_connects_bucket(const struct live_connects *live_connects,
                     const struct channel_message *message)
{
    const uint64_t words[] = {message->client.hi, message->client.lo,
                              message->to.hi, message->to.lo};
    uint64_t hash = 0;
    for (size_t i = 0; i < 4; i++)
        hash = siphash(live_connects->secret, hash ^ words[i]);
    return (size_t)hash % LIVE_CONNECTS_BUCKETS;
}

static size_t
live_connects_id_bucket(const struct live_connects *live_connects, uint64_t id)
{
    return (size_t)siphash(live_connects->secret, id) % LIVE_CONNECTS_BUCKETS;
}

static bool
live_connects_is_between(const struct live_connect *live,
                         const struct channel_message *message)
{
    return addr_equal(live->to, message->to) &&
           addr_equal(live->client, message->client);
}

static void
live_connects_forget(struct live_connects *live_connects,
                     struct live_connect *live)
{
    live_connects->counts[live->slot]--;
    list_remove(&live->link);
    list_remove(&live->by_id);
    free(live);
}

int
live_connects_register(struct live_connects *live_connects, unsigned slot,
                       const struct channel_message *message)
{
    if (live_connects->counts[slot] >= live_connects->quota)
        return -EDQUOT;
    struct live_connect *live = malloc(sizeof(*live));
    if (live == NULL)
        return -ENOMEM;
    live_connects->counts[slot]++;
    *live = (struct live_connect){.slot = slot,
                                  .id = message->id,
                                  .client = message->client,
                                  .to = message->to};
    list_append(
        &live_connects->buckets[live_connects_bucket(live_connects, message)],
        &live->link);
    list_append(
        &live_connects
             ->id_buckets[live_connects_id_bucket(live_connects, live->id)],
        &live->by_id);
    return 0;
}

void
live_connects_unregister(struct live_connects *live_connects, unsigned slot,
                         const struct channel_message *message)
{
    struct list *bucket =
        &live_connects
             ->id_buckets[live_connects_id_bucket(live_connects, message->id)];

    list_each_safe (at, after, bucket) {
        struct live_connect *live =
            container_of(at, struct live_connect, by_id);
        if (live->id == message->id && live->slot == slot) {
            live_connects_forget(live_connects, live);
            return;
        }
    }
}

bool
live_connects_has(const struct live_connects *live_connects,
                  const struct channel_message *message)
{
    const struct list *bucket =
        &live_connects->buckets[live_connects_bucket(live_connects, message)];

    for (struct list *at = bucket->next; at != bucket; at = at->next)
        if (live_connects_is_between(
                container_of(at, struct live_connect, link), message))
            return true;
    return false;
}

static void
live_connects_report(const struct live_connect *live,
                     live_connects_each_fn *each, void *context)
{
    struct channel_message message = {.kind = CHANNEL_REGISTER,
                                      .id = live->id,
                                      .client = live->client,
                                      .to = live->to};
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
                live_connects_forget(live_connects, live);
        }
}

void
live_connects_fini(struct live_connects *live_connects)
{
    for (size_t i = 0; i < LIVE_CONNECTS_BUCKETS; i++)
        list_each_safe (at, after, &live_connects->buckets[i])
            live_connects_forget(live_connects,
                                 container_of(at, struct live_connect, link));
}
