#include "gateway/monitor/live_connects.h"

#include <errno.h>
#include <stdlib.h>

struct live_connect {
    struct list link;
    unsigned slot;
    uint64_t id;
    struct addr client;
    struct addr to;
};

void
live_connects_init(struct live_connects *live_connects, unsigned quota)
{
    *live_connects = (struct live_connects){.quota = quota};
    for (size_t i = 0; i < LIVE_CONNECTS_BUCKETS; i++)
        list_init(&live_connects->buckets[i]);
}

static size_t
live_connects_bucket(const struct channel_message *message)
{
    uint64_t hash = message->client.hi ^ message->client.lo * 31 ^
                    message->to.hi * 37 ^ message->to.lo << 16;
    hash *= 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) % LIVE_CONNECTS_BUCKETS;
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
    list_append(&live_connects->buckets[live_connects_bucket(message)],
                &live->link);
    return 0;
}

void
live_connects_unregister(struct live_connects *live_connects, unsigned slot,
                         const struct channel_message *message)
{
    struct list *bucket =
        &live_connects->buckets[live_connects_bucket(message)];

    list_each_safe (at, after, bucket) {
        struct live_connect *live = container_of(at, struct live_connect, link);
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
        &live_connects->buckets[live_connects_bucket(message)];

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
