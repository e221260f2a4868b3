#include "gateway/resolver/desk.h"

#include <assert.h>
#include <string.h>

static void
fill(struct lookup_answer *answer, const struct answer *known)
{
    answer->outcome = known->outcome;
    answer->count = known->count;
    memcpy(answer->addresses, known->addresses,
           known->count * sizeof(known->addresses[0]));
}

/* --- pools -------------------------------------------------------------- */

void
holder_init(struct holder *holder)
{
    *holder = (struct holder){.asker_count = 0};
    list_init(&holder->askers);
}

/* Whether there is one left for somebody who has so many. */
static bool
may_take(size_t held, size_t free)
{
    return held < free;
}

static struct asker *
take_asker(struct desk *desk, struct holder *holder, uint64_t id)
{
    if (!may_take(holder->asker_count, desk->free_asker_count))
        return NULL;
    struct asker *asker =
        container_of(desk->free_askers.next, struct asker, link);
    list_remove(&asker->link);
    desk->free_asker_count--;
    holder->asker_count++;
    asker->holder = holder;
    asker->answer = (struct lookup_answer){.id = id};
    list_append(&holder->askers, &asker->mine);
    return asker;
}

void
desk_release(struct desk *desk, struct asker *asker)
{
    list_remove(&asker->link);
    list_remove(&asker->mine);
    asker->holder->asker_count--;
    list_append(&desk->free_askers, &asker->link);
    desk->free_asker_count++;
}

static struct inquiry *
take_inquiry(struct desk *desk, struct holder *holder)
{
    if (!may_take(holder->question_count, desk->free_inquiry_count))
        return NULL;
    struct inquiry *inquiry =
        container_of(desk->free_inquiries.next, struct inquiry, question.link);
    list_remove(&inquiry->question.link);
    desk->free_inquiry_count--;
    holder->question_count++;
    inquiry->payer = holder;
    return inquiry;
}

static void
release_inquiry(struct desk *desk, struct inquiry *inquiry)
{
    if (inquiry->payer != NULL)
        inquiry->payer->question_count--;
    inquiry->payer = NULL;
    list_remove(&inquiry->question.link);
    list_append(&desk->free_inquiries, &inquiry->question.link);
    desk->free_inquiry_count++;
}

/* --- asking ------------------------------------------------------------- */

static void
answer_all(struct question *question)
{
    struct inquiry *inquiry = container_of(question, struct inquiry, question);
    struct desk *desk = inquiry->desk;

    cache_put(&desk->cache, &question->key, &question->answer,
              loop_now_ms(desk->means.loop));
    list_each_safe (at, after, &inquiry->askers) {
        struct asker *asker = container_of(at, struct asker, link);
        list_remove(&asker->link);
        list_remove(&asker->mine);
        fill(&asker->answer, &question->answer);
        desk->answered(asker);
    }
    release_inquiry(desk, inquiry);
}

/* A young one that asks the same. */
static struct inquiry *
find_open(struct desk *desk, const struct key *key)
{
    uint64_t now_ms = loop_now_ms(desk->means.loop);

    list_each_safe (at, after, &desk->open) {
        struct inquiry *inquiry =
            container_of(at, struct inquiry, question.link);
        const struct key *asked = &inquiry->question.key;
        if (asked->hash == key->hash && !inquiry->question.answered &&
            inquiry->since_ms + DESK_JOIN_MS > now_ms &&
            strcmp(asked->text, key->text) == 0)
            return inquiry;
    }
    return NULL;
}

static struct inquiry *
open_inquiry(struct desk *desk, struct holder *holder, const struct key *key,
             uint64_t patience_ms)
{
    struct inquiry *inquiry = take_inquiry(desk, holder);

    if (inquiry == NULL)
        return NULL;
    inquiry->since_ms = loop_now_ms(desk->means.loop);
    inquiry->question.key = *key;
    list_append(&desk->open, &inquiry->question.link);
    question_start(&inquiry->question, patience_ms, answer_all);
    return inquiry;
}

/* False: there is no room for it. */
static bool
wait_for(struct desk *desk, struct holder *holder, const struct key *key,
         const struct lookup_question *asked)
{
    uint64_t patience_ms = (uint64_t)asked->patience_ms + DESK_GRACE_MS;
    struct asker *asker = take_asker(desk, holder, asked->id);

    if (asker == NULL)
        return false;
    struct inquiry *inquiry = find_open(desk, key);
    if (inquiry != NULL)
        question_extend(&inquiry->question, patience_ms);
    else
        inquiry = open_inquiry(desk, holder, key, patience_ms);
    if (inquiry == NULL) {
        desk_release(desk, asker);
        return false;
    }
    asker->inquiry = inquiry;
    list_append(&inquiry->askers, &asker->link);
    return true;
}

bool
desk_ask(struct desk *desk, struct holder *holder,
         const struct lookup_question *question, struct lookup_answer *answer)
{
    struct key key;

    *answer =
        (struct lookup_answer){.id = question->id, .outcome = LOOKUP_FAILED};
    if (key_make(&key, question->name, question->len) != 0)
        return true;
    const struct answer *known =
        cache_find(&desk->cache, &key, loop_now_ms(desk->means.loop));
    if (known != NULL)
        fill(answer, known);
    return known != NULL || !wait_for(desk, holder, &key, question);
}

/* --- leaving ------------------------------------------------------------ */

/* Who is the last to go puts out the light. */
static void
drop(struct desk *desk, struct asker *asker)
{
    struct inquiry *inquiry = asker->inquiry;

    desk_release(desk, asker);
    if (list_empty(&inquiry->askers))
        question_give_up(&inquiry->question);
}

void
desk_cancel(struct desk *desk, struct holder *holder, uint64_t id)
{
    list_each_safe (at, after, &holder->askers) {
        struct asker *asker = container_of(at, struct asker, mine);
        if (asker->answer.id != id)
            continue;
        drop(desk, asker);
        return;
    }
}

void
desk_leave(struct desk *desk, struct holder *holder)
{
    list_each_safe (at, after, &holder->askers) {
        drop(desk, container_of(at, struct asker, mine));
    }
    list_each_safe (at, after, &desk->open) {
        struct inquiry *inquiry =
            container_of(at, struct inquiry, question.link);
        if (inquiry->payer == holder)
            inquiry->payer = NULL;
    }
    assert(holder->asker_count == 0);
    holder->question_count = 0;
}

void
desk_init(struct desk *desk, struct loop *loop,
          struct ares_addr_port_node *servers, unsigned sockets_max,
          desk_answered_fn *answered)
{
    desk->means = (struct question_means){
        .loop = loop, .servers = servers, .sockets_max = sockets_max};
    desk->answered = answered;
    list_init(&desk->open);
    list_init(&desk->free_inquiries);
    list_init(&desk->free_askers);
    desk->free_inquiry_count = DESK_QUESTIONS;
    desk->free_asker_count = DESK_ASKERS;
    for (size_t i = 0; i < DESK_QUESTIONS; i++) {
        struct inquiry *inquiry = &desk->inquiries[i];
        question_init(&inquiry->question, &desk->means);
        list_init(&inquiry->askers);
        inquiry->desk = desk;
        list_append(&desk->free_inquiries, &inquiry->question.link);
    }
    for (size_t i = 0; i < DESK_ASKERS; i++) {
        list_init(&desk->askers[i].mine);
        list_append(&desk->free_askers, &desk->askers[i].link);
    }
}
