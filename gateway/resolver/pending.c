#include "gateway/resolver/pending.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

static void
pending_fill(struct lookup_answer *answer, const struct answer *known)
{
    answer->outcome = known->outcome;
    answer->count = known->count;
    memcpy(answer->addresses, known->addresses,
           known->count * sizeof(known->addresses[0]));
}

/* --- shares ------------------------------------------------------------- */

void
resolver_client_init(struct resolver_client *client)
{
    *client = (struct resolver_client){.held = {0}};
    list_init(&client->link);
    list_init(&client->waiters);
    list_init(&client->shares);
}

static struct list *
share_bucket(struct pending *pending, uint64_t source)
{
    return &pending
                ->buckets[siphash(pending->secret, source) % PENDING_BUCKETS];
}

/* NULL: the source holds nothing. */
static struct share *
share_find(struct pending *pending, const struct resolver_client *client,
           uint64_t source)
{
    list_each_safe (at, after, share_bucket(pending, source)) {
        struct share *share = container_of(at, struct share, bucket);
        if (share->source == source && share->client == client)
            return share;
    }
    return NULL;
}

/* There are as many shares as waiters, and each holds at least one waiter. */
static struct share *
share_open(struct pending *pending, struct resolver_client *client,
           uint64_t source)
{
    assert(!list_empty(&pending->free_shares));
    struct share *share =
        container_of(pending->free_shares.next, struct share, link);
    list_remove(&share->link);
    list_append(&client->shares, &share->link);
    list_append(share_bucket(pending, source), &share->bucket);
    share->client = client;
    share->source = source;
    return share;
}

static void
share_take(struct pending *pending, struct share *share, enum pending_pool pool)
{
    struct resolver_client *client = share->client;

    share->held[pool]++;
    client->held[pool]++;
    if (list_empty(&client->link)) /* it is in no list yet */
        list_append(&pending->clients, &client->link);
}

static void
share_give(struct pending *pending, struct share *share, enum pending_pool pool)
{
    struct resolver_client *client = share->client;

    share->held[pool]--;
    client->held[pool]--;
    if (pool != POOL_WAITERS)
        return;
    if (client->held[POOL_WAITERS] == 0)
        list_remove(&client->link);
    if (share->held[POOL_WAITERS] > 0)
        return;
    assert(share->held[POOL_QUERIES] == 0);
    list_remove(&share->bucket);
    list_remove(&share->link);
    list_append(&pending->free_shares, &share->link);
}

/* --- waiters and lookups ------------------------------------------------ */

static struct waiter *
waiter_open(struct pending *pending, struct share *share, uint64_t id)
{
    struct waiter *waiter =
        container_of(pending->free_waiters.next, struct waiter, link);

    list_remove(&waiter->link);
    waiter->share = share;
    waiter->lookup = NULL;
    waiter->answer = (struct lookup_answer){.id = id};
    list_append(&share->client->waiters, &waiter->mine);
    list_append(&share->waiters, &waiter->held);
    share_take(pending, share, POOL_WAITERS);
    return waiter;
}

void
pending_release(struct pending *pending, struct waiter *waiter)
{
    list_remove(&waiter->link);
    list_remove(&waiter->mine);
    list_remove(&waiter->held);
    list_append(&pending->free_waiters, &waiter->link);
    share_give(pending, waiter->share, POOL_WAITERS);
}

/* A lookup counts as its oldest waiter's. */
static void
pending_charge(struct pending *pending, struct pending_lookup *lookup,
               struct share *share)
{
    if (lookup->charged == share)
        return;
    if (lookup->charged != NULL)
        share_give(pending, lookup->charged, POOL_QUERIES);
    list_remove(&lookup->charge);
    lookup->charged = share;
    if (share == NULL)
        return;
    share_take(pending, share, POOL_QUERIES);
    list_append(&share->lookups, &lookup->charge);
}

static void
pending_join(struct pending *pending, struct pending_lookup *lookup,
             struct waiter *waiter)
{
    waiter->lookup = lookup;
    list_append(&lookup->waiters, &waiter->link);
    if (lookup->waiters.next == &waiter->link)
        pending_charge(pending, lookup, waiter->share);
}

static void
pending_release_lookup(struct pending *pending, struct pending_lookup *lookup)
{
    pending_charge(pending, lookup, NULL);
    list_remove(&lookup->query.link);
    list_append(&pending->free_lookups, &lookup->query.link);
}

/* The last waiter to leave cancels the query. */
static void
pending_part(struct pending *pending, struct waiter *waiter)
{
    struct pending_lookup *lookup = waiter->lookup;

    list_remove(&waiter->link);
    list_remove(&waiter->mine);
    waiter->lookup = NULL;
    if (list_empty(&lookup->waiters)) {
        query_cancel(&lookup->query);
        pending_release_lookup(pending, lookup);
        return;
    }
    struct waiter *oldest =
        container_of(lookup->waiters.next, struct waiter, link);
    pending_charge(pending, lookup, oldest->share);
}

/* --- room --------------------------------------------------------------- */

/* A query may need more than one socket: some are left for those that run. */
static bool
pending_is_full(const struct pending *pending, enum pending_pool pool)
{
    const struct query_context *context = &pending->context;
    unsigned reserve = context->sockets_max / 8;

    if (pool == POOL_WAITERS)
        return list_empty(&pending->free_waiters);
    return list_empty(&pending->free_lookups) ||
           context->sockets + reserve >= context->sockets_max;
}

/* Counts what is about to be taken; of equals it is the newcomer. */
static struct resolver_client *
pending_largest_client(struct pending *pending,
                       struct resolver_client *newcomer, enum pending_pool pool)
{
    struct resolver_client *largest = newcomer;
    size_t most = newcomer->held[pool] + 1;

    list_each_safe (at, after, &pending->clients) {
        struct resolver_client *client =
            container_of(at, struct resolver_client, link);
        if (client->held[pool] <= most)
            continue;
        largest = client;
        most = client->held[pool];
    }
    return largest;
}

/* Of equals it is the oldest. NULL: no source of the client holds anything. */
static struct share *
pending_largest_share(struct resolver_client *client,
                      const struct share *newcomer, enum pending_pool pool)
{
    struct share *largest = NULL;
    size_t most = 0;

    list_each_safe (at, after, &client->shares) {
        struct share *share = container_of(at, struct share, link);
        size_t held = share->held[pool];
        if (held > 0 && share == newcomer)
            held++;
        if (held <= most)
            continue;
        largest = share;
        most = held;
    }
    return largest;
}

/* NULL: nothing can make room. */
static struct waiter *
pending_choose(struct pending *pending, struct resolver_client *client,
               uint64_t source, enum pending_pool pool)
{
    struct resolver_client *largest =
        pending_largest_client(pending, client, pool);
    struct share *share = pending_largest_share(
        largest, share_find(pending, client, source), pool);

    if (share == NULL)
        return NULL;
    if (pool == POOL_WAITERS)
        return container_of(share->waiters.next, struct waiter, held);
    struct pending_lookup *lookup =
        container_of(share->lookups.next, struct pending_lookup, charge);
    return container_of(lookup->waiters.next, struct waiter, link);
}

/* An answer that its worker does not read is dropped with its waiter. */
static void
pending_drop(struct pending *pending, struct waiter *waiter)
{
    if (waiter->lookup == NULL) {
        pending_release(pending, waiter);
        return;
    }
    pending_part(pending, waiter);
    waiter->answer.outcome = LOOKUP_OVERLOADED;
    pending->answered(waiter);
}

static void
pending_make_room(struct pending *pending, struct resolver_client *client,
                  uint64_t source, enum pending_pool pool)
{
    while (pending_is_full(pending, pool)) {
        struct waiter *waiter = pending_choose(pending, client, source, pool);
        if (waiter == NULL)
            return;
        pending_drop(pending, waiter);
    }
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
    pending_charge(pending, lookup, NULL);
    list_each_safe (at, after, &lookup->waiters) {
        struct waiter *waiter = container_of(at, struct waiter, link);
        list_remove(&waiter->link);
        list_remove(&waiter->mine);
        waiter->lookup = NULL;
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
            now_ms < lookup->join_until_ms &&
            strcmp(other->text, key->text) == 0)
            return lookup;
    }
    return NULL;
}

/* NULL: no query may be dropped for it. */
static struct pending_lookup *
pending_open(struct pending *pending, struct waiter *waiter,
             const struct key *key, uint64_t timeout_ms)
{
    struct share *share = waiter->share;

    pending_make_room(pending, share->client, share->source, POOL_QUERIES);
    if (list_empty(&pending->free_lookups))
        return NULL;
    struct pending_lookup *lookup = container_of(
        pending->free_lookups.next, struct pending_lookup, query.link);
    list_remove(&lookup->query.link);
    list_append(&pending->open, &lookup->query.link);
    lookup->join_until_ms =
        loop_now_ms(pending->context.loop) + PENDING_JOIN_MS;
    lookup->query.key = *key;
    query_start(&lookup->query, timeout_ms, pending_answer_all);
    return lookup;
}

/* False: there is no room. */
static bool
pending_wait(struct pending *pending, struct resolver_client *client,
             const struct key *key, const struct lookup_query *asked)
{
    uint64_t timeout_ms = (uint64_t)asked->timeout_ms + PENDING_GRACE_MS;

    pending_make_room(pending, client, asked->source, POOL_WAITERS);
    if (list_empty(&pending->free_waiters))
        return false;
    struct share *share = share_find(pending, client, asked->source);
    if (share == NULL)
        share = share_open(pending, client, asked->source);
    struct waiter *waiter = waiter_open(pending, share, asked->id);
    struct pending_lookup *lookup = pending_find(pending, key);
    if (lookup != NULL)
        query_extend(&lookup->query, timeout_ms);
    else
        lookup = pending_open(pending, waiter, key, timeout_ms);
    if (lookup == NULL) {
        pending_release(pending, waiter);
        return false;
    }
    pending_join(pending, lookup, waiter);
    return true;
}

/* localhost and the names below it are never asked for: RFC 6761, 6.3. */
static bool
pending_is_localhost(const struct key *key)
{
    static const char name[] = ".localhost";
    size_t len = strlen(key->text), size = sizeof(name) - 1;

    return strcmp(key->text, name + 1) == 0 ||
           (len > size && strcmp(key->text + len - size, name) == 0);
}

/* The hosts file comes first [4A-4.3-1]. */
static bool
pending_is_of_system(const struct pending *pending, const struct key *key,
                     struct lookup_answer *answer)
{
    size_t count = hosts_find(pending->hosts, key, answer->addresses);

    if (count == 0 && pending_is_localhost(key))
        answer->addresses[count++] = INADDR_LOOPBACK;
    if (count == 0)
        return false;
    answer->outcome = LOOKUP_FOUND;
    answer->count = (uint32_t)count;
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
    if (pending_is_of_system(pending, &key, answer))
        return true;
    const struct answer *known =
        cache_find(&pending->cache, &key, loop_now_ms(pending->context.loop));
    if (known != NULL) {
        pending_fill(answer, known);
        return true;
    }
    answer->outcome = LOOKUP_OVERLOADED;
    return !pending_wait(pending, client, &key, asked);
}

void
pending_forget(struct pending *pending)
{
    memset(&pending->cache, 0, sizeof(pending->cache));
    list_each_safe (at, after, &pending->open) {
        container_of(at, struct pending_lookup, query.link)->join_until_ms = 0;
    }
}

/* --- leaving ------------------------------------------------------------ */

void
pending_cancel(struct pending *pending, struct resolver_client *client,
               uint64_t id)
{
    list_each_safe (at, after, &client->waiters) {
        struct waiter *waiter = container_of(at, struct waiter, mine);
        if (waiter->answer.id != id)
            continue;
        pending_part(pending, waiter);
        pending_release(pending, waiter);
        return;
    }
}

void
pending_leave(struct pending *pending, struct resolver_client *client)
{
    list_each_safe (at, after, &client->waiters) {
        struct waiter *waiter = container_of(at, struct waiter, mine);
        pending_part(pending, waiter);
        pending_release(pending, waiter);
    }
    assert(client->held[POOL_WAITERS] == 0);
    assert(client->held[POOL_QUERIES] == 0);
}

/* --- start -------------------------------------------------------------- */

static void
pending_init_pools(struct pending *pending)
{
    list_init(&pending->free_lookups);
    list_init(&pending->free_waiters);
    list_init(&pending->free_shares);
    for (size_t i = 0; i < PENDING_QUERIES; i++) {
        struct pending_lookup *lookup = &pending->lookups[i];
        query_init(&lookup->query, &pending->context);
        list_init(&lookup->waiters);
        list_init(&lookup->charge);
        lookup->pending = pending;
        list_append(&pending->free_lookups, &lookup->query.link);
    }
    for (size_t i = 0; i < PENDING_WAITERS; i++) {
        struct waiter *waiter = &pending->waiters[i];
        struct share *share = &pending->shares[i];
        list_init(&waiter->mine);
        list_init(&waiter->held);
        list_append(&pending->free_waiters, &waiter->link);
        list_init(&share->bucket);
        list_init(&share->waiters);
        list_init(&share->lookups);
        list_append(&pending->free_shares, &share->link);
    }
}

void
pending_init(struct pending *pending)
{
    list_init(&pending->clients);
    list_init(&pending->open);
    for (size_t i = 0; i < PENDING_BUCKETS; i++)
        list_init(&pending->buckets[i]);
    /* Where there is no randomness the buckets are merely not secret. */
    if (getrandom(pending->secret, sizeof(pending->secret), GRND_NONBLOCK) < 0)
        memset(pending->secret, 0, sizeof(pending->secret));
    pending_init_pools(pending);
}
