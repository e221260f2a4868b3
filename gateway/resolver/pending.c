#include "gateway/resolver/pending.h"

#include <assert.h>
#include <string.h>

static void
pending_fill(struct lookup_answer *answer, const struct answer *known)
{
    answer->outcome = known->outcome;
    answer->count = known->count;
    memcpy(answer->addresses, known->addresses,
           known->count * sizeof(known->addresses[0]));
}

/* --- pools -------------------------------------------------------------- */

void
resolver_client_init(struct resolver_client *client)
{
    *client = (struct resolver_client){.waiter_count = 0};
    list_init(&client->waiters);
}

/* Whether a client that holds so many may take another one. */
static bool
pending_may_take(size_t held, size_t free)
{
    return held < free;
}

static struct waiter *
pending_take_waiter(struct pending *pending, struct resolver_client *client,
                    uint64_t id)
{
    if (!pending_may_take(client->waiter_count, pending->free_waiter_count))
        return NULL;
    struct waiter *waiter =
        container_of(pending->free_waiters.next, struct waiter, link);
    list_remove(&waiter->link);
    pending->free_waiter_count--;
    client->waiter_count++;
    waiter->client = client;
    waiter->answer = (struct lookup_answer){.id = id};
    list_append(&client->waiters, &waiter->mine);
    return waiter;
}

void
pending_release(struct pending *pending, struct waiter *waiter)
{
    list_remove(&waiter->link);
    list_remove(&waiter->mine);
    waiter->client->waiter_count--;
    list_append(&pending->free_waiters, &waiter->link);
    pending->free_waiter_count++;
}

static struct pending_lookup *
pending_take_lookup(struct pending *pending, struct resolver_client *client)
{
    if (!pending_may_take(client->query_count, pending->free_lookup_count))
        return NULL;
    struct pending_lookup *lookup = container_of(
        pending->free_lookups.next, struct pending_lookup, query.link);
    list_remove(&lookup->query.link);
    pending->free_lookup_count--;
    client->query_count++;
    lookup->charged = client;
    return lookup;
}

static void
pending_release_lookup(struct pending *pending, struct pending_lookup *lookup)
{
    if (lookup->charged != NULL)
        lookup->charged->query_count--;
    lookup->charged = NULL;
    list_remove(&lookup->query.link);
    list_append(&pending->free_lookups, &lookup->query.link);
    pending->free_lookup_count++;
}

/* --- asking ------------------------------------------------------------- */

static void
pending_answer_all(struct query *query)
{
    struct pending_lookup *lookup =
        container_of(query, struct pending_lookup, query);
    struct pending *pending = lookup->pending;

    cache_put(&pending->cache, &query->key, &query->answer,
              loop_now_ms(pending->context.loop));
    list_each_safe (at, after, &lookup->waiters) {
        struct waiter *waiter = container_of(at, struct waiter, link);
        list_remove(&waiter->link);
        list_remove(&waiter->mine);
        pending_fill(&waiter->answer, &query->answer);
        pending->answered(waiter);
    }
    pending_release_lookup(pending, lookup);
}

/* A recent query for the same name. */
static struct pending_lookup *
pending_find(struct pending *pending, const struct key *key)
{
    uint64_t now_ms = loop_now_ms(pending->context.loop);

    list_each_safe (at, after, &pending->open) {
        struct pending_lookup *lookup =
            container_of(at, struct pending_lookup, query.link);
        const struct key *other = &lookup->query.key;
        if (other->hash == key->hash && !lookup->query.answered &&
            lookup->since_ms + PENDING_JOIN_MS > now_ms &&
            strcmp(other->text, key->text) == 0)
            return lookup;
    }
    return NULL;
}

static struct pending_lookup *
pending_open(struct pending *pending, struct resolver_client *client,
             const struct key *key, uint64_t timeout_ms)
{
    struct pending_lookup *lookup = pending_take_lookup(pending, client);

    if (lookup == NULL)
        return NULL;
    lookup->since_ms = loop_now_ms(pending->context.loop);
    lookup->query.key = *key;
    list_append(&pending->open, &lookup->query.link);
    query_start(&lookup->query, timeout_ms, pending_answer_all);
    return lookup;
}

/* False: the pools have no room. */
static bool
pending_wait(struct pending *pending, struct resolver_client *client,
             const struct key *key, const struct lookup_query *asked)
{
    uint64_t timeout_ms = (uint64_t)asked->timeout_ms + PENDING_GRACE_MS;
    struct waiter *waiter = pending_take_waiter(pending, client, asked->id);

    if (waiter == NULL)
        return false;
    struct pending_lookup *lookup = pending_find(pending, key);
    if (lookup != NULL)
        query_extend(&lookup->query, timeout_ms);
    else
        lookup = pending_open(pending, client, key, timeout_ms);
    if (lookup == NULL) {
        pending_release(pending, waiter);
        return false;
    }
    waiter->lookup = lookup;
    list_append(&lookup->waiters, &waiter->link);
    return true;
}

bool
pending_ask(struct pending *pending, struct resolver_client *client,
            const struct lookup_query *asked, struct lookup_answer *answer)
{
    struct key key;

    *answer = (struct lookup_answer){.id = asked->id, .outcome = LOOKUP_FAILED};
    if (key_make(&key, asked->name, asked->len) != 0)
        return true;
    const struct answer *known =
        cache_find(&pending->cache, &key, loop_now_ms(pending->context.loop));
    if (known != NULL)
        pending_fill(answer, known);
    return known != NULL || !pending_wait(pending, client, &key, asked);
}

/* --- leaving ------------------------------------------------------------ */

/* The last waiter to leave cancels the query. */
static void
pending_drop(struct pending *pending, struct waiter *waiter)
{
    struct pending_lookup *lookup = waiter->lookup;

    pending_release(pending, waiter);
    if (list_empty(&lookup->waiters))
        query_cancel(&lookup->query);
}

void
pending_cancel(struct pending *pending, struct resolver_client *client,
               uint64_t id)
{
    list_each_safe (at, after, &client->waiters) {
        struct waiter *waiter = container_of(at, struct waiter, mine);
        if (waiter->answer.id != id)
            continue;
        pending_drop(pending, waiter);
        return;
    }
}

void
pending_leave(struct pending *pending, struct resolver_client *client)
{
    list_each_safe (at, after, &client->waiters) {
        pending_drop(pending, container_of(at, struct waiter, mine));
    }
    list_each_safe (at, after, &pending->open) {
        struct pending_lookup *lookup =
            container_of(at, struct pending_lookup, query.link);
        if (lookup->charged == client)
            lookup->charged = NULL;
    }
    assert(client->waiter_count == 0);
    client->query_count = 0;
}

void
pending_init(struct pending *pending, struct loop *loop,
             struct ares_addr_port_node *servers, unsigned sockets_max,
             pending_answered_fn *answered)
{
    pending->context = (struct query_context){
        .loop = loop, .servers = servers, .sockets_max = sockets_max};
    pending->answered = answered;
    list_init(&pending->open);
    list_init(&pending->free_lookups);
    list_init(&pending->free_waiters);
    pending->free_lookup_count = PENDING_QUERIES;
    pending->free_waiter_count = PENDING_WAITERS;
    for (size_t i = 0; i < PENDING_QUERIES; i++) {
        struct pending_lookup *lookup = &pending->lookups[i];
        query_init(&lookup->query, &pending->context);
        list_init(&lookup->waiters);
        lookup->pending = pending;
        list_append(&pending->free_lookups, &lookup->query.link);
    }
    for (size_t i = 0; i < PENDING_WAITERS; i++) {
        list_init(&pending->waiters[i].mine);
        list_append(&pending->free_waiters, &pending->waiters[i].link);
    }
}
