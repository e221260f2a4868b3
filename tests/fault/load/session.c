#include "tests/fault/load/session.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/socket.h"
#include "bench/wire.h"

static const struct plan *
session_plan(const struct session *session)
{
    return &session->shared->orders->plans[session->plan];
}

void
session_init(struct session *session, struct session_shared *shared)
{
    flow_init(&session->flow);
    flow_init(&session->peer);
    list_init(&session->breaking);
    session->shared = shared;
    session->state = SESSION_IDLE;
}

/* The gateway has answered, or never will. */
static void
session_answered(struct session *session)
{
    if (session->counted) {
        session->shared->opening--;
        session->shared->settled++;
    }
    session->counted = false;
}

static void
session_over(struct session *session, enum outcome outcome)
{
    struct tally *tally = &session->shared->tallies[session->plan];

    session_answered(session);
    list_remove(&session->breaking);
    flow_break(&session->flow);
    flow_break(&session->peer);
    tally->outcomes[outcome]++;
    tally->octets += session->flow.received + session->peer.received;
    session->state = SESSION_IDLE;
    session->shared->idle(session->shared, session);
}

void
session_abandon(struct session *session)
{
    session_over(session, OUTCOME_LATE);
}

/* The server may reset the connection before the gateway has replied. */
static bool
session_server_breaks(const struct session *session)
{
    return session->flow.breaks.moment != BREAK_NEVER &&
           session->flow.breaks.side == PLAN_SERVER;
}

static void
session_cut(struct session *session, int error)
{
    struct tally *tally = &session->shared->tallies[session->plan];

    if (session_server_breaks(session)) {
        session_over(session, OUTCOME_EXACT);
        return;
    }
    if (tally->outcomes[OUTCOME_CUT] == 0)
        tally->first_errno = error;
    session_over(session, OUTCOME_CUT);
}

/* --- Both ends transfer --- */

static void
session_end_over(struct session *session, enum flow_result result)
{
    session->outcome = outcome_worse(session->outcome, (enum outcome)result);
    if (--session->ends == 0)
        session_over(session, session->outcome);
}

static void
session_flow_over(struct flow *flow, enum flow_result result)
{
    session_end_over((struct session *)flow, result);
}

static void
session_peer_over(struct flow *flow, enum flow_result result)
{
    session_end_over(container_of(flow, struct session, peer), result);
}

void
session_run(struct session *session)
{
    session->state = SESSION_RUNS;
    flow_start(&session->flow, &session->shared->sleepers,
               session_plan(session), PLAN_CLIENT, session->seed,
               session_flow_over);
}

static void
session_established(struct session *session)
{
    struct session_shared *shared = session->shared;

    session_answered(session);
    histogram_add(&shared->setup, clock_now_ns() - session->began_ns);
    if (!shared->holds) {
        session_run(session);
        return;
    }
    session->state = SESSION_HELD;
    (void)poller_modify(shared->sleepers.poller, &session->flow.watch,
                        EPOLLONESHOT);
}

/* --- The peer of a BIND --- */

static void
session_peer_ready(struct watch *watch, uint32_t events)
{
    struct flow *peer = (struct flow *)watch;
    struct session *session = container_of(peer, struct session, peer);

    if (events & (EPOLLERR | EPOLLHUP))
        session_cut(session, ECONNREFUSED);
    else
        flow_start(peer, &session->shared->sleepers, session_plan(session),
                   PLAN_SERVER, session->seed, session_peer_over);
}

/* From the server's host: a socket stays in the namespace in which it was
   created. */
static int
session_peer_connect(struct session *session)
{
    const struct orders *orders = session->shared->orders;
    uint32_t ip = handshake_reply_ip(&session->opening.handshake);
    int fd;

    if (orders->server_network >= 0)
        setns(orders->server_network, CLONE_NEWNET);
    fd = socket_connect(session->seed, ip ? ip : orders->gateway_ip,
                        handshake_reply_port(&session->opening.handshake),
                        session_plan(session)->buffer);
    if (orders->server_network >= 0)
        setns(session->shared->home, CLONE_NEWNET);
    return fd;
}

/* Whether the session still exists. */
static bool
session_start_peer(struct session *session)
{
    int fd = session_peer_connect(session);

    session->peer.watch = (struct watch){.fd = fd, .ready = session_peer_ready};
    if (fd >= 0 && poller_add(session->shared->sleepers.poller,
                              &session->peer.watch, EPOLLOUT) == 0) {
        session->ends = 2;
        return true;
    }
    session_cut(session, -fd);
    return false;
}

/* --- Request and reply --- */

/* A refusal must be followed by an orderly end of stream. */
static void
session_receive_end(struct session *session)
{
    uint8_t octet;
    ssize_t count = wire_recv(session->flow.watch.fd, &octet, 1);

    if (count < 0 && errno == EAGAIN)
        return;
    if (count < 0)
        session_cut(session, errno);
    else if (count > 0)
        session_over(session, OUTCOME_FOREIGN);
    else
        session_over(session, session_server_breaks(session) ? OUTCOME_EXACT
                                                             : OUTCOME_REFUSED);
}

/* The end of stream may have arrived together with the refusal. */
static void
session_refused(struct session *session)
{
    const uint8_t *reply = session->opening.handshake.reply;
    bool refuses = session_plan(session)->protocol == PROTOCOL_SOCKS5
                       ? reply[0] == 5 && reply[1] >= 1 && reply[1] <= 8
                       : reply[0] == 0 && reply[1] >= 91 && reply[1] <= 93;

    if (!refuses) {
        session_over(session, OUTCOME_FOREIGN);
        return;
    }
    session_answered(session);
    histogram_add(&session->shared->refusal,
                  clock_now_ns() - session->began_ns);
    session->state = SESSION_REFUSED;
    session_receive_end(session);
}

static void
session_opening(struct session *session, enum opening_result result)
{
    if (result == OPENING_STEPPED &&
        (!handshake_bound(&session->opening.handshake) ||
         session_start_peer(session)))
        result = opening_ask(&session->opening, session->flow.watch.fd);
    switch (result) {
    case OPENING_DONE:
        session_established(session);
        break;
    case OPENING_REFUSED:
        session_refused(session);
        break;
    case OPENING_BROKEN:
        session_cut(session, errno);
        break;
    case OPENING_STEPPED: /* its peer could not connect: the session is over */
    case OPENING_ASKED:
    case OPENING_WAITS:
        break;
    }
}

static void
session_ready(struct watch *watch, uint32_t events)
{
    struct session *session = (struct session *)watch;

    switch (session->state) {
    case SESSION_OPENING:
        session_opening(session,
                        opening_turn(&session->opening, watch->fd, events));
        break;
    case SESSION_REFUSED:
        session_receive_end(session);
        break;
    case SESSION_HELD: /* it reads when it runs */
    case SESSION_RUNS:
    case SESSION_IDLE:
        break;
    }
}

/* --- Start and reset --- */

static int
session_connect(const struct session *session, uint64_t serial)
{
    const struct orders *orders = session->shared->orders;
    uint16_t port = orders->direct ? (uint16_t)(orders->port + session->plan)
                                   : orders->gateway_port;

    int fd =
        socket_connect(spread_at(&orders->sources, serial), orders->gateway_ip,
                       port, session_plan(session)->buffer);

    if (fd < 0 || !orders->tls || wire_start_tls(fd) == 0)
        return fd;
    close(fd);
    return -ENOMEM;
}

static void
session_prepare(struct session *session, uint64_t serial)
{
    const struct orders *orders = session->shared->orders;

    session_init(session, session->shared);
    session->plan = orders_plan(orders, serial);
    session->seed = spread_at(&orders->targets, serial);
    session->ends = 1;
    session->outcome = OUTCOME_EXACT;
    session->state = SESSION_OPENING;
    session->counted = true;
    session->flow.breaks = plan_break_of(session_plan(session), session->seed);
    opening_init(&session->opening,
                 orders->direct ? PROTOCOL_DIRECT
                                : session_plan(session)->protocol,
                 session_plan(session)->command, session->seed,
                 (uint16_t)(orders->port + session->plan));
}

void
session_open(struct session *session, uint64_t serial)
{
    struct session_shared *shared = session->shared;
    int fd;

    session_prepare(session, serial);
    shared->opening++;
    shared->tallies[session->plan].sessions++;
    session->began_ns = clock_now_ns();
    fd = session_connect(session, serial);
    session->flow.watch = (struct watch){.fd = fd, .ready = session_ready};
    if (fd < 0 || poller_add(shared->sleepers.poller, &session->flow.watch,
                             OPENING_EVENTS) < 0)
        session_cut(session, fd < 0 ? -fd : ENOMEM);
    else if (session->flow.breaks.moment == BREAK_AT_TIME) {
        session->break_ns = session->began_ns + session->flow.breaks.time_ns;
        list_append(&shared->breaking, &session->breaking);
    }
}

void
session_break_due(struct session_shared *shared)
{
    uint64_t now_ns = clock_now_ns();

    list_each_safe (at, after, &shared->breaking) {
        struct session *session = container_of(at, struct session, breaking);
        if (session->break_ns <= now_ns)
            session_over(session, OUTCOME_EXACT);
    }
}
