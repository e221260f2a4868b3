#include "gateway/resolver/pending.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

static const enum lookup_family pending_families[FAMILIES] = {
    [FAMILY_V4] = LOOKUP_V4, [FAMILY_V6] = LOOKUP_V6};

/* --- answers ------------------------------------------------------------ */

static void
answer_add(struct lookup_answer *answer, struct addr address)
{
    for (size_t i = 0; i < answer->count; i++)
        if (addr_equal(answer->addresses[i], address))
            return;
    if (answer->count < LOOKUP_ADDRESSES_MAX)
        answer->addresses[answer->count++] = address;
}

/*
 * Adds what one family has to what the other one had. They take turns, so that
 * neither fills the answer alone, in the order that the servers gave, and IPv6
 * is first (RFC 8305, 4): RFC 6724 orders by the source addresses that a host
 * would connect from, and the worker finds out which one answers.
 */
static void
answer_merge(struct lookup_answer *answer, const struct answer *more,
             int family)
{
    struct lookup_answer had = *answer;
    const struct addr *first =
        family == FAMILY_V6 ? more->addresses : had.addresses;
    const struct addr *second =
        family == FAMILY_V6 ? had.addresses : more->addresses;
    uint32_t firsts = family == FAMILY_V6 ? more->count : had.count;
    uint32_t seconds = family == FAMILY_V6 ? had.count : more->count;

    if (more->count > 0) {
        answer->count = 0;
        for (uint32_t i = 0; i < firsts || i < seconds; i++) {
            if (i < firsts)
                answer_add(answer, first[i]);
            if (i < seconds)
                answer_add(answer, second[i]);
        }
    }
    if (answer->count > 0)
        answer->outcome = LOOKUP_FOUND;
    else if (more->outcome > answer->outcome)
        answer->outcome = more->outcome;
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
waiter_open(struct pending *pending, struct share *share,
            const struct lookup_answer *known)
{
    struct waiter *waiter =
        container_of(pending->free_waiters.next, struct waiter, link);

    list_remove(&waiter->link);
    waiter->share = share;
    waiter->answered = waiter->sent = waiter->unnamed = false;
    *waiter->answer = *known;
    list_append(&share->client->waiters, &waiter->mine);
    list_append(&share->waiters, &waiter->held);
    share_take(pending, share, POOL_WAITERS);
    return waiter;
}

static bool
waiter_shares_query(const struct waiter *waiter)
{
    return waiter->legs[FAMILY_V4].lookup != NULL ||
           waiter->legs[FAMILY_V6].lookup != NULL;
}

static void
pending_release(struct pending *pending, struct waiter *waiter)
{
    assert(!waiter_shares_query(waiter));
    list_remove(&waiter->link);
    list_remove(&waiter->mine);
    list_remove(&waiter->held);
    list_append(&pending->free_waiters, &waiter->link);
    share_give(pending, waiter->share, POOL_WAITERS);
}

void
pending_sent(struct pending *pending, struct waiter *waiter)
{
    list_remove(&waiter->link);
    waiter->sent = true;
    if (!waiter_shares_query(waiter))
        pending_release(pending, waiter);
}

static void
pending_answer(struct pending *pending, struct waiter *waiter)
{
    loop_cancel_timer(pending->context.loop, &waiter->hurry);
    waiter->answered = true;
    pending->answered(waiter);
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
             struct waiter_leg *leg)
{
    leg->lookup = lookup;
    list_append(&lookup->waiters, &leg->link);
    if (lookup->waiters.next == &leg->link)
        pending_charge(pending, lookup, leg->waiter->share);
}

/* NULL: there is none. */
static struct waiter *
lookup_oldest(const struct pending_lookup *lookup)
{
    return list_empty(&lookup->waiters)
               ? NULL
               : container_of(lookup->waiters.next, struct waiter_leg, link)
                     ->waiter;
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
pending_part_leg(struct pending *pending, struct waiter_leg *leg)
{
    struct pending_lookup *lookup = leg->lookup;

    if (lookup == NULL)
        return;
    list_remove(&leg->link);
    leg->lookup = NULL;
    struct waiter *oldest = lookup_oldest(lookup);
    if (oldest != NULL) {
        pending_charge(pending, lookup, oldest->share);
        return;
    }
    query_cancel(&lookup->query);
    pending_release_lookup(pending, lookup);
}

static void
pending_part(struct pending *pending, struct waiter *waiter)
{
    loop_cancel_timer(pending->context.loop, &waiter->hurry);
    for (size_t i = 0; i < FAMILIES; i++)
        pending_part_leg(pending, &waiter->legs[i]);
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
    return lookup_oldest(
        container_of(share->lookups.next, struct pending_lookup, charge));
}

/* An answer that its worker does not read is dropped with its waiter. */
static void
pending_drop(struct pending *pending, struct waiter *waiter)
{
    const struct answer overloaded = {.outcome = LOOKUP_OVERLOADED};

    pending_part(pending, waiter);
    if (waiter->answered) {
        pending_release(pending, waiter);
        return;
    }
    answer_merge(waiter->answer, &overloaded, FAMILY_V4);
    pending_answer(pending, waiter);
}

/* Whom `newcomer` itself would have to leave room for gets none. */
static void
pending_make_room(struct pending *pending, struct resolver_client *client,
                  uint64_t source, enum pending_pool pool,
                  const struct waiter *newcomer)
{
    while (pending_is_full(pending, pool)) {
        struct waiter *waiter = pending_choose(pending, client, source, pool);
        if (waiter == NULL || waiter == newcomer)
            return;
        pending_drop(pending, waiter);
    }
}

/* --- asking ------------------------------------------------------------- */

static void
pending_hurry(struct timer *timer)
{
    struct waiter *waiter = container_of(timer, struct waiter, hurry);
    const struct pending_lookup *lookup = waiter->legs[FAMILY_V4].lookup != NULL
                                              ? waiter->legs[FAMILY_V4].lookup
                                              : waiter->legs[FAMILY_V6].lookup;

    pending_answer(lookup->pending, waiter);
}

/* Answers it where nothing more is to come, or else waits for that; not for
   long where one family has an address, or the name is not known. */
static void
pending_settle(struct pending *pending, struct waiter *waiter)
{
    bool v6 = waiter->legs[FAMILY_V6].lookup != NULL;

    if (!waiter_shares_query(waiter))
        pending_answer(pending, waiter);
    else if (waiter->answer->count > 0)
        loop_start_timer(pending->context.loop, &waiter->hurry,
                         v6 ? PENDING_V6_MS : PENDING_V4_MS);
    else if (waiter->unnamed)
        loop_start_timer(pending->context.loop, &waiter->hurry, PENDING_V4_MS);
}

static void
pending_answer_all(struct query *query)
{
    struct pending_lookup *lookup =
        container_of(query, struct pending_lookup, query);
    struct pending *pending = lookup->pending;
    int family = query->family == LOOKUP_V6 ? FAMILY_V6 : FAMILY_V4;

    cache_put(&pending->cache, &query->key, query->family, &query->answer,
              loop_now_ms(pending->context.loop));
    pending_charge(pending, lookup, NULL);
    list_each_safe (at, after, &lookup->waiters) {
        struct waiter_leg *leg = container_of(at, struct waiter_leg, link);
        struct waiter *waiter = leg->waiter;
        list_remove(&leg->link);
        leg->lookup = NULL;
        if (!waiter->answered) {
            answer_merge(waiter->answer, &query->answer, family);
            waiter->unnamed |= family == FAMILY_V4 && query->answer.no_name;
            pending_settle(pending, waiter);
        } else if (waiter->sent && !waiter_shares_query(waiter)) {
            pending_release(pending, waiter);
        }
    }
    pending_release_lookup(pending, lookup);
}

/* A recent query for the same name. */
static struct pending_lookup *
pending_find(struct pending *pending, const struct key *key,
             enum lookup_family family)
{
    uint64_t now_ms = loop_now_ms(pending->context.loop);

    list_each_safe (at, after, &pending->open) {
        struct pending_lookup *lookup =
            container_of(at, struct pending_lookup, query.link);
        const struct key *other = &lookup->query.key;
        if (other->hash == key->hash && lookup->query.family == family &&
            !lookup->query.answered && now_ms < lookup->join_until_ms &&
            strcmp(other->text, key->text) == 0)
            return lookup;
    }
    return NULL;
}

/* NULL: no query may be dropped for it. */
static struct pending_lookup *
pending_open(struct pending *pending, struct waiter *waiter,
             const struct key *key, enum lookup_family family,
             uint64_t timeout_ms)
{
    struct share *share = waiter->share;

    pending_make_room(pending, share->client, share->source, POOL_QUERIES,
                      waiter);
    if (list_empty(&pending->free_lookups))
        return NULL;
    struct pending_lookup *lookup = container_of(
        pending->free_lookups.next, struct pending_lookup, query.link);
    list_remove(&lookup->query.link);
    list_append(&pending->open, &lookup->query.link);
    lookup->join_until_ms =
        loop_now_ms(pending->context.loop) + PENDING_JOIN_MS;
    lookup->query.key = *key;
    lookup->query.family = family;
    query_start(&lookup->query, timeout_ms, pending_answer_all);
    return lookup;
}

/* False: there is no room for its query. */
static bool
pending_share_query(struct pending *pending, struct waiter *waiter,
                    const struct key *key, int family, uint64_t timeout_ms)
{
    struct pending_lookup *lookup =
        pending_find(pending, key, pending_families[family]);

    if (lookup != NULL)
        query_extend(&lookup->query, timeout_ms);
    else
        lookup = pending_open(pending, waiter, key, pending_families[family],
                              timeout_ms);
    if (lookup == NULL)
        return false;
    pending_join(pending, lookup, &waiter->legs[family]);
    return true;
}

/* Waits for the families that are `missing`. False: there is no room, and
   `answer` says so. */
static bool
pending_wait(struct pending *pending, struct resolver_client *client,
             const struct key *key, const struct lookup_query *asked,
             unsigned missing, struct lookup_answer *answer)
{
    const struct answer overloaded = {.outcome = LOOKUP_OVERLOADED};
    uint64_t timeout_ms = (uint64_t)asked->timeout_ms + PENDING_GRACE_MS;

    pending_make_room(pending, client, asked->source, POOL_WAITERS, NULL);
    if (list_empty(&pending->free_waiters)) {
        answer_merge(answer, &overloaded, FAMILY_V4);
        return false;
    }
    struct share *share = share_find(pending, client, asked->source);
    if (share == NULL)
        share = share_open(pending, client, asked->source);
    struct waiter *waiter = waiter_open(pending, share, answer);
    for (int i = 0; i < FAMILIES; i++)
        if ((missing & pending_families[i]) &&
            !pending_share_query(pending, waiter, key, i, timeout_ms))
            answer_merge(waiter->answer, &overloaded, i);
    if (waiter_shares_query(waiter)) {
        pending_settle(pending, waiter);
        return true;
    }
    *answer = *waiter->answer;
    pending_release(pending, waiter);
    return false;
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

/* The hosts file comes first [4A-4.3-1]: where it has an address of a family
   that is wanted, no other is looked for. */
static bool
pending_is_of_system(const struct pending *pending, const struct key *key,
                     unsigned families, struct lookup_answer *answer)
{
    static const struct addr loopback[FAMILIES] = {
        [FAMILY_V4] = {0, UINT64_C(0xffff7f000001)}, [FAMILY_V6] = {0, 1}};
    struct answer found[FAMILIES] = {{0}};
    size_t count = 0;

    for (int i = 0; i < FAMILIES; i++)
        if (families & pending_families[i])
            count += found[i].count = (uint32_t)hosts_find(
                pending->hosts, key, pending_families[i], found[i].addresses);
    bool localhost = count == 0 && pending_is_localhost(key);
    for (int i = 0; i < FAMILIES; i++) {
        if (localhost && (families & pending_families[i]))
            found[i].addresses[found[i].count++] = loopback[i];
        answer_merge(answer, &found[i], i);
    }
    return answer->count > 0;
}

/* What the cache knows goes into the answer. The families that it does not
   know; none where it knows that there is no such name. */
static unsigned
pending_recall(const struct pending *pending, const struct key *key,
               unsigned families, struct lookup_answer *answer)
{
    uint64_t now_ms = loop_now_ms(pending->context.loop);
    unsigned missing = families;
    bool unnamed = false;

    for (int i = 0; i < FAMILIES; i++) {
        enum lookup_family family = pending_families[i];
        const struct answer *known =
            families & family ? cache_find(&pending->cache, key, family, now_ms)
                              : NULL;
        if (known == NULL)
            continue;
        answer_merge(answer, known, i);
        missing &= ~(unsigned)family;
        unnamed |= i == FAMILY_V4 && known->no_name;
    }
    return unnamed ? 0 : missing;
}

bool
pending_ask(struct pending *pending, struct resolver_client *client,
            const struct lookup_query *asked, struct lookup_answer *answer)
{
    struct key key;
    unsigned families = asked->families & LOOKUP_BOTH;

    *answer = (struct lookup_answer){.id = asked->id, .outcome = LOOKUP_FAILED};
    if (families == 0 || key_make(&key, asked->name, asked->len) != 0)
        return true;
    answer->outcome = LOOKUP_NO_SUCH_NAME; /* unless a family says otherwise */
    if (pending_is_of_system(pending, &key, families, answer))
        return true;
    unsigned missing = pending_recall(pending, &key, families, answer);
    return missing == 0 ||
           !pending_wait(pending, client, &key, asked, missing, answer);
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
        if (waiter->answer->id != id || waiter->answered)
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
        timer_init(&waiter->hurry, pending_hurry);
        waiter->answer = &pending->answers[i];
        for (size_t j = 0; j < FAMILIES; j++) {
            list_init(&waiter->legs[j].link);
            waiter->legs[j].waiter = waiter;
        }
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
