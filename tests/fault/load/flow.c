#include "tests/fault/load/flow.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "bench/pattern.h"
#include "bench/wire.h"

/* The most steps of one flow in one turn of the loop. */
#define STEPS_A_TURN 8
#define TICK_MS 1

void
flow_sleepers_init(struct flow_sleepers *sleepers, int poller)
{
    sleepers->poller = poller;
    list_init(&sleepers->list);
}

int
flow_sleepers_wait_ms(const struct flow_sleepers *sleepers)
{
    return list_empty(&sleepers->list) ? 50 : TICK_MS;
}

void
flow_init(struct flow *flow)
{
    *flow = (struct flow){.watch = {.fd = -1}};
    list_init(&flow->sleeping);
}

/* Each direction of a session has its own pattern. */
static uint64_t
flow_seed(const struct flow *flow, int side)
{
    return flow->seed * 2 + (unsigned)side;
}

static const struct side *
flow_own(const struct flow *flow)
{
    return &flow->plan->sides[flow->side];
}

static const struct side *
flow_other(const struct flow *flow)
{
    return &flow->plan->sides[!flow->side];
}

static void
flow_close(struct flow *flow)
{
    list_remove(&flow->sleeping);
    wire_forget(flow->watch.fd);
    watch_close(&flow->watch);
}

void
flow_break(struct flow *flow)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (flow->watch.fd >= 0)
        setsockopt(flow->watch.fd, SOL_SOCKET, SO_LINGER, &linger,
                   sizeof linger);
    flow_close(flow);
}

static bool
flow_end(struct flow *flow, enum flow_result result)
{
    flow_close(flow);
    flow->over(flow, result);
    return false;
}

static bool
flow_awaits_reset(const struct flow *flow)
{
    return flow->breaks.moment != BREAK_NEVER &&
           flow->breaks.side != flow->side;
}

static bool
flow_breaks_itself(const struct flow *flow)
{
    return flow->breaks.moment == BREAK_AT_OCTET &&
           flow->breaks.side == flow->side;
}

/* What came before the reset is still to be read. False: it is not the other
   end's. */
static bool
flow_drain(struct flow *flow)
{
    static uint8_t octets[PATTERN_CHUNK];
    ssize_t count;

    while ((count = wire_recv(flow->watch.fd, octets, sizeof octets)) > 0) {
        if (!pattern_is(flow_seed(flow, !flow->side), flow->received, octets,
                        (size_t)count))
            return false;
        flow->received += (uint64_t)count;
    }
    return true;
}

/* The connection was reset. The functions below return whether the flow still
   exists. */
static bool
flow_fail(struct flow *flow)
{
    if (!flow_awaits_reset(flow))
        return flow_end(flow, FLOW_RESET);
    if (!flow_drain(flow))
        return flow_end(flow, FLOW_FOREIGN);
    bool lost = flow->breaks.moment == BREAK_AT_OCTET &&
                flow->received != flow->breaks.octet;
    return flow_end(flow, lost ? FLOW_LOST : FLOW_EXACT);
}

static bool
flow_on_end(struct flow *flow)
{
    flow->ended = true;
    if (flow_awaits_reset(flow))
        return flow_end(flow, flow->received > 0 ? FLOW_CLEAN : FLOW_EARLY);
    if (flow->received < flow_other(flow)->octets)
        return flow_end(flow, FLOW_SHORT);
    return true;
}

static bool
flow_may_read(const struct flow *flow, uint64_t now_ns)
{
    return !flow->ended && now_ns >= flow->read_ns;
}

/* It does not finish by itself: a timer will reset it. */
static bool
flow_awaits_clock(const struct flow *flow)
{
    return flow->breaks.moment == BREAK_AT_TIME &&
           flow->breaks.side == flow->side &&
           flow->sent == flow_own(flow)->octets;
}

static bool
flow_may_write(const struct flow *flow, uint64_t now_ns)
{
    return !flow->shut && !flow_awaits_clock(flow) &&
           now_ns >= flow->write_ns && (!flow_own(flow)->second || flow->ended);
}

static bool
flow_check(struct flow *flow, const uint8_t *octets, size_t count)
{
    if (count > flow_other(flow)->octets - flow->received ||
        !pattern_is(flow_seed(flow, !flow->side), flow->received, octets,
                    count))
        return flow_end(flow, FLOW_FOREIGN);
    flow->received += count;
    if (flow_own(flow)->read_gap_ms > 0)
        flow->read_ns =
            clock_now_ns() + flow_own(flow)->read_gap_ms * 1000000ull;
    return true;
}

/* *more: there may be more to read. */
static bool
flow_read(struct flow *flow, bool *more)
{
    static uint8_t octets[PATTERN_CHUNK];
    ssize_t count =
        wire_recv(flow->watch.fd, octets, flow_own(flow)->read_most);

    *more = count > 0;
    if (count > 0)
        return flow_check(flow, octets, (size_t)count);
    if (count == 0)
        return flow_on_end(flow);
    if (errno == EPROTO) /* it may be an end, but not TLS's */
        return flow_end(flow, FLOW_CLEAN);
    return errno == EAGAIN || errno == EINTR || flow_fail(flow);
}

static uint64_t
flow_write_room(const struct flow *flow)
{
    uint64_t end = flow_own(flow)->octets, room;

    if (flow_breaks_itself(flow))
        end = flow->breaks.octet;
    room = end - flow->sent;
    return room < flow_own(flow)->write_most ? room
                                             : flow_own(flow)->write_most;
}

/* A reset would destroy octets that the other end's kernel has not got. */
static bool
flow_has_unacknowledged(const struct flow *flow)
{
    int octets = 0;
    return ioctl(flow->watch.fd, SIOCOUTQ, &octets) == 0 && octets > 0;
}

/* Everything is written: sends FIN, or what the plan wants instead. */
static bool
flow_finish(struct flow *flow)
{
    if (flow_breaks_itself(flow) && flow_has_unacknowledged(flow)) {
        flow->write_ns = clock_now_ns() + TICK_MS * 1000000ull;
        return true;
    }
    if (flow_breaks_itself(flow) && flow->plan->cuts) {
        wire_cut(flow->watch.fd,
                 pattern_at(flow_seed(flow, flow->side), flow->sent), 100,
                 flow->breaks.octet % 256);
        return flow_end(flow, FLOW_EXACT);
    }
    if (flow_breaks_itself(flow)) {
        flow_break(flow);
        flow->over(flow, FLOW_EXACT);
        return false;
    }
    flow->shut = wire_finish(flow->watch.fd) == 0;
    return flow->shut || errno == EAGAIN || flow_fail(flow);
}

static bool
flow_write(struct flow *flow, bool *more)
{
    uint64_t room = flow_write_room(flow);
    ssize_t count;

    *more = false;
    if (room == 0)
        return flow_finish(flow);
    count =
        wire_send(flow->watch.fd,
                  pattern_at(flow_seed(flow, flow->side), flow->sent), room);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR || flow_fail(flow);
    *more = true;
    flow->sent += (uint64_t)count;
    if (flow_own(flow)->write_gap_ms > 0)
        flow->write_ns =
            clock_now_ns() + flow_own(flow)->write_gap_ms * 1000000ull;
    return true;
}

/*
 * Waits for the poller or for the clock. Events are one-shot: a hang-up would
 * wake a slow reader again and again.
 */
static void
flow_wait(struct flow *flow)
{
    uint64_t now_ns = clock_now_ns();
    uint32_t events = 0;
    bool sleeps = flow->read_ns > now_ns || flow->write_ns > now_ns ||
                  wire_pending(flow->watch.fd);

    if (flow_may_read(flow, now_ns))
        events |= EPOLLIN;
    if (flow_may_write(flow, now_ns))
        events |= EPOLLOUT;
    if (events != flow->armed)
        (void)poller_modify(flow->sleepers->poller, &flow->watch,
                            events | EPOLLONESHOT);
    flow->armed = events;
    list_remove(&flow->sleeping);
    if (sleeps)
        list_append(&flow->sleepers->list, &flow->sleeping);
}

static void
flow_step(struct flow *flow)
{
    for (int step = 0; step < STEPS_A_TURN; step++) {
        uint64_t now_ns = clock_now_ns();
        bool reads = false, writes = false;
        if (flow_may_read(flow, now_ns) && !flow_read(flow, &reads))
            return;
        if (flow_may_write(flow, now_ns) && !flow_write(flow, &writes))
            return;
        if (flow->shut && flow->ended) {
            flow_end(flow, FLOW_EXACT);
            return;
        }
        if (!reads && !writes)
            break;
    }
    flow_wait(flow);
}

/* epoll reports errors whatever the mask: handle them at once. */
static void
flow_ready(struct watch *watch, uint32_t events)
{
    struct flow *flow = (struct flow *)watch;
    int error = 0;
    socklen_t size = sizeof error;

    flow->armed = 0;
    if (events & EPOLLERR)
        getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
        flow_fail(flow);
    else
        flow_step(flow);
}

void
flow_sleepers_wake(struct flow_sleepers *sleepers)
{
    struct list due;

    list_init(&due);
    list_take(&due, &sleepers->list);
    while (!list_empty(&due)) {
        struct flow *flow = container_of(due.next, struct flow, sleeping);
        list_remove(&flow->sleeping);
        flow_step(flow);
    }
}

void
flow_start(struct flow *flow, struct flow_sleepers *sleepers,
           const struct plan *plan, int side, uint64_t seed, flow_over over)
{
    flow->plan = plan;
    flow->sleepers = sleepers;
    flow->side = side;
    flow->seed = seed;
    flow->breaks = plan_break_of(plan, seed);
    flow->over = over;
    flow->watch.ready = flow_ready;
    flow->armed = ~0u;
    flow_step(flow);
}
