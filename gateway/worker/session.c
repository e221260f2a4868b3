#include "gateway/worker/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/worker/dialer.h"
#include "gateway/worker/limits.h"
#include "gateway/worker/policy.h"
#include "socks4/codec.h"

/* After a refusal: how long, and how many octets are read and dropped, so
   that no unread octet turns the close into a reset [V4-3.3-9]. */
#define LINGER_MS 1000
#define LINGER_OCTETS 65536

/* How long the monitor may take to say whether a CONNECT lives. */
#define PRIMARY_MS 5000

/* Strangers met in a row before a BIND that ignores them gives way; with the
   kernel's filter in place none comes so far. */
#define STRANGERS_MAX 256

/* ---- States ---- */

enum session_timer {
    TIMER_NONE,
    TIMER_REQUEST,
    TIMER_CONNECT,
    TIMER_PRIMARY,
    TIMER_BIND,
    TIMER_IDLE,
    TIMER_HALF_CLOSED,
    TIMER_LINGER
};

#define PHASE_NONE PHASE_COUNT
#define FROM(symbol) (1u << SESSION_##symbol)

static const struct state_row {
    const char *name;
    uint8_t timer;
    uint8_t phase;
    uint8_t pending;
    uint16_t from;
} state_rows[] = {
#define X(symbol, name, timer, phase, pending, from)                           \
    {name, TIMER_##timer, PHASE_##phase, pending, from},
    SESSION_STATES(X)
#undef X
};

/* The time the state's timer allows; 0: none. */
static uint64_t
session_patience_ms(const struct session *session)
{
    switch ((enum session_timer)state_rows[session->state].timer) {
    case TIMER_NONE:
        break;
    case TIMER_REQUEST:
        return session->config->timeouts.request_ms;
    case TIMER_CONNECT:
        return session->config->timeouts.connect_ms;
    case TIMER_PRIMARY:
        return PRIMARY_MS;
    case TIMER_BIND:
        return session->config->timeouts.bind_ms;
    case TIMER_IDLE:
        return session->idle_ms;
    case TIMER_HALF_CLOSED:
        return session->half_closed_ms;
    case TIMER_LINGER:
        return LINGER_MS;
    }
    return 0;
}

static void
session_charge_phase(struct session *session)
{
    unsigned phase = state_rows[session->state].phase;
    uint64_t now_us = session->sessions->loop->now_us;

    if (phase != PHASE_NONE)
        session->ms[phase] += (uint32_t)((now_us - session->phase_us) / 1000);
    session->phase_us = now_us;
}

/* The one setter: checks the transition, charges the time, arms the timer. */
static void
session_enter(struct session *session, enum session_state state)
{
    struct sessions *sessions = session->sessions;
    const struct state_row *old = &state_rows[session->state];
    const struct state_row *new = &state_rows[state];

    assert(new->from &(1u << session->state));
    session_charge_phase(session);
    if (new->pending != old->pending)
        segment_charge(sessions->column, SEGMENT_GAUGE_pending,
                       new->pending - old->pending);
    session->state = (uint8_t)state;

    uint64_t patience_ms = session_patience_ms(session);
    if (patience_ms > 0)
        loop_start_timer(sessions->loop, &session->timer, patience_ms);
    else
        loop_cancel_timer(sessions->loop, &session->timer);
}

/* ---- The end ---- */

static void
session_record(struct session *session, enum verdict_by by,
               enum verdict_end end)
{
    const struct verdict_row *row = &verdict_rows[session->verdict];
    struct endpoint dest = {.addr = addr_v4(session->request.dstip),
                            .port = session->request.dstport};
    struct record record = {
        .id = session->id,
        .worker = session->sessions->slot,
        .listener = session->listener,
        .client = session->client,
        .userid = session->request.userid,
        .userid_len = session->request.userid_len,
        .command = session->request.command == SOCKS4_CONNECT ? "connect"
                   : session->request.command == SOCKS4_BIND  ? "bind"
                                                              : NULL,
        .dest = session->request.has_header ? &dest : NULL,
        .rule = session->rule,
        .verdict = row->name,
        .code = session->code,
        .up = session->relay.half[RELAY_UP].moved,
        .down = session->relay.half[RELAY_DOWN].moved,
        .ended_by = verdict_by_text(by),
        .end = verdict_end_text(end),
    };

    memcpy(record.ms, session->ms, sizeof(record.ms));
    record_write(session->sessions->records, (enum config_log_level)row->level,
                 &record);
}

/* The port, the charge, the question: whatever a waiting BIND holds but its
   listening socket, which stands in the server's leg. */
static void
session_free_bind(struct session *session)
{
    struct sessions *sessions = session->sessions;
    struct bind *bind = session->bind;

    if (bind == NULL)
        return;
    primary_cancel(&bind->question);
    if (bind->source >= 0)
        limits_give_bind(sessions->segment, sessions->slot, bind->source);
    free(bind);
    session->bind = NULL;
}

/* The monitor need not know of this CONNECT any more. */
static void
session_untell(struct session *session)
{
    if (session->told)
        primary_end(&session->sessions->primary, session->id,
                    session->client.addr, session->request.dstip);
    session->told = false;
}

static void
session_count(struct session *session)
{
    struct segment_column *column = session->sessions->column;
    static const enum segment_counter counters[] = {
        [VERDICT_GRANTED] = SEGMENT_COUNTER_granted,
        [VERDICT_REFUSED] = SEGMENT_COUNTER_refused,
        [VERDICT_EARLY] = SEGMENT_COUNTER_early,
    };

    segment_count(column, counters[verdict_rows[session->verdict].class], 1);
    segment_count(column, SEGMENT_COUNTER_up,
                  session->relay.half[RELAY_UP].moved);
    segment_count(column, SEGMENT_COUNTER_down,
                  session->relay.half[RELAY_DOWN].moved);
    segment_charge(column, SEGMENT_GAUGE_live, -1);
}

/*
 * The door out. A session that ended in order is closed; any other is
 * reset on both legs, so that an abort never looks like a clean end of
 * stream. It is freed at the end of the turn: an event for it may still be
 * in this one's batch.
 */
static void
session_end(struct session *session, enum verdict_by by, enum verdict_end end)
{
    struct sessions *sessions = session->sessions;

    session_enter(session, SESSION_END);
    if (end == END_FIN || session->code != SOCKS4_GRANTED) {
        stream_close(&session->relay.client);
        stream_close(&session->relay.server);
    } else {
        stream_reset(&session->relay.client);
        stream_reset(&session->relay.server);
    }
    relay_fini(&session->relay);
    session_free_bind(session);
    session_untell(session);
    session_record(session, by, end);
    session_count(session);
    config_unref(session->config);
    session->config = NULL;
    sessions_bury(sessions, &session->link);
}

/* Ends with what the verdict's row says. */
static void
session_end_verdict(struct session *session, enum verdict verdict)
{
    session->verdict = (uint8_t)verdict;
    session_end(session, (enum verdict_by)verdict_rows[verdict].by,
                (enum verdict_end)verdict_rows[verdict].end);
}

/* Ends without a reply: nothing that speaks SOCKS4 is waiting for one. */
static void
session_drop(struct session *session, enum verdict verdict)
{
    assert(verdict_rows[verdict].code == 0);
    session_end_verdict(session, verdict);
}

/* ---- Replies ---- */

/* Eight octets in one write [V4-3.3-1]. False: the client is gone. */
static bool
session_reply(struct session *session, enum socks4_code code, uint16_t port,
              uint32_t ip)
{
    struct socks4_reply reply = {
        .code = (uint8_t)code, .dstport = port, .dstip = ip};
    uint8_t octets[SOCKS4_REPLY_SIZE];

    ssize_t size = socks4_reply_encode(&reply, octets);
    assert(size == SOCKS4_REPLY_SIZE);
    session->code = (uint8_t)code;
    return stream_send(&session->relay.client, octets, sizeof(octets)) == size;
}

/* Reads and drops what the client still sends; then its FIN ends it, or the
   timer. */
static void
session_linger(struct session *session)
{
    struct relay_pool *pool = &session->sessions->pool;
    struct stream *client = &session->relay.client;

    while (session->dropped < LINGER_OCTETS &&
           stream_is(client, STREAM_READABLE)) {
        ssize_t count =
            stream_recv(client, pool->buffer, LINGER_OCTETS - session->dropped);
        if (count == -EAGAIN)
            return;
        if (count <= 0) {
            session_end_verdict(session, (enum verdict)session->verdict);
            return;
        }
        session->dropped += (uint32_t)count;
    }
}

static void
session_refused_ready(struct watch *watch, uint32_t events)
{
    struct stream *stream = container_of(watch, struct stream, watch);
    struct session *session =
        container_of(stream, struct session, relay.client);

    stream_note(stream, events);
    if (stream_is(stream, STREAM_BROKEN))
        session_end_verdict(session, (enum verdict)session->verdict);
    else
        session_linger(session);
}

/*
 * A reply other than 90, and an orderly close [V4-3.3-5, V4-3.3-9,
 * V4-4.2-3]: nothing more is sent, and what the client sends is read and
 * dropped, so that no reset destroys the reply on its way. Port and address are
 * those of the request, zeros where none was understood; zeros in a second
 * reply.
 */
static void
session_refuse(struct session *session, enum verdict verdict)
{
    struct stream *client = &session->relay.client;
    bool second = session->state == SESSION_LISTEN;

    session->verdict = (uint8_t)verdict;
    stream_close(&session->relay.server);
    session_free_bind(session);
    session_enter(session, SESSION_REFUSE);
    bool sent =
        session_reply(session, (enum socks4_code)verdict_rows[verdict].code,
                      second ? 0 : session->request.dstport,
                      second ? 0 : session->request.dstip);
    if (!sent || session->request.stream_ended || stream_finish(client) < 0) {
        session_end_verdict(session, verdict);
        return;
    }
    client->watch.ready = session_refused_ready;
    session_linger(session);
}

/* ---- The relay ---- */

static void
session_hear_relay(struct relay *relay, enum relay_news news)
{
    struct session *session = container_of(relay, struct session, relay);
    enum verdict_by first =
        relay->first_end == RELAY_UP ? BY_CLIENT : BY_SERVER;

    switch (news) {
    case RELAY_HALF_CLOSED:
        session_enter(session, SESSION_HALF_CLOSED);
        break;
    case RELAY_FINISHED:
        session_end(session, first, END_FIN);
        break;
    case RELAY_CLIENT_BROKE:
        session_end(session, BY_CLIENT, END_RESET);
        break;
    case RELAY_SERVER_BROKE:
        session_end(session, BY_SERVER, END_RESET);
        break;
    case RELAY_NO_MEMORY:
        session_end(session, BY_GATEWAY, END_ERROR);
        break;
    }
}

/* Both legs stand: the reply that says so, then the relay, which begins with
   what the client sent behind its request [V4-3.3-10, V4-4.3-5]. */
static void
session_relay(struct session *session, uint16_t port, uint32_t ip)
{
    session->verdict = V_GRANTED;
    bool sent = session_reply(session, SOCKS4_GRANTED, port, ip);
    session_free_bind(session);
    session_enter(session, SESSION_RELAY);
    if (!sent) {
        session_end(session, BY_CLIENT, END_RESET);
        return;
    }
    config_unref(session->config);
    session->config = NULL;
    relay_start(&session->relay);
}

/* ---- CONNECT ---- */

/* 90 leaves only now that the connection stands [V4-3.3-4], and where a BIND
   may ask for it, after the monitor was told. */
static void
session_connected(struct session *session, const struct endpoint *local)
{
    struct primary *primary = &session->sessions->primary;
    bool zeros = session->config->connect_reply == CONFIG_REPLY_ZEROS;

    if (primary->send != NULL)
        session->told =
            primary_begin(primary, session->id, session->client.addr,
                          session->request.dstip) == 0;
    session_relay(session, zeros ? 0 : local->port,
                  zeros ? 0 : addr_to_v4(local->addr));
}

static void
session_server_ready(struct watch *watch, uint32_t events)
{
    struct stream *server = container_of(watch, struct stream, watch);
    struct session *session =
        container_of(server, struct session, relay.server);
    struct endpoint to = {.addr = addr_v4(session->request.dstip),
                          .port = session->request.dstport};
    struct endpoint local;

    stream_note(server, events);
    int result = dialer_result(server, &to, &local);
    if (result == -EINPROGRESS)
        return;
    if (result < 0)
        session_refuse(session, verdict_of_errno(result));
    else
        session_connected(session, &local);
}

/* While something else is awaited, only a reset of the client's matters; a
   FIN may be no more than its half of a half-close. */
static void
session_waiting_ready(struct watch *watch, uint32_t events)
{
    struct stream *client = container_of(watch, struct stream, watch);

    stream_note(client, events);
    if (stream_is(client, STREAM_BROKEN))
        session_drop(container_of(client, struct session, relay.client),
                     V_CLIENT_GONE);
}

static void
session_connect(struct session *session)
{
    struct endpoint to = {.addr = addr_v4(session->request.dstip),
                          .port = session->request.dstport};
    struct addr source = addr_v4(session->config->egress.address);
    bool any = session->config->egress.address_auto;

    session_enter(session, SESSION_CONNECT);
    session->relay.client.watch.ready = session_waiting_ready;
    int error = dialer_start(&session->relay.server, session->sessions->loop,
                             &to, any ? NULL : &source, session_server_ready);
    if (error < 0)
        session_refuse(session, verdict_of_errno(error));
}

/* ---- BIND ---- */

/* The peer is there, and is the right one. The listening socket is closed
   before the second reply, which looks like the first: one BIND, one
   connection [V4-4.3-1, V4-4.3-2, V4-4.3-4]. */
static void
session_meet(struct session *session, int fd, const struct endpoint *peer)
{
    struct stream *server = &session->relay.server;

    stream_close(server);
    int error =
        stream_open(server, session->sessions->loop, fd, server->watch.ready);
    if (error < 0)
        session_refuse(session, verdict_of_errno(error));
    else
        session_relay(session, peer->port, addr_to_v4(peer->addr));
}

static void
session_peer_ready(struct watch *watch, uint32_t events)
{
    struct stream *server = container_of(watch, struct stream, watch);
    struct session *session =
        container_of(server, struct session, relay.server);
    bool refuse = session->config->bind.on_stranger == CONFIG_STRANGER_REFUSE;

    stream_note(server, events);
    for (int strangers = 0; strangers < STRANGERS_MAX; strangers++) {
        struct endpoint peer;
        int fd = rendezvous_accept(server, &peer);
        if (fd == -EAGAIN)
            return;
        if (fd < 0) {
            session_refuse(session, verdict_of_bind_errno(fd));
            return;
        }
        if (rendezvous_expects(&session->bind->rendezvous, peer.addr)) {
            session_meet(session, fd, &peer);
            return;
        }
        sys_close(fd); /* [V4-4.3-7] */
        if (refuse)
            break;
    }
    session_refuse(session, V_BIND_STRANGER); /* [V4-4.3-6] */
}

/* Nobody is left to tell of a connection: a reset, or a FIN, which shows even
   behind octets that were not read yet [V4-B.2-6]. */
static bool
session_client_left(const struct session *session)
{
    return stream_is(&session->relay.client, STREAM_BROKEN | STREAM_ENDING);
}

static void
session_bind_client_ready(struct watch *watch, uint32_t events)
{
    struct stream *client = container_of(watch, struct stream, watch);
    struct session *session =
        container_of(client, struct session, relay.client);

    stream_note(client, events);
    if (session_client_left(session))
        session_end_verdict(session, V_BIND_LEFT);
}

/* Listens, and only then says so [V4-4.2-2, V4-4.2-4]; goes on listening
   until the peer is there [V4-B.2-4]. */
static void
session_listen(struct session *session)
{
    struct sessions *sessions = session->sessions;
    struct endpoint at;

    int error = rendezvous_open(&session->relay.server, sessions->loop,
                                &session->bind->rendezvous, session->config,
                                sessions->bind_port, &at, session_peer_ready);
    if (error < 0) {
        session_refuse(session, verdict_of_bind_errno(error));
        return;
    }
    sessions->bind_port = (uint16_t)(at.port + 1);
    session_enter(session, SESSION_LISTEN);
    session->relay.client.watch.ready = session_bind_client_ready;
    if (!session_reply(session, SOCKS4_GRANTED, at.port, addr_to_v4(at.addr)) ||
        session_client_left(session))
        session_end_verdict(session, V_BIND_LEFT);
}

static void
session_primary_answered(struct primary_question *question, bool lives)
{
    struct session *session =
        container_of(question, struct bind, question)->session;

    if (lives)
        session_listen(session);
    else
        session_refuse(session, V_BIND_ALONE);
}

static void
session_ask_primary(struct session *session)
{
    session_enter(session, SESSION_PRIMARY);
    session->relay.client.watch.ready = session_waiting_ready;
    int error = primary_ask(
        &session->sessions->primary, &session->bind->question, session->id,
        session->client.addr, session->request.dstip, session_primary_answered);
    if (error < 0)
        session_refuse(session, V_NO_MEMORY);
}

static void
session_bind(struct session *session, const struct config_rule *rule)
{
    struct sessions *sessions = session->sessions;
    struct bind *bind = calloc(1, sizeof(*bind));

    if (bind == NULL) {
        session_refuse(session, V_NO_MEMORY);
        return;
    }
    session->bind = bind;
    bind->session = session;
    list_init(&bind->question.link);
    bind->rendezvous.dstip = session->request.dstip;
    bind->rendezvous.peer = rule->peer;
    bind->rendezvous.peers = &rule->peers;
    bind->source = limits_take_bind(sessions->segment, sessions->slot,
                                    session->client.addr,
                                    session->config->limits.per_source.binds);
    if (bind->source == -EDQUOT)
        session_refuse(session, V_BIND_LIMIT); /* [V4-B.2-7] */
    else if (rule->require_connect)
        session_ask_primary(session);
    else
        session_listen(session);
}

/* ---- The decision ---- */

static enum verdict
verdict_of_reason(enum policy_reason reason)
{
    static const enum verdict verdicts[] = {
        [POLICY_ALLOWED] = V_GRANTED,
        [POLICY_DENIED_RULE] = V_DENIED_RULE,
        [POLICY_DENIED_DEFAULT] = V_DENIED_DEFAULT,
        [POLICY_DENIED_SPECIAL] = V_DENIED_SPECIAL,
        [POLICY_DENIED_PORT] = V_DENIED_PORT,
        [POLICY_DENIED_LISTENER] = V_DENIED_LISTENER,
    };
    return verdicts[reason];
}

/* The rule's name outlives the snapshot it came from. */
static bool
session_keep_rule(struct session *session, const struct config_rule *rule)
{
    session->rule = strdup(rule != NULL ? rule->name : "default");
    return session->rule != NULL;
}

/* Access control, before anything is dialled or listened on [V4-1-4,
   V4-3.2-1, V4-4.2-1]; of a BIND by the same terms [V4-4.1-6, V4-B.1-1]. */
static void
session_decide(struct session *session)
{
    const struct config *config = session->config;
    struct policy_question question = {
        .from = session->client.addr,
        .listener = session->listener_index,
        .command = session->request.command,
        .to = session->request.dstip,
        .port = session->request.dstport,
        .userid = session->request.userid,
        .userid_len = session->request.userid_len,
    };

    if (session->request.command == SOCKS4_CONNECT &&
        policy_wildcard(config, session->request.dstport) &&
        sys_is_local(addr_v4(session->request.dstip))) {
        session_refuse(session, V_DENIED_LISTENER);
        return;
    }
    struct policy_answer answer = policy_decide(config, &question);
    if (!session_keep_rule(session, answer.rule)) {
        session_refuse(session, V_NO_MEMORY);
        return;
    }
    if (answer.reason != POLICY_ALLOWED)
        session_refuse(session, verdict_of_reason(answer.reason));
    else if (session->request.command == SOCKS4_CONNECT)
        session_connect(session);
    else
        session_bind(session, answer.rule);
}

/* ---- The request ---- */

/* No request will come any more: the stream ended or the time is up. */
static void
session_give_up(struct session *session, enum verdict refused,
                enum verdict early)
{
    request_give_up(&session->request);
    if (session->request.version_seen)
        session_refuse(session, refused);
    else
        session_drop(session, early);
}

static void
session_reject(struct session *session, enum verdict verdict)
{
    if (verdict_rows[verdict].code == 0)
        session_drop(session, verdict);
    else
        session_refuse(session, verdict);
}

static void
session_read_request(struct session *session)
{
    struct socks4_framing framing = {.userid_max =
                                         session->config->limits.userid};
    struct relay *relay = &session->relay;
    struct request_rest rest;
    enum verdict verdict;

    switch (request_read(&session->request, &relay->client, &framing,
                         session->sessions->pool.buffer, &rest, &verdict)) {
    case REQUEST_WAITS:
        break;
    case REQUEST_ENDED: /* [4A-A.2.2-2] */
        session_give_up(session, V_REQUEST_CUT, V_NO_REQUEST);
        break;
    case REQUEST_WRONG:
        session_reject(session, verdict);
        break;
    case REQUEST_COMPLETE: /* [V4-3.1-7]: the rest is the application's */
        if (rest.count > 0 && relay_keep(relay, rest.octets, rest.count) < 0)
            session_refuse(session, V_NO_MEMORY);
        else
            session_decide(session);
        break;
    }
}

static void
session_request_ready(struct watch *watch, uint32_t events)
{
    struct stream *client = container_of(watch, struct stream, watch);
    struct session *session =
        container_of(client, struct session, relay.client);

    stream_note(client, events);
    if (stream_is(client, STREAM_BROKEN))
        session_drop(session, V_CLIENT_GONE);
    else
        session_read_request(session);
}

/* ---- Timers ---- */

/* Idle and half_closed count from the last octet moved, so that a move need
   not touch the timer: it looks again when it fires. */
static void
session_rest(struct session *session, uint64_t patience_ms)
{
    uint64_t now_ms = loop_now_ms(session->sessions->loop);
    uint64_t deadline_ms = session->relay.moved_ms + patience_ms;

    if (now_ms < deadline_ms)
        loop_start_timer(session->sessions->loop, &session->timer,
                         deadline_ms - now_ms);
    else
        session_end(session, BY_GATEWAY, END_TIMEOUT);
}

static void
session_timed_out(struct timer *timer)
{
    struct session *session = container_of(timer, struct session, timer);

    switch ((enum session_timer)state_rows[session->state].timer) {
    case TIMER_NONE:
        break;
    case TIMER_REQUEST: /* absolute: dripping gains nothing [V4-B.2-1,
                           4A-B.4-2] */
        session_give_up(session, V_REQUEST_LATE, V_SILENT);
        break;
    case TIMER_CONNECT: /* [V4-5-2, V4-B.2-2, V4-B.2-3] */
        session_refuse(session, V_CONNECT_LATE);
        break;
    case TIMER_PRIMARY:
        session_refuse(session, V_BIND_ALONE);
        break;
    case TIMER_BIND: /* [V4-5-2, V4-B.2-5, V4-B.2-6] */
        session_refuse(session, V_BIND_LATE);
        break;
    case TIMER_IDLE:
        session_rest(session, session->idle_ms);
        break;
    case TIMER_HALF_CLOSED:
        session_rest(session, session->half_closed_ms);
        break;
    case TIMER_LINGER:
        session_end_verdict(session, (enum verdict)session->verdict);
        break;
    }
}

/* ---- The door in ---- */

static uint32_t
clamp_ms(uint64_t ms)
{
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static struct session *
session_new(struct sessions *sessions, const struct endpoint *client,
            size_t listener_index, const char *listener)
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return NULL;
    relay_init(&session->relay, &sessions->pool, session_hear_relay);
    session->sessions = sessions;
    list_init(&session->link);
    timer_init(&session->timer, session_timed_out);
    session->config = config_ref(sessions->config);
    session->idle_ms = clamp_ms(sessions->config->timeouts.idle_ms);
    session->half_closed_ms =
        clamp_ms(sessions->config->timeouts.half_closed_ms);
    session->client = *client;
    session->listener = listener;
    session->listener_index = (uint16_t)listener_index;
    session->phase_us = sessions->loop->now_us;
    session->id = atomic_fetch_add_explicit(&sessions->segment->next_session, 1,
                                            memory_order_relaxed);
    return session;
}

void
session_open(struct sessions *sessions, int fd, const struct endpoint *client,
             size_t listener_index, const char *listener)
{
    segment_count(sessions->column, SEGMENT_COUNTER_accepted, 1);
    struct session *session =
        session_new(sessions, client, listener_index, listener);
    if (session == NULL) {
        sys_reset(fd);
        segment_count(sessions->column, SEGMENT_COUNTER_early, 1);
        segment_count(sessions->column, SEGMENT_COUNTER_dropped, 1);
        return;
    }
    list_append(&sessions->live, &session->link);
    sessions->count++;
    segment_charge(sessions->column, SEGMENT_GAUGE_live, 1);
    session_enter(session, SESSION_REQUEST);
    if (stream_open(&session->relay.client, sessions->loop, fd,
                    session_request_ready) < 0)
        session_drop(session, V_CLIENT_GONE);
}

/* ---- The worker is to stop ---- */

void
session_stop(struct session *session)
{
    switch ((enum session_state)session->state) {
    case SESSION_NEW:
    case SESSION_END:
        break;
    case SESSION_REQUEST:
        session_drop(session, V_STOPPED_EARLY);
        break;
    case SESSION_CONNECT:
    case SESSION_PRIMARY:
    case SESSION_LISTEN:
        session_refuse(session, V_STOPPED);
        if (session->state == SESSION_REFUSE)
            session_end_verdict(session, V_STOPPED);
        break;
    case SESSION_RELAY:
    case SESSION_HALF_CLOSED:
        session_end(session, BY_GATEWAY, END_DRAIN);
        break;
    case SESSION_REFUSE:
        session_end_verdict(session, (enum verdict)session->verdict);
        break;
    }
}

void
session_free(struct session *session)
{
    request_fini(&session->request);
    free(session->rule);
    free(session);
}
