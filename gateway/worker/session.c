#include "gateway/worker/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/policy/name.h"
#include "gateway/worker/session_parts.h"
#include "gateway/worker/sources.h"

/* After a refusal: how long the client may go on sending. */
#define LINGER_MS 1000

/* A session that relays for less is a short one. */
#define SESSION_SHORT_MS 1000

/* How long the monitor may take to answer whether a CONNECT lives. */
#define PRIMARY_MS 5000

/* ---- States ---- */

enum session_timer {
    TIMER_NONE,
    TIMER_REQUEST,
    TIMER_RESOLVE,
    TIMER_CONNECT,
    TIMER_PRIMARY,
    TIMER_BIND,
    TIMER_IDLE,
    TIMER_HALF_CLOSED,
    TIMER_LINGER
};

#define PHASE_NONE PHASE_KEPT
#define FROM(symbol) (1u << SESSION_##symbol)
#define UNDECIDED (FROM(REQUEST) | FROM(RESOLVE) | FROM(IDENT))
/* The waits around a CONNECT's or BIND's connection, but for the connection. */
#define DIALLED (FROM(PRIMARY) | FROM(PARENT_NAME) | FROM(PARENT))

static void session_notice_end(struct session *session);
static void session_rest(struct session *session, enum verdict verdict);

static const struct session_row {
    void (*client)(struct session *session);
    void (*late)(struct session *session, enum verdict verdict);
    uint8_t verdict;
    uint8_t timer;
    uint8_t phase;
    uint8_t pending;
    uint32_t from;
} session_rows[] = {
#define X(symbol, timer, phase, pending, client, late, verdict, from)          \
    [SESSION_##symbol] = {client,        late,    V_##verdict, TIMER_##timer,  \
                          PHASE_##phase, pending, from},
    SESSION_STATES(X)
#undef X
};

_Static_assert(sizeof(session_rows) / sizeof(session_rows[0]) ==
                   SESSION_STATE_COUNT,
               "the last state has a row");
_Static_assert(SESSION_STATE_COUNT <= 32 && LOG_LEVEL_COUNT < 8,
               "they fit their fields");

static void
session_client_ready(struct watch *watch, uint32_t events)
{
    struct session *session =
        container_of(stream_event(watch, events), struct session, relay.client);

    session_rows[session->state].client(session);
}

static void
session_receive_fin(struct session *session)
{
    struct sessions *sessions = sessions_of(session);

    if (session->state == SESSION_AUTH)
        return; /* its request may be in front of the FIN */
    sessions_leave(sessions, &session->link);
    attempts_receive_fin(&sessions->attempts, session);
}

static void
session_notice_end(struct session *session)
{
    if (stream_is(&session->relay.client, STREAM_BROKEN))
        session_drop(session, V_CLIENT_GONE);
    else if (stream_is(&session->relay.client, STREAM_ENDING))
        session_receive_fin(session);
}

static void
session_timed_out(struct timer *timer)
{
    struct session *session = container_of(timer, struct session, timer);
    const struct session_row *row = &session_rows[session->state];

    row->late(session, (enum verdict)row->verdict);
}

const struct rule *
session_rule(const struct session *session)
{
    return &session->setup->config->policy.rules[session->setup->rule_index];
}

/* At most until it is not a short session any more: session_rest. */
static uint64_t
session_short_ms(const struct session *session, uint64_t ms)
{
    return session->young && (ms == 0 || ms > SESSION_SHORT_MS)
               ? SESSION_SHORT_MS
               : ms;
}

/* How long the session may stay in its state; 0: for ever. */
static uint64_t
session_timeout_ms(struct session *session)
{
    const struct session_setup *setup = session->setup;

    switch ((enum session_timer)session_rows[session->state].timer) {
    case TIMER_NONE:
        break;
    case TIMER_REQUEST: /* absolute: a handshake before it counts */
        return setup->config->timeouts.request_ms > session->total_ms
                   ? setup->config->timeouts.request_ms - session->total_ms
                   : 1;
    case TIMER_RESOLVE:
        return setup->config->timeouts.resolve_ms;
    case TIMER_CONNECT:
        return session_connect_ms(session);
    case TIMER_PRIMARY:
        return PRIMARY_MS;
    case TIMER_BIND:
        return rule_or_all_ms(session_rule(session)->timeouts.bind_ms,
                              setup->config->timeouts.bind_ms);
    case TIMER_IDLE:
        return session_short_ms(session, session->rule->idle_ms);
    case TIMER_HALF_CLOSED:
        return session_short_ms(session, session->rule->half_closed_ms);
    case TIMER_LINGER:
        return LINGER_MS;
    }
    return 0;
}

struct series *
session_series(const struct session *session)
{
    const struct sessions *sessions = sessions_of(session);

    return &sessions->segment->series[sessions->slot];
}

/* Of REQUEST that is suspended, nothing yet. */
static bool
session_ends_phase(const struct session *session, enum session_state state)
{
    unsigned phase = session_rows[session->state].phase;

    return phase != PHASE_NONE && phase != session_rows[state].phase &&
           state != SESSION_AUTH;
}

static uint32_t
session_phase_ms(const struct session *session, unsigned phase)
{
    return phase == PHASE_AUTH ? session->auth_ms : session->ms[phase];
}

static void
session_charge_phase(struct session *session)
{
    unsigned phase = session_rows[session->state].phase;
    uint64_t now_us = sessions_of(session)->loop->now_us;
    uint32_t spent_ms = (uint32_t)((now_us - session->phase_us) / 1000);

    if (phase == PHASE_AUTH)
        session->auth_ms += spent_ms;
    else if (phase != PHASE_NONE)
        session->ms[phase] += spent_ms;
    session->total_ms += spent_ms;
    session->phase_us = now_us;
}

/* Of a state that is left, what metrics say: how long the phase was, if it is
   over, and in which state the session is now. */
static void
session_count_state(struct session *session, enum session_state state)
{
    const struct sessions *sessions = sessions_of(session);
    struct series *series = session_series(session);
    _Atomic uint32_t *live = sessions->segment->lives[sessions->slot]
                                 .count[session->listener->number];
    unsigned phase = session_rows[session->state].phase;

    if (session_ends_phase(session, state))
        series_observe(&series->phases[phase],
                       session_phase_ms(session, phase));
    if (session->state != SESSION_NEW)
        series_live_add(&live[session->state], -1);
    if (state != SESSION_END)
        series_live_add(&live[state], 1);
}

/* The one setter: checks the transition, charges the time, arms the timer. */
void
session_enter(struct session *session, enum session_state state)
{
    struct sessions *sessions = sessions_of(session);
    const struct session_row *old = &session_rows[session->state];
    const struct session_row *new = &session_rows[state];
    const char *left = session_state_name(session);

    assert(new->from &(1u << session->state));
    if (session->state == SESSION_AUTH)
        session_stop_auth(session);
    session_charge_phase(session);
    session_count_state(session, state);
    if (old->pending > new->pending)
        limits_settle(&sessions->limits, session->source_index);
    if (old->pending && session->state != SESSION_NEW &&
        state != SESSION_REQUEST && state != SESSION_TLS &&
        state != SESSION_AUTH)
        sessions_move(sessions, session, new->pending);
    session->state = (uint8_t)state;
    if (sessions->observed.trace_count > 0 && state != SESSION_END)
        observed_trace(&sessions->observed, session, left);

    uint64_t timeout_ms = session_timeout_ms(session);
    if (timeout_ms > 0)
        loop_start_timer(sessions->loop, &session->timer, timeout_ms);
    else
        loop_cancel_timer(sessions->loop, &session->timer);
}

/* ---- The end ---- */

/* A refusal without a reply is counted as early. */
static enum verdict_class
session_class(const struct session *session)
{
    unsigned class = verdict_rows[session->verdict].class;
    bool silent = class == VERDICT_REFUSED && !session->request.replied;

    return silent ? VERDICT_EARLY : (enum verdict_class) class;
}

/* A client that had asked nothing when the gateway stopped is not worth a
   notice. */
static enum log_level
session_level(const struct session *session)
{
    bool idle = session->verdict == V_STOPPED &&
                session_class(session) == VERDICT_EARLY;

    return idle ? LOG_LEVEL_INFO
                : (enum log_level)verdict_rows[session->verdict].level;
}

/* Down to which its lines are written. */
static enum log_level
session_log_level(const struct session *session)
{
    const struct rule_copy *rule = session->rule;

    return rule != NULL && rule->log_level != 0
               ? (enum log_level)(rule->log_level - 1)
               : sessions_of(session)->records->level;
}

/* Why no rule matched, where only who asks is at fault: the records alone would
   leave an operator with a rule that looks as if it allowed it. */
static const char *
session_hint_nearest(const struct session *session, char *text)
{
    const struct request *request = &session->request;
    struct policy_question question = session_question(session);
    char terms[POLICY_UNMET_TEXT_MAX];
    struct addr address;
    unsigned unmet;

    if (request->name_len > 0 &&
        name_read(question.name, question.name_len, &address) != NAME_HOST)
        question.name = NULL;
    const struct rule *rule =
        policy_find_nearest(&session->setup->config->policy, &question, &unmet);
    if (rule == NULL)
        return NULL;
    snprintf(text, SESSION_HINT_MAX, "a rule would allow it but for its %s: %s",
             policy_unmet_text(rule, unmet, terms), rule->name);
    return text;
}

static const char *
session_hint(const struct session *session, char *text)
{
    if (session->verdict == V_DENIED_DEFAULT &&
        session_hint_nearest(session, text) != NULL)
        return text;
    if (session->verdict == V_GRANTED && session->end == END_LIMIT)
        return "it stalled, and held most of the kernel's memory that "
               "limits.memory leaves to stalled sessions";
    const char *reason = stream_tls_outcome(&session->relay.client)->reason;

    if (session->verdict == V_PROXY_MALFORMED)
        return proxy_header_error_text(
            (enum proxy_header_error)session_proxy(session)->error);
    if (reason == NULL && session->verdict == V_GRANTED)
        reason = stream_tls_outcome(&session->relay.server)->reason;
    if (reason != NULL && session->verdict != V_PROXY)
        return reason;
    if (session->verdict == V_PARENT_TLS &&
        session->setup->via->tls_reason != NULL)
        return session->setup->via->tls_reason;
    if (session->verdict == V_BIND_NO_PORT &&
        session->request.command == RULE_UDP)
        return "all of bind.ports, or without it of the system's ports, are "
               "taken, or half of them by associations of this client";
    if (session->verdict != V_CONNECT_LATE || !session->setup->hurried)
        return verdict_hint((enum verdict)session->verdict);
    snprintf(text, SESSION_HINT_MAX,
             "timeouts.connect was cut to %us because limits.pending was "
             "filling up",
             session->ms[PHASE_CONNECT] / 1000);
    return text;
}

/* Where its source has had many refusals in this second. */
static bool
session_is_suppressed(const struct session *session)
{
    return session_class(session) != VERDICT_GRANTED &&
           session_level(session) <= session_log_level(session) &&
           refusals_suppress(&sessions_of(session)->refusals,
                             session->source_index, session->client,
                             (enum verdict)session->verdict,
                             session_level(session));
}

/* A health check, say: HAProxy ends its own by a reset, also behind a PROXY
   header. */
static bool
session_is_quiet(const struct session *session)
{
    const struct session_proxy *proxy = session_proxy(session);

    if (session->verdict != V_NO_REQUEST && session->verdict != V_CLIENT_GONE)
        return false;
    bool part = session->setup->reading.unread_len > 0 ||
                stream_tls_outcome(&session->relay.client)->begun ||
                (proxy != NULL && proxy->begun && !proxy->received);
    bool empty = session->verdict == V_NO_REQUEST ||
                 (!part && !request_begun(&session->request));

    return empty &&
           netset_has(&session->setup->config->log.quiet.nets, session->client);
}

const char *
session_state_name(const struct session *session)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        SESSION_STATE_NAMES(X)
#undef X
    };
    return names[session->state];
}

/* Of one that is live, or that has ended just now or a while ago. */
void
session_describe(struct session *session, bool begins,
                 struct session_description *description)
{
    struct sessions *sessions = sessions_of(session);
    uint64_t ago_us = sessions->loop->now_us - session->phase_us;
    const struct request *request = &session->request;
    const struct bind *bind = session_bind_of(session);
    const struct association *association = session_association_of(session);
    const struct via *via = session_via_of(session);
    const struct endpoint *peer = bind != NULL          ? &bind->peer
                                  : association != NULL ? &association->client
                                                        : NULL;
    const struct tls_outcome *tls = stream_tls_outcome(&session->relay.client);
    const struct certificate *certificate = session_certificate(session);
    const struct session_proxy *proxy = session_proxy(session);
    const struct span user = session_user(session);
    size_t ident_len = session_ident_text(session, description->ident);

    description->dest = (struct endpoint){request->to, request->port};
    description->local = (struct endpoint){session->local, session->local_port};
    description->record = (struct record){
        .begins = begins,
        .level = session_level(session),
        .wall_ms = sys_wall_ms() - ago_us / 1000,
        .id = session->id,
        .worker = sessions->slot,
        .listener = session->listener->text,
        .client = {session->client, session->client_port},
        .userid = user.at,
        .userid_len = user.len,
        .command = request_command_text(request),
        .dest = request->understood ? &description->dest : NULL,
        .name = request_name(request),
        .name_len = request->name_len,
        .rule = session->rule != NULL ? session->rule->name : NULL,
        .ident = ident_len > 0 ? description->ident : NULL,
        .ident_len = ident_len,
        .verdict = verdict_rows[session->verdict].name,
        .code = request->code,
        .up = session->relay.half[RELAY_UP].moved,
        .down = session->relay.half[RELAY_DOWN].moved,
        .ended_by = verdict_by_text((enum verdict_by)session->ended_by),
        .end = verdict_end_text((enum verdict_end)session->end),
        .version = request_version_text(request),
        .proxy = proxy != NULL && proxy->balancer.port != 0 ? &proxy->balancer
                                                            : NULL,
        .tls = tls->text[0] != '\0' ? tls->text : NULL,
        .certificate = certificate != NULL && certificate->count > 0
                           ? &certificate->names[certificate->matched]
                           : NULL,
        .via = via != NULL ? via->name : NULL,
        .hint = session_hint(session, description->hint),
        .local = session->local_port != 0 ? &description->local : NULL,
        .peer = peer != NULL && peer->port != 0 ? peer : NULL,
    };
    memcpy(description->record.ms, session->ms, sizeof(session->ms));
    description->record.ms[PHASE_TLS] = tls->ms;
    if (request->version == REQUEST_SOCKS5)
        description->record.ms[PHASE_AUTH] = session->auth_ms;
    description->record.ms[PHASE_TOTAL] = session->total_ms;
}

bool
session_record(struct session *session, bool begins)
{
    struct session_description description;

    session_describe(session, begins, &description);
    return record_write(sessions_of(session)->records, &description.record,
                        session_log_level(session));
}

bool
session_write_step(struct session *session, const char *left, uint64_t dropped)
{
    struct sessions *sessions = sessions_of(session);
    struct session_description description;
    const struct record *record = &description.record;
    char client[ENDPOINT_TEXT_MAX], dest[ENDPOINT_TEXT_MAX];
    struct log_line line;

    session_describe(session, session->state != SESSION_END, &description);
    record_begin(sessions->records, &line, "trace", LOG_LEVEL_NOTICE);
    log_number(&line, "worker", sessions->slot);
    log_number(&line, "id", session->id);
    log_text(&line, "client", endpoint_format(&record->client, client));
    log_text(&line, "left", left);
    log_text(&line, "state", session_state_name(session));
    log_number(&line, "ms", session->total_ms);
    if (record->dest != NULL)
        log_text(&line, "dest", endpoint_format(record->dest, dest));
    if (record->rule != NULL)
        log_text(&line, "rule", record->rule);
    if (record->via != NULL)
        log_text(&line, "via", record->via);
    log_number(&line, "up", record->up);
    log_number(&line, "down", record->down);
    if (session->state == SESSION_REFUSE || session->state == SESSION_END)
        log_text(&line, "verdict", record->verdict);
    if (dropped > 0)
        log_number(&line, "dropped", dropped);
    return record_answer(sessions->records, &line);
}

static void
session_unregister(struct session *session)
{
    if (session->registered)
        live_link_unregister(&sessions_of(session)->live_link, session->id,
                             session->client, session->request.to);
    session->registered = false;
}

static void
session_count(struct session *session)
{
    struct segment_column *column = sessions_of(session)->column;
    static const enum segment_counter counters[] = {
        [VERDICT_GRANTED] = SEGMENT_COUNTER_granted,
        [VERDICT_REFUSED] = SEGMENT_COUNTER_refused,
        [VERDICT_EARLY] = SEGMENT_COUNTER_early,
        [VERDICT_LIMITED] = SEGMENT_COUNTER_limited,
    };

    struct series *series = session_series(session);

    segment_count(column, counters[session_class(session)], 1);
    series_count(series,
                 series_key(session->listener->number, session->verdict,
                            session->request.code, session->request.version));
    if (session_class(session) != VERDICT_LIMITED)
        series_observe(&series->phases[PHASE_TOTAL], session->total_ms);
    segment_count(column, SEGMENT_COUNTER_up,
                  session->relay.half[RELAY_UP].moved);
    segment_count(column, SEGMENT_COUNTER_down,
                  session->relay.half[RELAY_DOWN].moved);
    limits_leave(&sessions_of(session)->limits, session->source_index);
}

/* What TLS takes counts in limits.memory as what is held for slow readers. */
void
session_charge_tls(struct session *session, const struct stream *stream,
                   int sign)
{
    if (stream_is(stream, STREAM_TLS))
        segment_charge(sessions_of(session)->column, SEGMENT_GAUGE_held,
                       sign * (stream_tls_shaken(stream)
                                   ? CONFIG_TLS_OCTETS
                                   : CONFIG_HANDSHAKE_OCTETS));
}

void
session_discharge_handshake(struct session *session)
{
    segment_charge(sessions_of(session)->column, SEGMENT_GAUGE_held,
                   CONFIG_TLS_OCTETS - CONFIG_HANDSHAKE_OCTETS);
}

void
session_end(struct session *session, enum verdict_by by, enum verdict_end end)
{
    struct sessions *sessions = sessions_of(session);
    const char *left = session_state_name(session);

    session_enter(session, SESSION_END);
    session->ended_by = by & 3;
    session->end = end & 7;
    PROBE_END(session->id, verdict_rows[session->verdict].name,
              session->request.code, session->relay.half[RELAY_UP].moved,
              session->relay.half[RELAY_DOWN].moved, session->total_ms);
    if (sessions->observed.trace_count > 0)
        observed_trace(&sessions->observed, session, left);
    if (sessions->observed.follow_count > 0 &&
        session_class(session) != VERDICT_LIMITED)
        observed_report(&sessions->observed, session, false);
    if (end == END_FIN || !session->request.granted) {
        stream_close(&session->relay.client);
        session_close_server(session);
    } else {
        stream_reset(&session->relay.client);
        stream_reset(&session->relay.server);
    }
    relay_fini(&session->relay);
    session_charge_tls(session, &session->relay.client, -1);
    session_charge_tls(session, &session->relay.server, -1);
    session_leave_wait(session);
    session_unregister(session);
    shared_sessions_remove(&sessions->shared, session->shared_index);
    bool quiet = session_is_quiet(session);
    if (quiet)
        segment_count(sessions->column, SEGMENT_COUNTER_quiet, 1);
    bool recorded = quiet || session_class(session) == VERDICT_LIMITED ||
                    session_is_suppressed(session) ||
                    session_record(session, false);
    session_count(session);
    sessions_close(sessions, &session->link, recorded);
}

void
session_drop(struct session *session, enum verdict verdict)
{
    session->verdict = (uint8_t)verdict;
    session_end(session, (enum verdict_by)verdict_rows[verdict].by,
                (enum verdict_end)verdict_rows[verdict].end);
}

void
session_leave_wait(struct session *session)
{
    if (session->setup == NULL)
        return;
    session_stop_auth(session);
    session_stop_bind(session);
    session_stop_association(session);
    session_free_route(session);
    session_stop_ident(session);
    session_stop_parent(session);
}

/* ---- The relay ---- */

/* What the record calls the break of a leg. */
static enum verdict_end
session_break(const struct stream *leg)
{
    return stream_is(leg, STREAM_TRUNCATED) ? END_TRUNCATED : END_RESET;
}

void
session_on_relay_event(struct relay *relay, enum relay_event event)
{
    struct session *session = container_of(relay, struct session, relay);
    enum verdict_by first =
        relay_first_end(relay) == RELAY_UP ? BY_CLIENT : BY_SERVER;

    switch (event) {
    case RELAY_HALF_CLOSED:
        session_enter(session, SESSION_HALF_CLOSED);
        break;
    case RELAY_FINISHED:
        session_end(session, first, END_FIN);
        break;
    case RELAY_CLIENT_BROKE:
        session_end(session, BY_CLIENT, session_break(&relay->client));
        break;
    case RELAY_SERVER_BROKE:
        session_end(session, BY_SERVER, session_break(&relay->server));
        break;
    case RELAY_NO_MEMORY:
        session_end(session, BY_GATEWAY, END_ERROR);
        break;
    case RELAY_NO_SPLICE:
        sessions_say_no_splice(sessions_of(session));
        break;
    }
}

static void
session_free_setup(struct session *session)
{
    config_unref(session->setup->config);
    request_reading_fini(&session->setup->reading);
    free(session->setup);
    session->setup = NULL;
}

void
session_leave_setup(struct session *session)
{
    struct session_setup *setup = session->setup;

    assert(setup->route == NULL && setup->auth == NULL);
    if (setup->bind == NULL && setup->ident == NULL && setup->via == NULL) {
        session_free_setup(session);
        return;
    }
    config_unref(setup->config);
    setup->config = NULL;
}

void
session_record_start(struct session *session)
{
    const unsigned start = session_rule(session)->log.start;

    if (start != 0 ? start == 2 : session->setup->config->log.start)
        session_record(session, true);
}

/* Both legs stand: the reply that says so, then the relay, which begins with
   what the client sent behind its request [V4-3.3-10, V4-4.3-5]. */
void
session_relay(struct session *session, const struct endpoint *at)
{
    session->verdict = V_GRANTED;
    session_leave_wait(session);
    bool sent = session_grant(session, at);
    session->young = true;
    session_enter(session, SESSION_RELAY);
    PROBE_RELAY(session->id, session->total_ms);
    if (!sent) {
        session_end(session, BY_CLIENT, END_RESET);
        return;
    }
    const struct endpoint dest = {session->request.to, session->request.port};
    shared_sessions_relay(&sessions_of(session)->shared, session->shared_index,
                          &dest);
    session_record_start(session);
    if (sessions_of(session)->observed.follow_count > 0)
        observed_report(&sessions_of(session)->observed, session, true);
    session_leave_setup(session);
    relay_start(&session->relay);
}

/* Idle and half_closed count from the last octet moved, so that a move need
   not touch the timer: it looks again when it fires. */
static void
session_rest(struct session *session, enum verdict verdict)
{
    uint64_t now_ms = loop_now_ms(sessions_of(session)->loop);

    (void)verdict; /* it was granted */
    /* It is not a short session: the server's connection gets keepalive, four
       system calls that short ones, which are most, do without. (The client's
       has it from the listening socket.) */
    if (session->young) {
        stream_keepalive(&session->relay.server, &session->rule->keepalive);
        session->young = false;
    }
    uint64_t timeout_ms = session_timeout_ms(session);
    uint64_t deadline_ms = session->relay.moved_ms + timeout_ms;
    if (timeout_ms == 0)
        return;
    if (now_ms < deadline_ms)
        loop_start_timer(sessions_of(session)->loop, &session->timer,
                         deadline_ms - now_ms);
    else
        session_end(session, BY_GATEWAY, END_TIMEOUT);
}

/* ---- The beginning ---- */

static struct session *
session_new(struct sessions *sessions, const struct endpoint *client,
            size_t listener_index, struct refstr *listener, bool balancer)
{
    size_t behind = balancer ? sizeof(struct session_proxy) : 0;
    size_t size = sizeof(struct session) + behind;
    /* Not calloc, which takes nothing from the cache to which free has given
       the last sessions. relay_init clears the first member. */
    struct session *session = malloc(size);
    struct session_setup *setup = malloc(sizeof(*setup));
    if (session == NULL || setup == NULL) {
        free(session);
        free(setup);
        return NULL;
    }
    *setup = (struct session_setup){
        .config = config_ref(sessions->config),
        .listener_index = (uint8_t)listener_index,
    };
    relay_init(&session->relay, &sessions->pool);
    memset((char *)session + sizeof(session->relay), 0,
           size - sizeof(session->relay));
    list_init(&session->link);
    timer_init(&session->timer, session_timed_out);
    session->setup = setup;
    session->client = client->addr;
    session->client_port = client->port;
    session->listener = refstr_ref(listener);
    session->behind = balancer;
    session->phase_us = sessions->loop->now_us;
    session->id = atomic_fetch_add_explicit(&sessions->segment->next_session, 1,
                                            memory_order_relaxed);
    return session;
}

void
session_open(struct sessions *sessions, int fd, const struct endpoint *client,
             size_t listener_index, struct refstr *listener)
{
    int source_index;

    segment_count(sessions->column, SEGMENT_COUNTER_accepted, 1);
    bool balancer =
        session_has_balancer(sessions, client->addr, listener_index);
    struct series *series = &sessions->segment->series[sessions->slot];
    if (!session_admit(sessions, client->addr, balancer, &source_index)) {
        sys_reset(fd);
        series_count(series, series_key(listener->number, V_LIMITED, 0, 0));
        return;
    }
    struct session *session =
        session_new(sessions, client, listener_index, listener, balancer);
    if (session == NULL) {
        sys_reset(fd);
        limits_settle(&sessions->limits, source_index);
        limits_leave(&sessions->limits, source_index);
        segment_count(sessions->column, SEGMENT_COUNTER_early, 1);
        segment_count(sessions->column, SEGMENT_COUNTER_dropped, 1);
        series_count(series, series_key(listener->number, V_NO_MEMORY, 0, 0));
        return;
    }
    session->source_index = (int16_t)source_index;
    session->shared_index = shared_sessions_add(&sessions->shared, session->id,
                                                client, sessions->loop->now_us);
    sessions_add(sessions, session);
    PROBE_ACCEPT(session->id, &session->client, session->client_port,
                 &listener->text[0]);
    if (balancer) {
        session_expect_proxy(session, fd, session_client_ready);
        return;
    }
    struct tls_context *context = sessions->tls_contexts[listener_index];
    struct stream *stream = &session->relay.client;
    session_enter(session, context != NULL ? SESSION_TLS : SESSION_REQUEST);
    int error =
        context != NULL
            ? stream_open_tls(
                  stream, &sessions->tls, fd, context,
                  source_hash(sessions_of(session)->segment, session->client),
                  session_client_ready)
            : stream_open(stream, sessions->loop, fd, session_client_ready);
    session_charge_tls(session, stream, 1);
    if (error < 0)
        session_drop(session, V_NO_MEMORY);
}

/* ---- The worker is to stop ---- */

void
session_stop(struct session *session)
{
    switch ((enum session_state)session->state) {
    case SESSION_NEW:
    case SESSION_END:
        break;
    case SESSION_PROXY:
    case SESSION_TLS:
        session_drop(session, V_STOPPED);
        break;
    case SESSION_REQUEST:
        session_give_up(session, V_STOPPED);
        break;
    case SESSION_AUTH:
    case SESSION_RESOLVE:
    case SESSION_IDENT:
    case SESSION_CONNECT:
    case SESSION_PRIMARY:
    case SESSION_PARENT_NAME:
    case SESSION_PARENT:
    case SESSION_LISTEN:
        session_refuse(session, V_STOPPED);
        break;
    case SESSION_RELAY:
    case SESSION_HALF_CLOSED:
    case SESSION_UDP:
        session_end(session, BY_GATEWAY, END_DRAIN);
        break;
    case SESSION_REFUSE:
        break;
    }
    if (session->state == SESSION_REFUSE)
        session_drop(session, (enum verdict)session->verdict);
}

/* ---- An operator ends it ---- */

/* One that is being refused already, or has ended, is left alone. */
bool
session_kill(struct session *session)
{
    switch ((enum session_state)session->state) {
    case SESSION_NEW:
    case SESSION_REFUSE:
    case SESSION_END:
        return false;
    case SESSION_PROXY:
    case SESSION_TLS:
        session_drop(session, V_OPERATOR);
        return true;
    case SESSION_REQUEST:
        session_give_up(session, V_OPERATOR);
        return true;
    case SESSION_RELAY:
    case SESSION_HALF_CLOSED:
    case SESSION_UDP:
        session_end(session, BY_OPERATOR, END_RESET);
        return true;
    default: /* it waits for a password's answer, a name, a server, a peer */
        session_refuse(session, V_OPERATOR);
        return true;
    }
}

void
session_free(struct session *session)
{
    session_free_proxy(session);
    stream_fini(&session->relay.client);
    stream_fini(&session->relay.server);
    if (session->setup != NULL) {
        session_free_ident(session);
        association_free(session_association_of(session));
        free(session_bind_of(session));
        free(session->setup->via);
        session_free_setup(session); /* a record that waits needs its rules */
    }
    request_fini(&session->request);
    refstr_unref(session->listener);
    rule_copy_unref(session->rule);
    free(session);
}
