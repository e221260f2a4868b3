#include "gateway/worker/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/worker/session_parts.h"
#include "socks4/codec.h"

/* After a refusal: how long the client may go on sending. */
#define LINGER_MS 1000

/* How long the monitor may take to say whether a CONNECT lives. */
#define PRIMARY_MS 5000

/* ---- States ---- */

enum session_timer {
    TIMER_NONE,
    TIMER_REQUEST,
    TIMER_RESOLVE,
    TIMER_IDENT,
    TIMER_CONNECT,
    TIMER_PRIMARY,
    TIMER_BIND,
    TIMER_IDLE,
    TIMER_HALF_CLOSED,
    TIMER_LINGER
};

#define PHASE_NONE PHASE_COUNT
#define FROM(symbol) (1u << SESSION_##symbol)
#define UNDECIDED (FROM(REQUEST) | FROM(RESOLVE) | FROM(IDENT))

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
    case TIMER_IDENT: /* kept by the inquiry, which may outlive the state */
        break;
    case TIMER_REQUEST:
        return session->config->timeouts.request_ms;
    case TIMER_RESOLVE:
        return session->config->timeouts.resolve_ms;
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
    uint64_t now_us = sessions_of(session)->loop->now_us;

    if (phase != PHASE_NONE)
        session->ms[phase] += (uint32_t)((now_us - session->phase_us) / 1000);
    session->phase_us = now_us;
}

/* The one setter: checks the transition, charges the time, arms the timer. */
void
session_enter(struct session *session, enum session_state state)
{
    struct sessions *sessions = sessions_of(session);
    const struct state_row *old = &state_rows[session->state];
    const struct state_row *new = &state_rows[state];

    assert(new->from &(1u << session->state));
    session_charge_phase(session);
    if (old->pending > new->pending)
        limits_settle(&sessions->limits, session->source);
    if (session->state == SESSION_REQUEST)
        sessions_finished(sessions, &session->link);
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
    uint32_t dstip =
        session->dstip != 0 ? session->dstip : session->request.server.dstip;
    struct endpoint dest = {.addr = addr_v4(dstip),
                            .port = session->request.server.dstport};
    char ident[IDENTITY_TEXT_MAX];
    size_t ident_len = session_ident_text(session, ident);
    struct record record = {
        .id = session->id,
        .worker = sessions_of(session)->slot,
        .listener = session->listener->text,
        .client = {session->client, session->client_port},
        .userid = session->request.userid,
        .userid_len = session->request.userid_len,
        .command = session->request.server.command == SOCKS4_CONNECT ? "connect"
                   : session->request.server.command == SOCKS4_BIND  ? "bind"
                                                                     : NULL,
        .dest = session->request.server.has_header ? &dest : NULL,
        .name = request_domain(&session->request),
        .name_len = session->request.domain_len,
        .rule = session->rule != NULL ? session->rule->text : NULL,
        .ident = ident_len > 0 ? ident : NULL,
        .ident_len = ident_len,
        .verdict = row->name,
        .code = session->request.server.code,
        .up = session->relay.half[RELAY_UP].moved,
        .down = session->relay.half[RELAY_DOWN].moved,
        .ended_by = verdict_by_text(by),
        .end = verdict_end_text(end),
    };

    memcpy(record.ms, session->ms, sizeof(record.ms));
    record_write(sessions_of(session)->records,
                 (enum log_level)row->level, &record);
}

/* The monitor need not know of this CONNECT any more. */
static void
session_untell(struct session *session)
{
    if (session->told)
        primary_end(&sessions_of(session)->primary, session->id,
                    session->client, session->dstip);
    session->told = false;
}

static void
session_count(struct session *session)
{
    struct segment_column *column = sessions_of(session)->column;
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
    limits_leave(&sessions_of(session)->limits, session->source);
}

/*
 * The door out. A session that ended in order is closed; any other is
 * reset on both legs, so that an abort never looks like a clean end of
 * stream. It is freed at the end of the turn: an event for it may still be
 * in this one's batch.
 */
void
session_end(struct session *session, enum verdict_by by, enum verdict_end end)
{
    struct sessions *sessions = sessions_of(session);

    session_enter(session, SESSION_END);
    if (end == END_FIN || session->request.server.code != SOCKS4_GRANTED) {
        stream_close(&session->relay.client);
        stream_close(&session->relay.server);
    } else {
        stream_reset(&session->relay.client);
        stream_reset(&session->relay.server);
    }
    relay_fini(&session->relay);
    session_free_bind(session);
    session_free_route(session);
    session_untell(session);
    session_record(session, by, end);
    session_count(session);
    session_cancel_inquiry(session);
    config_unref(session->config);
    session->config = NULL;
    sessions_bury(sessions, &session->link);
}

/* Ends with what the verdict's row says. */
void
session_end_verdict(struct session *session, enum verdict verdict)
{
    session->verdict = (uint8_t)verdict;
    session_end(session, (enum verdict_by)verdict_rows[verdict].by,
                (enum verdict_end)verdict_rows[verdict].end);
}

/* Ends without a reply: nothing that speaks SOCKS4 is waiting for one. */
void
session_drop(struct session *session, enum verdict verdict)
{
    assert(verdict_rows[verdict].code == 0);
    session_end_verdict(session, verdict);
}

/* ---- The relay ---- */

void
session_hear_relay(struct relay *relay, enum relay_news news)
{
    struct session *session = container_of(relay, struct session, relay);
    enum verdict_by first =
        relay_first_end(relay) == RELAY_UP ? BY_CLIENT : BY_SERVER;

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
void
session_relay(struct session *session, uint16_t port, uint32_t ip)
{
    session->verdict = V_GRANTED;
    bool sent = session_grant(session, port, ip);
    session_free_bind(session);
    session_free_route(session);
    session_enter(session, SESSION_RELAY);
    if (!sent) {
        session_end(session, BY_CLIENT, END_RESET);
        return;
    }
    config_unref(session->config);
    session->config = NULL;
    relay_start(&session->relay);
}

/* ---- Timers ---- */

/* Idle and half_closed count from the last octet moved, so that a move need
   not touch the timer: it looks again when it fires. */
static void
session_rest(struct session *session, uint64_t patience_ms)
{
    uint64_t now_ms = loop_now_ms(sessions_of(session)->loop);
    uint64_t deadline_ms = session->relay.moved_ms + patience_ms;

    if (now_ms < deadline_ms)
        loop_start_timer(sessions_of(session)->loop, &session->timer,
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
    case TIMER_IDENT:
        break;
    case TIMER_REQUEST: /* absolute: dripping gains nothing [V4-B.2-1,
                           4A-B.4-2] */
        session_give_up(session, V_REQUEST_LATE, V_SILENT);
        break;
    case TIMER_RESOLVE: /* [4A-B.4-4] */
        session_refuse(session, V_NAME_LATE);
        break;
    case TIMER_CONNECT: /* [V4-5-2, V4-B.2-2, V4-B.2-3] */
        session_connect_late(session);
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
            size_t listener_index, struct nameplate *listener)
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return NULL;
    relay_init(&session->relay, &sessions->pool);
    list_init(&session->link);
    timer_init(&session->timer, session_timed_out);
    session->config = config_ref(sessions->config);
    session->idle_ms = clamp_ms(sessions->config->timeouts.idle_ms);
    session->half_closed_ms =
        clamp_ms(sessions->config->timeouts.half_closed_ms);
    session->client = client->addr;
    session->client_port = client->port;
    session->listener = nameplate_ref(listener);
    session->listener_index = (uint16_t)listener_index;
    session->phase_us = sessions->loop->now_us;
    session->id = atomic_fetch_add_explicit(&sessions->segment->next_session, 1,
                                            memory_order_relaxed);
    return session;
}

void
session_open(struct sessions *sessions, int fd, const struct endpoint *client,
             size_t listener_index, struct nameplate *listener)
{
    int source;

    segment_count(sessions->column, SEGMENT_COUNTER_accepted, 1);
    if (!session_admit(sessions, client->addr, &source)) {
        sys_reset(fd);
        return;
    }
    struct session *session =
        session_new(sessions, client, listener_index, listener);
    if (session == NULL) {
        sys_reset(fd);
        limits_settle(&sessions->limits, source);
        limits_leave(&sessions->limits, source);
        segment_count(sessions->column, SEGMENT_COUNTER_early, 1);
        segment_count(sessions->column, SEGMENT_COUNTER_dropped, 1);
        return;
    }
    session->source = source;
    list_append(&sessions->unfinished, &session->link);
    sessions->count++;
    session_enter(session, SESSION_REQUEST);
    if (stream_open(&session->relay.client, sessions->loop, fd,
                    session_request_ready) < 0)
        session_drop(session, V_NO_MEMORY_EARLY);
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
    case SESSION_RESOLVE:
    case SESSION_IDENT:
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
    session_free_inquiry(session);
    request_fini(&session->request);
    nameplate_unref(session->listener);
    nameplate_unref(session->rule);
    free(session);
}
