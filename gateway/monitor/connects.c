#include "gateway/monitor/connects.h"

#include <stdlib.h>

struct live_connect {
    struct list link;
    unsigned slot;
    uint64_t id;
    struct addr client;
    uint32_t dstip;
};

void
connects_init(struct connects *connects)
{
    for (size_t i = 0; i < CONNECTS_BUCKETS; i++)
        list_init(&connects->buckets[i]);
}

static size_t
bucket_of(const struct channel_message *message)
{
    uint64_t hash = message->client.hi ^ message->client.lo * 31 ^
                    (uint64_t)message->dstip << 16;
    hash *= 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) % CONNECTS_BUCKETS;
}

static bool
is_between(const struct live_connect *live,
           const struct channel_message *message)
{
    return live->dstip == message->dstip &&
           addr_equal(live->client, message->client);
}

static void
forget(struct live_connect *live)
{
    list_remove(&live->link);
    free(live);
}

void
connects_add(struct connects *connects, unsigned slot,
             const struct channel_message *message)
{
    struct live_connect *live = malloc(sizeof(*live));

    if (live == NULL)
        return;
    *live = (struct live_connect){.slot = slot,
                                  .id = message->id,
                                  .client = message->client,
                                  .dstip = message->dstip};
    list_append(&connects->buckets[bucket_of(message)], &live->link);
}

void
connects_remove(struct connects *connects, unsigned slot,
                const struct channel_message *message)
{
    struct list *bucket = &connects->buckets[bucket_of(message)];

    list_each_safe (at, after, bucket) {
        struct live_connect *live = container_of(at, struct live_connect, link);
        if (live->id == message->id && live->slot == slot) {
            forget(live);
            return;
        }
    }
}

bool
connects_has(const struct connects *connects,
             const struct channel_message *message)
{
    const struct list *bucket = &connects->buckets[bucket_of(message)];

    for (struct list *at = bucket->next; at != bucket; at = at->next)
        if (is_between(container_of(at, struct live_connect, link), message))
            return true;
    return false;
}

static void
tell(const struct live_connect *live, connects_each_fn *each, void *context)
{
    struct channel_message message = {.kind = CHANNEL_CONNECTED,
                                      .id = live->id,
                                      .client = live->client,
                                      .dstip = live->dstip};
    each(context, live->slot, &message);
}

void
connects_each(const struct connects *connects, connects_each_fn *each,
              void *context)
{
    for (size_t i = 0; i < CONNECTS_BUCKETS; i++) {
        const struct list *bucket = &connects->buckets[i];
        for (struct list *at = bucket->next; at != bucket; at = at->next)
            tell(container_of(at, struct live_connect, link), each, context);
    }
}

void
connects_drop(struct connects *connects, unsigned slot)
{
    for (size_t i = 0; i < CONNECTS_BUCKETS; i++)
        list_each_safe (at, after, &connects->buckets[i]) {
            struct live_connect *live =
                container_of(at, struct live_connect, link);
            if (live->slot == slot)
                forget(live);
        }
}

void
connects_fini(struct connects *connects)
{
    for (size_t i = 0; i < CONNECTS_BUCKETS; i++)
        list_each_safe (at, after, &connects->buckets[i])
            forget(container_of(at, struct live_connect, link));
}
