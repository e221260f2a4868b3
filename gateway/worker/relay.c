#include "gateway/worker/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

/* Steps of one direction in one turn of the loop; the rest waits its turn. */
#define RELAY_STEPS 4

/* Full reads in a row that make a direction bulk; and splices below
   SPLICE_SMALL in a row that end it. */
#define BULK_STREAK 2
#define SMALL_STREAK 4
#define SPLICE_SMALL 16384

/* How often relays are checked whether a leg has acknowledged everything, and
   how long that may take at once. */
#define ACK_CHECK_MS 20
#define ACK_CHECK_TURN_US 5000

/* What one step of a direction came to. */
enum step {
    STEP_WAITS, /* for an event of either leg */
    STEP_MORE,  /* there may be more to do at once */
};

/* ---- One direction ---- */

static enum relay_direction
half_way(const struct relay *relay, const struct relay_half *half)
{
    return half == &relay->half[RELAY_UP] ? RELAY_UP : RELAY_DOWN;
}

/* Lent; NULL mostly. */
static struct pipe *
half_pipe(const struct relay *relay, const struct relay_half *half)
{
    return relay->backlog != NULL ? relay->backlog->pipe[half_way(relay, half)]
                                  : NULL;
}

static void
half_return_pipe(struct relay *relay, struct relay_half *half)
{
    struct pipe *pipe = half_pipe(relay, half);

    if (pipe == NULL)
        return;
    pipes_return(&relay->pool->pipes, pipe);
    relay->backlog->pipe[half_way(relay, half)] = NULL;
}

static void
half_count(struct relay *relay, struct relay_half *half, size_t count)
{
    static const enum segment_counter counters[] = {
        [RELAY_UP] = SEGMENT_COUNTER_relayed_up,
        [RELAY_DOWN] = SEGMENT_COUNTER_relayed_down,
    };

    half->moved += count;
    segment_count(relay->pool->pipes.column, counters[half_way(relay, half)],
                  count);
}

static void
half_moved(struct relay *relay, struct relay_half *half, size_t count)
{
    enum relay_direction way = half_way(relay, half);
    half_count(relay, half, count);
    relay->moved_ms = loop_now_ms(relay->pool->loop);
    if (relay->backlog == NULL
            ? half->mark != (uint8_t)(half->moved / BACKLOG_STEP)
            : half->moved >= relay->backlog->check_at[way])
        backlog_check(relay, way);
}

static void
relay_pool_charge(struct relay_pool *pool, int octets)
{
    pool->held += (uint64_t)(int64_t)octets;
    segment_charge(pool->pipes.column, SEGMENT_GAUGE_held, octets);
}

/* What one read may bring. */
static size_t
relay_pool_room(const struct relay_pool *pool)
{
    return pool->held > pool->held_max ? RELAY_TIGHT : RELAY_BUFFER;
}

/* Of a half that holds something. */
static struct relay_held *
half_held(const struct relay *relay, enum relay_direction way)
{
    struct relay_held *held = relay->held;

    return held->way == way ? held : held->next;
}

/* It holds nothing yet. NULL: no memory. */
static struct relay_held *
half_new_held(struct relay *relay, struct relay_half *half, size_t count,
              bool urgent)
{
    struct relay_held *held = malloc(sizeof(*held) + count);

    if (held == NULL)
        return NULL;
    relay_pool_charge(relay->pool, (int)count);
    held->next = relay->held;
    held->from = 0;
    held->to = count;
    held->urgent = urgent;
    held->way = (uint8_t)half_way(relay, half);
    relay->held = held;
    half->holds = true;
    return held;
}

static void
half_hold(struct relay *relay, struct relay_half *half, const uint8_t *octets,
          size_t count, bool urgent)
{
    struct relay_held *held = half_new_held(relay, half, count, urgent);

    if (held != NULL)
        memcpy(held->octets, octets, count);
    else
        half->no_memory = true;
}

static void
half_drop_held(struct relay *relay, enum relay_direction way)
{
    if (!relay->half[way].holds)
        return;
    struct relay_held *held = half_held(relay, way);
    relay_pool_charge(relay->pool, -(int)held->to);
    if (relay->held == held)
        relay->held = held->next;
    else
        relay->held->next = NULL;
    relay->half[way].holds = false;
    free(held);
}

static enum step
half_flush_held(struct relay *relay, enum relay_direction way)
{
    struct relay_held *held = half_held(relay, way);
    struct stream *to = half_to(relay, way);

    if (!stream_is(to, STREAM_WRITABLE))
        return STEP_WAITS;
    size_t left = held->to - held->from;
    ssize_t sent = held->urgent
                       ? stream_send_urgent(to, held->octets[0])
                       : stream_send(to, held->octets + held->from, left);

    if (sent < 0)
        return STEP_WAITS;
    half_moved(relay, &relay->half[way], (size_t)sent);
    held->from += (size_t)sent;
    if (held->from < held->to)
        return STEP_WAITS;
    half_drop_held(relay, way);
    return STEP_MORE;
}

static void half_write(struct relay *relay, struct relay_half *half,
                       struct stream *to, size_t count);

static void
relay_give_up_splice(struct relay *relay, int error)
{
    struct relay_pool *pool = relay->pool;
    bool known = pool->splice_error != 0;

    pool->splice_error = error;
    if (!known)
        pool->notify(relay, RELAY_NO_SPLICE);
}

/* Splice fails, and octets are in the pipe already: none is lost. */
static enum step
half_read_pipe(struct relay *relay, struct relay_half *half, struct stream *to)
{
    struct pipe *pipe = half_pipe(relay, half);
    ssize_t count = sys_pipe_read(pipe->ends[0], relay->pool->buffer,
                                  relay_pool_room(relay->pool));

    if (count <= 0) { /* cannot be; the session must not wait for ever */
        half->no_memory = true;
        return STEP_WAITS;
    }
    pipe->filled -= (size_t)count;
    half_write(relay, half, to, (size_t)count);
    return STEP_MORE;
}

static enum step
half_flush_pipe(struct relay *relay, struct relay_half *half, struct stream *to)
{
    if (!stream_is(to, STREAM_WRITABLE))
        return STEP_WAITS;
    if (relay->pool->splice_error != 0)
        return half_read_pipe(relay, half, to);
    struct pipe *pipe = half_pipe(relay, half);
    ssize_t sent = stream_splice_out(to, pipe->ends[0], pipe->filled);

    if (stream_cannot_splice(sent)) {
        relay_give_up_splice(relay, (int)sent);
        return half_read_pipe(relay, half, to);
    }
    if (sent <= 0)
        return STEP_WAITS;
    half_moved(relay, half, (size_t)sent);
    pipe->filled -= (size_t)sent;
    return pipe->filled > 0 ? STEP_WAITS : STEP_MORE;
}

/* Writes what was read; what is not taken is held. */
static void
half_write(struct relay *relay, struct relay_half *half, struct stream *to,
           size_t count)
{
    const uint8_t *octets = relay->pool->buffer;
    ssize_t sent = stream_send(to, octets, count);

    if (sent < 0 && sent != -EAGAIN)
        return;
    size_t written = sent > 0 ? (size_t)sent : 0;
    if (written > 0)
        half_moved(relay, half, written);
    if (written < count)
        half_hold(relay, half, octets + written, count - written, false);
}

static void
half_ended(struct relay *relay, enum relay_direction way)
{
    relay->half[way].ended = true;
    relay->half[way].first = !relay->half[!way].ended;
}

/* The reader's leg is broken: nothing can reach it. What its peer sends is
   read all the same, since a writer that is held up may not read, either. */
static enum step
half_discard(struct relay *relay, enum relay_direction way)
{
    struct relay_half *half = &relay->half[way];
    struct stream *from = half_from(relay, way);

    half_drop_held(relay, way);
    half_return_pipe(relay, half);
    if (half->ended || stream_is(from, STREAM_BROKEN) ||
        !stream_is(from, STREAM_READABLE))
        return STEP_WAITS;
    ssize_t count = stream_recv(from, relay->pool->buffer, RELAY_BUFFER);
    if (count == 0)
        half_ended(relay, way);
    return count > 0 ? STEP_MORE : STEP_WAITS;
}

/* The octet at the mark goes on as what it is, in its place. */
static enum step
half_move_urgent(struct relay *relay, struct relay_half *half,
                 struct stream *from, struct stream *to)
{
    uint8_t octet;

    if (stream_recv_urgent(from, &octet) != 1)
        return STEP_WAITS;
    ssize_t sent = stream_send_urgent(to, octet);
    if (sent == 1)
        half_moved(relay, half, 1);
    else if (sent == -EAGAIN)
        half_hold(relay, half, &octet, 1, true);
    return STEP_MORE;
}

static enum step
half_copy(struct relay *relay, enum relay_direction way)
{
    struct relay_half *half = &relay->half[way];
    struct stream *from = half_from(relay, way);
    size_t room = relay_pool_room(relay->pool);
    ssize_t count = stream_recv(from, relay->pool->buffer, room);

    if (count < 0)
        return stream_is(from, STREAM_BROKEN) ? STEP_MORE : STEP_WAITS;
    if (count == 0) {
        half_ended(relay, way);
        return STEP_MORE;
    }
    half->streak = (size_t)count == room ? (uint8_t)(half->streak + 1) : 0;
    if (half->streak >= BULK_STREAK &&
        relay->pool->splice == CONFIG_SPLICE_AUTO && !half->copy_only) {
        half->spliced = true;
        half->streak = 0;
    }
    half_write(relay, half, half_to(relay, way), (size_t)count);
    return STEP_MORE;
}

/* Whether urgent data is the next to be read. The kernel is asked only if an
   event has announced urgent data, or if octets were read since the last event,
   since a mark may have come after that. */
static bool
half_at_mark(struct stream *from)
{
    bool may_be =
        stream_is(from, STREAM_URGENT) || !stream_is(from, STREAM_FRESH);
    return may_be && stream_at_mark(from);
}

/* Reads as far as the mark, or what stands at it. */
static enum step
half_read(struct relay *relay, enum relay_direction way)
{
    struct stream *from = half_from(relay, way);

    if (half_at_mark(from))
        return half_move_urgent(relay, &relay->half[way], from,
                                half_to(relay, way));
    return half_copy(relay, way);
}

static void
half_count_splice(struct relay *relay, struct relay_half *half, size_t count)
{
    half->streak = count < SPLICE_SMALL ? (uint8_t)(half->streak + 1) : 0;
    if (half->streak >= SMALL_STREAK &&
        relay->pool->splice == CONFIG_SPLICE_AUTO) {
        half->spliced = false;
        half->streak = 0;
    } else if (half->streak >= SMALL_STREAK) {
        half->streak = 0;
    }
}

/* Splices into the pipe, which is empty here. If few pipes are left, it gets
   only RELAY_BUFFER octets: if the reader then stalls, they are copied into a
   buffer of that size and another relay can have the pipe. */
static enum step
half_splice(struct relay *relay, enum relay_direction way)
{
    struct relay_half *half = &relay->half[way];
    struct stream *from = half_from(relay, way);
    size_t room = pipes_scarce(&relay->pool->pipes) ? RELAY_BUFFER : PIPE_SIZE;
    struct pipe *pipe = half_pipe(relay, half);
    ssize_t count = stream_splice_in(from, pipe->ends[1], room);

    if (count > 0) {
        pipe->filled = (size_t)count;
        half_count_splice(relay, half, (size_t)count);
        half_flush_pipe(relay, half, half_to(relay, way));
        return STEP_MORE;
    }
    if (count == 0)
        return half_read(relay, way);
    half_return_pipe(relay, half);
    if (!stream_cannot_splice(count))
        return STEP_WAITS;
    relay_give_up_splice(relay, (int)count);
    return half_read(relay, way);
}

static bool
half_may_splice(struct relay *relay, struct relay_half *half)
{
    if (!half->spliced || half->copy_only || relay->pool->splice_error != 0)
        return false;
    if (relay->backlog == NULL)
        backlog_enter(relay);
    if (relay->backlog == NULL)
        return false;
    struct pipe **pipe = &relay->backlog->pipe[half_way(relay, half)];
    if (*pipe == NULL)
        *pipe = pipes_lend(&relay->pool->pipes);
    return *pipe != NULL;
}

/* Everything before the FIN is written: pass it on. Where the other way
   has finished too, the owner's close does it. */
static enum step
half_finish(struct relay *relay, enum relay_direction way)
{
    struct stream *to = half_to(relay, way);
    int error = relay->half[!way].finished ? stream_prepare_close(to)
                                           : stream_finish(to);

    if (error == 0)
        relay->half[way].finished = true;
    half_return_pipe(relay, &relay->half[way]);
    return STEP_WAITS;
}

static enum step
half_step(struct relay *relay, enum relay_direction way)
{
    struct relay_half *half = &relay->half[way];
    struct stream *from = half_from(relay, way);
    struct stream *to = half_to(relay, way);

    if (stream_is(to, STREAM_BROKEN))
        return half_discard(relay, way);
    if (half->holds)
        return half_flush_held(relay, way);
    struct pipe *pipe = half_pipe(relay, half);
    if (pipe != NULL && pipe->filled > 0)
        return half_flush_pipe(relay, half, to);
    if (half->ended)
        return half_finish(relay, way);
    if (stream_is(from, STREAM_DRAINED) || !stream_is(from, STREAM_READABLE) ||
        !stream_is(to, STREAM_WRITABLE)) {
        half_return_pipe(relay, half);
        return STEP_WAITS;
    }
    if (stream_is(from, STREAM_URGENT))
        half->copy_only = true;
    if (half_may_splice(relay, half))
        return half_splice(relay, way);
    half_return_pipe(relay, half);
    return half_read(relay, way);
}

static bool
relay_has_no_memory(const struct relay *relay)
{
    return relay->half[RELAY_UP].no_memory || relay->half[RELAY_DOWN].no_memory;
}

/* Whether the direction could go on at once. */
static bool
half_pump(struct relay *relay, enum relay_direction way)
{
    for (int steps = 0; steps < RELAY_STEPS; steps++) {
        if (relay->half[way].finished || relay_has_no_memory(relay))
            return false;
        if (half_step(relay, way) == STEP_WAITS)
            return false;
    }
    return true;
}

/* ---- Both ---- */

/* Nothing more is moved or reported. */
static void
relay_cancel(struct relay *relay)
{
    list_remove(&relay->queued);
}

static void
relay_end(struct relay *relay, enum relay_event event)
{
    relay_cancel(relay);
    relay->pool->notify(relay, event);
}

static bool
relay_is_broken(const struct relay *relay)
{
    return stream_is(&relay->client, STREAM_BROKEN) ||
           stream_is(&relay->server, STREAM_BROKEN);
}

/* It goes on at the end of this turn of the loop, or of the next. */
static void
relay_defer(struct relay *relay)
{
    struct relay_pool *pool = relay->pool;

    list_remove(&relay->queued);
    list_append(&pool->runnable, &relay->queued);
    loop_defer(pool->loop, &pool->run_queue);
}

/* It goes on when the reader may have acknowledged more: there is no event for
   that. */
static void
relay_await_ack(struct relay *relay)
{
    struct relay_pool *pool = relay->pool;

    list_remove(&relay->queued);
    list_append(&pool->unacked, &relay->queued);
    if (!timer_running(&pool->ack_check))
        loop_start_timer(pool->loop, &pool->ack_check, ACK_CHECK_MS);
}

static void
relay_report_half_closed(struct relay *relay, struct relay_half *half)
{
    if (relay->half[RELAY_UP].reported || relay->half[RELAY_DOWN].reported)
        return;
    half->reported = true;
    relay->pool->notify(relay, RELAY_HALF_CLOSED);
}

/* Whether all that the broken leg had sent was written to the other leg. A half
   reads only after it has written what it read before, so an empty receive
   queue means that. */
static bool
half_is_written(struct relay *relay, enum relay_direction way)
{
    return relay->half[way].finished ||
           stream_is(half_from(relay, way), STREAM_DRAINED);
}

/* Whether the reader's kernel has acknowledged all octets; a reset would
   destroy the others. While their number falls, the session is not idle. */
static bool
half_is_acknowledged(struct relay *relay, enum relay_direction way)
{
    struct relay_half *half = &relay->half[way];
    uint32_t unacked = (uint32_t)stream_unacked(half_to(relay, way));

    if (unacked != half->unacked)
        relay->moved_ms = loop_now_ms(relay->pool->loop);
    half->unacked = unacked;
    return unacked == 0;
}

/*
 * A leg is broken. Its direction goes on until everything before the break is
 * delivered; then the break itself is passed on.
 */
static void
relay_pass_break(struct relay *relay, bool more)
{
    enum relay_direction way =
        relay->half[RELAY_UP].broke_first ? RELAY_UP : RELAY_DOWN;

    if (stream_is(half_to(relay, way), STREAM_BROKEN) ||
        (half_is_written(relay, way) && half_is_acknowledged(relay, way))) {
        relay_end(relay,
                  way == RELAY_UP ? RELAY_CLIENT_BROKE : RELAY_SERVER_BROKE);
        return;
    }
    if (more)
        relay_defer(relay);
    else if (half_is_written(relay, way))
        relay_await_ack(relay);
    relay_report_half_closed(relay, &relay->half[way]);
}

/* Both directions go on once more: one may have broken the other's leg. */
static bool
relay_note_break(struct relay *relay)
{
    if (relay->half[RELAY_UP].broke_first ||
        relay->half[RELAY_DOWN].broke_first)
        return false;
    bool client = stream_is(&relay->client, STREAM_BROKEN);
    relay->half[client ? RELAY_UP : RELAY_DOWN].broke_first = true;
    return true;
}

static void
relay_pump(struct relay *relay)
{
    bool more = half_pump(relay, RELAY_UP);
    more |= half_pump(relay, RELAY_DOWN);

    if (relay_has_no_memory(relay)) {
        relay_end(relay, RELAY_NO_MEMORY);
    } else if (relay_is_broken(relay)) {
        more |= relay_note_break(relay);
        relay_pass_break(relay, more);
    } else if (relay->half[RELAY_UP].finished &&
               relay->half[RELAY_DOWN].finished) {
        relay_end(relay, RELAY_FINISHED);
    } else {
        if (more)
            relay_defer(relay);
        for (int way = RELAY_UP; way <= RELAY_DOWN; way++)
            if (relay->half[way].finished)
                relay_report_half_closed(relay, &relay->half[way]);
    }
}

static void
relay_client_ready(struct watch *watch, uint32_t events)
{
    struct stream *client = stream_event(watch, events);

    relay_pump(container_of(client, struct relay, client));
}

static void
relay_server_ready(struct watch *watch, uint32_t events)
{
    struct stream *server = stream_event(watch, events);

    relay_pump(container_of(server, struct relay, server));
}

static void
relay_pool_run(struct task *task)
{
    struct relay_pool *pool = container_of(task, struct relay_pool, run_queue);
    struct list now;

    list_init(&now);
    list_take(&now, &pool->runnable);
    while (!list_empty(&now)) {
        struct relay *relay = container_of(now.next, struct relay, queued);
        list_remove(&relay->queued);
        relay_pump(relay);
    }
}

static void
relay_pool_check_acks(struct timer *timer)
{
    struct relay_pool *pool = container_of(timer, struct relay_pool, ack_check);
    uint64_t until_us = sys_now_us() + ACK_CHECK_TURN_US;
    struct list now;

    list_init(&now);
    list_take(&now, &pool->unacked);
    while (!list_empty(&now) && sys_now_us() <= until_us) {
        struct relay *relay = container_of(now.next, struct relay, queued);
        list_remove(&relay->queued);
        relay_pump(relay);
    }
    /* Those that are left come first the next time. */
    list_take(&now, &pool->unacked);
    list_take(&pool->unacked, &now);
    if (!list_empty(&pool->unacked) && !timer_running(&pool->ack_check))
        loop_start_timer(pool->loop, &pool->ack_check, ACK_CHECK_MS);
}

enum relay_direction
relay_first_end(const struct relay *relay)
{
    return relay->half[RELAY_DOWN].first ? RELAY_DOWN : RELAY_UP;
}

void
relay_pool_init(struct relay_pool *pool, struct loop *loop,
                struct segment_column *column, enum config_splice splice,
                const struct config_budget *budget, relay_fn *notify,
                backlog_fn *full)
{
    pool->loop = loop;
    pool->notify = notify;
    list_init(&pool->runnable);
    task_init(&pool->run_queue, relay_pool_run);
    list_init(&pool->unacked);
    timer_init(&pool->ack_check, relay_pool_check_acks);
    pool->held = 0;
    pool->splice_error = 0;
    pipes_init(&pool->pipes, loop, column, budget->pipes);
    backlog_init(&pool->backlog, loop, column, full);
    relay_pool_set(pool, splice, budget);
}

void
relay_pool_set(struct relay_pool *pool, enum config_splice splice,
               const struct config_budget *budget)
{
    pool->splice = splice;
    pool->pipes.max = budget->pipes;
    pool->held_max = budget->held;
    backlog_set(&pool->backlog, budget);
}

void
relay_pool_fini(struct relay_pool *pool)
{
    task_cancel(&pool->run_queue);
    loop_cancel_timer(pool->loop, &pool->ack_check);
    backlog_fini(&pool->backlog);
    pipes_fini(&pool->pipes);
}

void
relay_init(struct relay *relay, struct relay_pool *pool)
{
    memset(relay, 0, sizeof(*relay));
    stream_init(&relay->client);
    stream_init(&relay->server);
    relay->pool = pool;
    list_init(&relay->queued);
}

void
relay_fini(struct relay *relay)
{
    relay_cancel(relay);
    for (int way = RELAY_UP; way <= RELAY_DOWN; way++) {
        half_return_pipe(relay, &relay->half[way]);
        half_drop_held(relay, (enum relay_direction)way);
    }
    backlog_forget(relay);
}

int
relay_keep(struct relay *relay, const uint8_t *octets, size_t count)
{
    half_hold(relay, &relay->half[RELAY_UP], octets, count, false);
    return relay_has_no_memory(relay) ? -ENOMEM : 0;
}

void
relay_start(struct relay *relay)
{
    bool splice = relay->pool->splice == CONFIG_SPLICE_ALWAYS;

    bool copy_only = stream_copies_only(&relay->client) ||
                     stream_copies_only(&relay->server);

    relay->half[RELAY_UP].spliced = relay->half[RELAY_DOWN].spliced = splice;
    relay->half[RELAY_UP].copy_only = relay->half[RELAY_DOWN].copy_only =
        copy_only;
    relay->moved_ms = loop_now_ms(relay->pool->loop);
    stream_serve(&relay->client, relay_client_ready);
    stream_serve(&relay->server, relay_server_ready);
    relay_defer(relay);
}

/* The send queue takes what the pipe holds: the same memory, elsewhere. Then it
   has its bound again. It cannot where net.core.wmem_max is less than the
   kernel's tuning has made of it. */
static void
half_push_pipe(struct relay *relay, struct relay_half *half, struct pipe *pipe,
               struct stream *to)
{
    uint32_t bound = stream_memory(to).out_max;
    uint64_t raised = (uint64_t)bound + 2 * pipe->filled;

    if (raised > relay->pool->backlog.out_given)
        return;
    stream_bound_out(to, (uint32_t)raised);
    ssize_t sent = stream_splice_out(to, pipe->ends[0], pipe->filled);
    stream_bound_out(to, bound);
    half->out_bound = true;
    if (sent > 0) {
        half_count(relay, half, (size_t)sent);
        pipe->filled -= (size_t)sent;
    }
}

/* What is in the pipe is held instead: the same octets, and fewer pages. */
static void
half_hold_pipe(struct relay *relay, struct relay_half *half, struct pipe *pipe)
{
    size_t got = 0;

    if (relay->pool->held + pipe->filled > relay->pool->held_max)
        return;
    struct relay_held *held = half_new_held(relay, half, pipe->filled, false);
    if (held == NULL)
        return;
    while (pipe->filled > 0) {
        ssize_t count =
            sys_pipe_read(pipe->ends[0], held->octets + got, pipe->filled);
        if (count <= 0) { /* cannot be; the session must not wait for ever */
            half->no_memory = true;
            return;
        }
        got += (size_t)count;
        pipe->filled -= (size_t)count;
    }
}

void
relay_leave_pipe(struct relay *relay, enum relay_direction way)
{
    struct relay_half *half = &relay->half[way];
    struct stream *to = half_to(relay, way);
    struct pipe *pipe = half_pipe(relay, half);

    if (pipe == NULL || half->holds || stream_is(to, STREAM_BROKEN))
        return;
    if (pipe->filled > 0)
        half_push_pipe(relay, half, pipe, to);
    if (pipe->filled > 0)
        half_hold_pipe(relay, half, pipe);
    if (pipe->filled == 0)
        half_return_pipe(relay, half);
}
