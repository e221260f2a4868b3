#include "gateway/worker/backlog.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/worker/relay.h"

#define LOOK_MS 1000

/* Entries at once, with at most two system calls each; where there are more,
   looks are more frequent. */
#define LOOK_COUNT 1024

/* Where `full` did not end enough relays. */
#define LOOK_AGAIN_MS 20

/* A relay that holds no more needs no entry. */
#define BACKLOG_LITTLE 65536

#define CHECK_STEP_MAX (1 << 20)

static void backlog_look(struct timer *timer);

void
backlog_init(struct backlog *backlog, struct loop *loop,
             struct segment_column *column, backlog_fn *full)
{
    *backlog = (struct backlog){.loop = loop, .column = column, .full = full};
    list_init(&backlog->entries);
    timer_init(&backlog->look, backlog_look);
}

/* Octets that a direction moves between two checks of its queues. A queue can
   exceed its bound by as much, so a smaller bound is checked more often. */
static uint32_t
backlog_check_step(uint32_t in_max, uint32_t out_max)
{
    uint32_t lesser =
        in_max == 0 || (out_max != 0 && out_max < in_max) ? out_max : in_max;

    if (lesser / 2 > CHECK_STEP_MAX)
        return CHECK_STEP_MAX;
    return lesser / 2 > BACKLOG_STEP ? lesser / 2 : BACKLOG_STEP;
}

void
backlog_set(struct backlog *backlog, const struct config_budget *budget)
{
    backlog->max = budget->queued;
    backlog->in_max = budget->buffer_in;
    backlog->out_max = budget->buffer_out;
    backlog->out_given = budget->out_given;
    backlog->check_step =
        backlog_check_step(budget->buffer_in, budget->buffer_out);
}

void
backlog_fini(struct backlog *backlog)
{
    assert(backlog->count == 0);
    loop_cancel_timer(backlog->loop, &backlog->look);
}

static void
backlog_charge(struct backlog_entry *entry, uint64_t octets)
{
    struct backlog *backlog = &entry->relay->pool->backlog;
    int64_t more = (int64_t)(octets - entry->octets);

    entry->octets = octets;
    backlog->octets += (uint64_t)more;
    segment_charge(backlog->column, SEGMENT_GAUGE_queued, (int)more);
}

void
backlog_enter(struct relay *relay)
{
    struct backlog *backlog = &relay->pool->backlog;
    struct backlog_entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL)
        return;
    entry->relay = relay;
    for (int way = RELAY_UP; way <= RELAY_DOWN; way++)
        entry->moved[way] = UINT64_MAX;
    relay->backlog = entry;
    list_append(&backlog->entries, &entry->link);
    backlog->count++;
    if (!timer_running(&backlog->look))
        loop_start_timer(backlog->loop, &backlog->look, LOOK_MS);
}

void
backlog_forget(struct relay *relay)
{
    struct backlog *backlog = &relay->pool->backlog;

    if (relay->backlog == NULL)
        return;
    backlog_charge(relay->backlog, 0);
    list_remove(&relay->backlog->link);
    free(relay->backlog);
    relay->backlog = NULL;
    for (int way = RELAY_UP; way <= RELAY_DOWN; way++)
        relay->half[way].mark =
            (uint8_t)(relay->half[way].moved / BACKLOG_STEP);
    if (--backlog->count == 0)
        loop_cancel_timer(backlog->loop, &backlog->look);
}

/* ---- Bounds ---- */

/* Bounds the queues of a direction that the kernel's tuning has let grow beyond
   half of it: bounded earlier, a slow path's would get longer than they were.
   True: there is nothing left to bound. */
static bool
backlog_bound(struct relay *relay, unsigned way)
{
    const struct backlog *backlog = &relay->pool->backlog;
    struct relay_half *half = &relay->half[way];
    struct stream *from = half_from(relay, (enum relay_direction)way);
    struct stream *to = half_to(relay, (enum relay_direction)way);
    bool in_due = backlog->in_max != 0 && !half->in_bound;
    bool out_due = backlog->out_max != 0 && !half->out_bound;

    if (in_due && stream_memory(from).in_max > backlog->in_max / 2) {
        stream_bound_in(from, backlog->in_max);
        half->in_bound = true;
        in_due = false;
    }
    if (out_due && stream_memory(to).out_max > backlog->out_max / 2) {
        stream_bound_out(to, backlog->out_max);
        half->out_bound = true;
        out_due = false;
    }
    return !in_due && !out_due;
}

void
backlog_check(struct relay *relay, unsigned way)
{
    bool done = backlog_bound(relay, way);

    if (relay->backlog == NULL)
        backlog_enter(relay);
    if (relay->backlog != NULL)
        relay->backlog->check_at[way] =
            done ? UINT64_MAX
                 : relay->half[way].moved + relay->pool->backlog.check_step;
}

/* ---- Looks ---- */

/* A direction that has moved nothing since the last look stalls, and gives its
   pipe back. */
static bool
backlog_look_at_way(struct backlog_entry *entry, int way)
{
    const struct relay_half *half = &entry->relay->half[way];
    bool stalls = entry->moved[way] == half->moved;

    if (stalls)
        relay_leave_pipe(entry->relay, (enum relay_direction)way);
    entry->moved[way] = half->moved;
    return stalls;
}

static uint64_t
backlog_in_pipe(const struct backlog_entry *entry, int way)
{
    return entry->pipe[way] != NULL ? entry->pipe[way]->filled : 0;
}

static void
backlog_look_at(struct backlog_entry *entry)
{
    struct relay *relay = entry->relay;
    bool up = backlog_look_at_way(entry, RELAY_UP);
    bool down = backlog_look_at_way(entry, RELAY_DOWN);
    uint64_t octets = 0;

    if (up || down) {
        struct sys_memory client = stream_memory(&relay->client);
        struct sys_memory server = stream_memory(&relay->server);
        if (up)
            octets += client.in + server.out + backlog_in_pipe(entry, RELAY_UP);
        if (down)
            octets +=
                server.in + client.out + backlog_in_pipe(entry, RELAY_DOWN);
    }
    backlog_charge(entry, octets);
    bool pipes = entry->pipe[RELAY_UP] || entry->pipe[RELAY_DOWN];
    if (up && down && octets < BACKLOG_LITTLE && !pipes)
        backlog_forget(relay);
}

static void
backlog_look(struct timer *timer)
{
    struct backlog *backlog = container_of(timer, struct backlog, look);
    uint64_t count = backlog->count < LOOK_COUNT ? backlog->count : LOOK_COUNT;
    uint64_t now_ms = loop_now_ms(backlog->loop);
    bool due = now_ms >= backlog->look_ms;

    if (due)
        backlog->look_ms = now_ms + LOOK_MS * count / backlog->count;
    for (uint64_t i = 0; due && i < count; i++) {
        struct list *first = backlog->entries.next;
        list_remove(first);
        list_append(&backlog->entries, first);
        backlog_look_at(container_of(first, struct backlog_entry, link));
    }
    uint64_t next_ms = backlog->look_ms - now_ms;
    if (backlog->octets > backlog->max)
        backlog->full(backlog);
    if (backlog->octets > backlog->max)
        next_ms = LOOK_AGAIN_MS;
    if (backlog->count > 0)
        loop_start_timer(backlog->loop, &backlog->look, next_ms);
}
