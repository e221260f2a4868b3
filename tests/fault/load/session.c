#include "tests/fault/load/session.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

#include "tests/fault/load/client.h"

static const struct plan *
plan_of(const struct session *session)
{
    return &session->house->orders->plans[session->plan];
}

void
session_init(struct session *session, struct session_house *house)
{
    flow_init(&session->flow);
    flow_init(&session->peer);
    list_init(&session->breaking);
    session->house = house;
    session->state = SESSION_IDLE;
}

/* Its answer is there, or will never come. */
static void
session_settle(struct session *session)
{
    if (session->opening) {
        session->house->opening--;
        session->house->settled++;
    }
    session->opening = false;
}

static void
session_over(struct session *session, enum outcome outcome)
{
    struct tally *tally = &session->house->tallies[session->plan];

    session_settle(session);
    list_remove(&session->breaking);
    flow_break(&session->flow);
    flow_break(&session->peer);
    tally->outcomes[outcome]++;
    tally->octets += session->flow.received + session->peer.received;
    session->state = SESSION_IDLE;
    session->house->idle(session->house, session);
}

void
session_give_up(struct session *session)
{
    session_over(session, OUTCOME_LATE);
}

/* A server that breaks off may do so before the gateway has answered. */
static bool
server_breaks(const struct session *session)
{
    return session->flow.breaks.moment != BREAK_NEVER &&
           session->flow.breaks.side == PLAN_SERVER;
}

static void
session_cut(struct session *session, int error)
{
    struct tally *tally = &session->house->tallies[session->plan];

    if (server_breaks(session)) {
        session_over(session, OUTCOME_EXACT);
        return;
    }
    if (tally->outcomes[OUTCOME_CUT] == 0)
        tally->first_errno = error;
    session_over(session, OUTCOME_CUT);
}

/* --- Both ends run --- */

static void
session_end_over(struct session *session, enum flow_result result)
{
    session->outcome = outcome_worse(session->outcome, (enum outcome)result);
    if (--session->ends == 0)
        session_over(session, session->outcome);
}

static void
flow_is_over(struct flow *flow, enum flow_result result)
{
    session_end_over((struct session *)flow, result);
}

static void
peer_is_over(struct flow *flow, enum flow_result result)
{
    session_end_over(container_of(flow, struct session, peer), result);
}

void
session_go(struct session *session)
{
    session->state = SESSION_RUNS;
    flow_start(&session->flow, &session->house->sleepers, plan_of(session),
               PLAN_CLIENT, session->seed, flow_is_over);
}

static void
session_stands(struct session *session)
{
    struct session_house *house = session->house;

    session_settle(session);
    histogram_add(&house->setup, clock_now_ns() - session->began_ns);
    if (!house->holds) {
        session_go(session);
        return;
    }
    session->state = SESSION_STANDS;
    (void)poller_modify(house->sleepers.poller, &session->flow.watch,
                        EPOLLONESHOT);
}

/* --- The peer of a BIND --- */

static void
peer_ready(struct watch *watch, uint32_t events)
{
    struct flow *peer = (struct flow *)watch;
    struct session *session = container_of(peer, struct session, peer);

    if (events & (EPOLLERR | EPOLLHUP))
        session_cut(session, ECONNREFUSED);
    else
        flow_start(peer, &session->house->sleepers, plan_of(session),
                   PLAN_SERVER, session->seed, peer_is_over);
}

/* From the server's host: a socket stays in the namespace it was made in. */
static int
peer_connect(struct session *session)
{
    const struct orders *orders = session->house->orders;
    uint32_t ip = handshake_reply_ip(&session->handshake);
    int fd;

    if (orders->server_network >= 0)
        setns(orders->server_network, CLONE_NEWNET);
    fd = client_connect(session->seed, ip ? ip : orders->gateway_ip,
                        handshake_reply_port(&session->handshake),
                        plan_of(session));
    if (orders->server_network >= 0)
        setns(session->house->home, CLONE_NEWNET);
    return fd;
}

/* Whether the session is still there. */
static bool
session_meet(struct session *session)
{
    int fd = peer_connect(session);

    session->peer.watch = (struct watch){.fd = fd, .ready = peer_ready};
    if (fd >= 0 && poller_add(session->house->sleepers.poller,
                              &session->peer.watch, EPOLLOUT) == 0) {
        session->ends = 2;
        return true;
    }
    session_cut(session, -fd);
    return false;
}

/* --- Request and reply --- */

static void
session_say(struct session *session)
{
    uint8_t octets[HANDSHAKE_SAY_MAX];
    size_t count = handshake_say(&session->handshake, octets);

    if (count > 0 && send(session->flow.watch.fd, octets, count,
                          MSG_NOSIGNAL) != (ssize_t)count)
        session_cut(session, errno);
}

static void
session_connected(struct session *session)
{
    session->state = SESSION_HANDSHAKE;
    (void)poller_modify(session->house->sleepers.poller, &session->flow.watch,
                        EPOLLIN);
    if (handshake_done(&session->handshake))
        session_stands(session);
    else
        session_say(session);
}

/* A reply that is no grant. */
static void
session_refused(struct session *session)
{
    const uint8_t *heard = session->handshake.heard;

    if (heard[0] != 0 || heard[1] < 91 || heard[1] > 93) {
        session_over(session, OUTCOME_FOREIGN);
        return;
    }
    session_settle(session);
    histogram_add(&session->house->refusal, clock_now_ns() - session->began_ns);
    session->state = SESSION_REFUSED;
}

static void
session_hear(struct session *session)
{
    struct handshake *handshake = &session->handshake;
    unsigned step = handshake->step;
    ssize_t count =
        recv(session->flow.watch.fd, handshake->heard + handshake->heard_count,
             handshake_room(handshake), 0);

    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0)
        session_cut(session, count < 0 ? errno : 0);
    else if (handshake_hear(handshake, (size_t)count))
        session_refused(session);
    else if (handshake_done(handshake))
        session_stands(session);
    else if (handshake->step > step && session_meet(session))
        session_say(session);
}

/* Behind a refusal there is an orderly end, and nothing else. */
static void
session_hear_end(struct session *session)
{
    uint8_t octet;
    ssize_t count = recv(session->flow.watch.fd, &octet, 1, 0);

    if (count < 0 && errno == EAGAIN)
        return;
    if (count < 0)
        session_cut(session, errno);
    else if (count > 0)
        session_over(session, OUTCOME_FOREIGN);
    else
        session_over(session,
                     server_breaks(session) ? OUTCOME_EXACT : OUTCOME_REFUSED);
}

static void
session_ready(struct watch *watch, uint32_t events)
{
    struct session *session = (struct session *)watch;

    switch (session->state) {
    case SESSION_CONNECTING:
        if (events & (EPOLLERR | EPOLLHUP))
            session_cut(session, ECONNREFUSED);
        else
            session_connected(session);
        break;
    case SESSION_HANDSHAKE:
        session_hear(session);
        break;
    case SESSION_REFUSED:
        session_hear_end(session);
        break;
    case SESSION_STANDS: /* it will see when it runs */
    case SESSION_RUNS:
    case SESSION_IDLE:
        break;
    }
}

/* --- Beginning and breaking off --- */

static int
session_connect(const struct session *session, uint64_t serial)
{
    const struct orders *orders = session->house->orders;
    uint16_t port = orders->direct ? (uint16_t)(orders->port + session->plan)
                                   : orders->gateway_port;

    return client_connect(range_at(&orders->sources, serial),
                          orders->gateway_ip, port, plan_of(session));
}

static void
session_prepare(struct session *session, uint64_t serial)
{
    const struct orders *orders = session->house->orders;

    session_init(session, session->house);
    session->plan = orders_plan(orders, serial);
    session->seed = range_at(&orders->targets, serial);
    session->ends = 1;
    session->outcome = OUTCOME_EXACT;
    session->state = SESSION_CONNECTING;
    session->opening = true;
    session->flow.breaks = plan_break_of(plan_of(session), session->seed);
    handshake_init(&session->handshake,
                   orders->direct ? PROTOCOL_DIRECT : PROTOCOL_SOCKS4,
                   plan_of(session)->command, session->seed,
                   (uint16_t)(orders->port + session->plan));
}

void
session_open(struct session *session, uint64_t serial)
{
    struct session_house *house = session->house;
    int fd;

    session_prepare(session, serial);
    house->opening++;
    house->tallies[session->plan].sessions++;
    session->began_ns = clock_now_ns();
    fd = session_connect(session, serial);
    session->flow.watch = (struct watch){.fd = fd, .ready = session_ready};
    if (fd < 0 ||
        poller_add(house->sleepers.poller, &session->flow.watch, EPOLLOUT) < 0)
        session_cut(session, fd < 0 ? -fd : ENOMEM);
    else if (session->flow.breaks.moment == BREAK_AT_TIME) {
        session->break_ns = session->began_ns + session->flow.breaks.time_ns;
        list_append(&house->breaking, &session->breaking);
    }
}

void
session_break_due(struct session_house *house)
{
    uint64_t now_ns = clock_now_ns();

    list_each_safe (at, after, &house->breaking) {
        struct session *session = container_of(at, struct session, breaking);
        if (session->break_ns <= now_ns)
            session_over(session, OUTCOME_EXACT);
    }
}
