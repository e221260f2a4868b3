#include "gateway/worker/attempts.h"

#include <string.h>

#include "base/siphash.h"
#include "gateway/worker/session.h"

/* Attempts that are looked at, at most, for one of a source or of the block
   that has most. */
#define SCAN 64

/* Prefixes that are charged besides the holder, in this order. */
#define PREFIX_56 (~UINT64_C(0) << 8)
#define PREFIX_48 (~UINT64_C(0) << 16)

/* An IPv4 source is found by its index in the table of sources, which was
   computed with a hash when the session began: no second hash is needed. */
static struct attempts_holder *
attempts_find(struct attempts *attempts, struct addr client, int source_index)
{
    if (addr_is_v4(client) && source_index >= 0)
        return &attempts->holders[source_index % ATTEMPTS_HOLDERS];
    uint64_t key = addr_is_v4(client)
                       ? UINT64_C(0xffff00000000) | addr_to_v4(client)
                       : client.hi & PREFIX_48;

    return &attempts
                ->holders[siphash(attempts->secret, key) % ATTEMPTS_HOLDERS];
}

/* Of the /56, then of the /64; an IPv4 address has neither. */
static uint32_t *
attempts_block(struct attempts *attempts, int which, struct addr client)
{
    uint64_t key = which == 0 ? client.hi & PREFIX_56 : client.hi;

    return &attempts->blocks[which]
                            [siphash(attempts->secret, key) % ATTEMPTS_BLOCKS];
}

static void
attempts_charge(struct attempts *attempts, struct addr client, int by)
{
    if (addr_is_v4(client))
        return;
    for (int which = 0; which < 2; which++)
        *attempts_block(attempts, which, client) += (uint32_t)by;
}

static size_t
attempts_rank(const struct attempts_holder *holder)
{
    return holder->count < ATTEMPTS_RANKS ? holder->count : ATTEMPTS_RANKS - 1;
}

/* Moves a holder whose count has changed by one to its new rank. The loop is
   bounded: `most` only rises by one a call, and falls as many times as it has
   risen. */
static void
attempts_set_rank(struct attempts *attempts, struct attempts_holder *holder)
{
    size_t rank = attempts_rank(holder);

    list_remove(&holder->rank);
    if (rank > 0)
        list_append(&attempts->ranks[rank], &holder->rank);
    if (rank > attempts->most)
        attempts->most = rank;
    while (attempts->most > 0 && list_empty(&attempts->ranks[attempts->most]))
        attempts->most--;
}

static void
attempts_append_fin(struct attempts *attempts, struct attempts_holder *holder,
                    struct session *session)
{
    list_append(&holder->fin_received, &session->link);
    if (list_empty(&holder->link))
        list_append(&attempts->with_fin, &holder->link);
}

void
attempts_init(struct attempts *attempts, const uint64_t secret[2])
{
    memset(attempts, 0, sizeof(*attempts));
    attempts->secret = secret;
    list_init(&attempts->with_fin);
    for (size_t i = 0; i < ATTEMPTS_RANKS; i++)
        list_init(&attempts->ranks[i]);
}

void
attempts_add(struct attempts *attempts, struct session *session,
             bool fin_received)
{
    struct attempts_holder *holder =
        attempts_find(attempts, session->client, session->source_index);

    if (holder->count == 0) {
        list_init(&holder->rank);
        list_init(&holder->link);
        list_init(&holder->fin_received);
        list_init(&holder->waiting);
    }
    attempts->count++;
    holder->count++;
    attempts_set_rank(attempts, holder);
    attempts_charge(attempts, session->client, 1);
    if (fin_received)
        attempts_append_fin(attempts, holder, session);
    else
        list_append(&holder->waiting, &session->link);
}

void
attempts_remove(struct attempts *attempts, struct session *session)
{
    struct attempts_holder *holder =
        attempts_find(attempts, session->client, session->source_index);

    list_remove(&session->link);
    if (list_empty(&holder->fin_received))
        list_remove(&holder->link);
    attempts->count--;
    holder->count--;
    attempts_set_rank(attempts, holder);
    attempts_charge(attempts, session->client, -1);
}

void
attempts_receive_fin(struct attempts *attempts, struct session *session)
{
    list_remove(&session->link);
    attempts_append_fin(
        attempts,
        attempts_find(attempts, session->client, session->source_index),
        session);
}

static struct session *
attempts_first(const struct attempts_holder *holder)
{
    const struct list *first = !list_empty(&holder->fin_received)
                                   ? holder->fin_received.next
                                   : holder->waiting.next;

    return container_of(first, struct session, link);
}

/* Of the holders that have most, the first. */
static struct attempts_holder *
attempts_heaviest(struct attempts *attempts)
{
    return container_of(attempts->ranks[attempts->most].next,
                        struct attempts_holder, rank);
}

struct list *
attempts_list(struct attempts *attempts, size_t i)
{
    struct attempts_holder *holder = &attempts->holders[i / 2];

    if (holder->count == 0)
        return NULL;
    return i % 2 == 0 ? &holder->waiting : &holder->fin_received;
}

struct session *
attempts_any(struct attempts *attempts)
{
    return attempts->count > 0 ? attempts_first(attempts_heaviest(attempts))
                               : NULL;
}

struct session *
attempts_fin_received(struct attempts *attempts)
{
    if (list_empty(&attempts->with_fin))
        return NULL;
    return attempts_first(
        container_of(attempts->with_fin.next, struct attempts_holder, link));
}

size_t
attempts_most(const struct attempts *attempts)
{
    return attempts->most;
}

/* The /56 counts first, then the /64. */
static uint64_t
attempts_weight(struct attempts *attempts, struct addr client)
{
    if (addr_is_v4(client))
        return 0;
    return (uint64_t)*attempts_block(attempts, 0, client) << 32 |
           *attempts_block(attempts, 1, client);
}

/* Of the oldest ones, the first in the block that has most. */
struct session *
attempts_of_most(struct attempts *attempts, struct addr from, int source_index)
{
    struct attempts_holder *own = attempts_find(attempts, from, source_index);
    struct attempts_holder *holder = attempts_heaviest(attempts);
    uint64_t most = 0;

    if (own->count > 0 && attempts_rank(own) == attempts->most)
        holder = own;
    struct session *found = attempts_first(holder);
    struct list *at = holder->waiting.next;
    for (int i = 0; i < SCAN && at != &holder->waiting; i++, at = at->next) {
        struct session *session = container_of(at, struct session, link);
        uint64_t weight = attempts_weight(attempts, session->client);
        if (weight > most) {
            found = session;
            most = weight;
        }
    }
    return found;
}

static struct session *
attempts_scan(struct list *list, int source_index)
{
    struct list *at = list->next;

    for (int i = 0; i < SCAN && at != list; i++, at = at->next) {
        struct session *session = container_of(at, struct session, link);
        if (session->source_index == source_index)
            return session;
    }
    return NULL;
}

struct session *
attempts_of_source(struct attempts *attempts, struct addr from,
                   int source_index)
{
    struct attempts_holder *holder =
        attempts_find(attempts, from, source_index);

    if (holder->count == 0)
        return NULL;
    struct session *session =
        attempts_scan(&holder->fin_received, source_index);
    return session != NULL ? session
                           : attempts_scan(&holder->waiting, source_index);
}
