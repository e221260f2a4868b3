/* A session that goes through parents. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/errno_table.h"
#include "gateway/worker/parent.h"
#include "gateway/worker/session_parts.h"
#include "gateway/worker/sources.h"

/* One address of one parent of the rule's `via'. */
struct place {
    uint8_t parent, address;
    bool begun; /* false: before the first */
};

/*
 * The parents of the rule's `via', each with its addresses, and of a name each
 * address that it has: they are tried in this order until one has answered,
 * within one timeouts.connect, each for its share of what is left. Those that
 * rest are tried last.
 */
struct attempt {
    struct session *session;
    struct parent parent;
    struct lookup lookup; /* of the parent's name */
    struct endpoint to;   /* where the connection goes */
    uint64_t asked_us;    /* when the request was sent */
    uint64_t until_us;    /* the end of the present address's share */
    uint32_t addresses[LOOKUP_ADDRESSES_MAX]; /* of the name, host order */
    uint8_t count, at;
    struct place place;
    uint16_t tried[RULE_VIA_MAX]; /* a bit for each address */
    struct endpoint at_server;    /* what the parent's grant says */
    bool granted : 1; /* the server's PROXY header goes out */
    bool all : 1;    /* all that do not rest have been tried */
    bool asked : 1;  /* the request was sent: TLS stands, where there is any */
    bool probes : 1; /* it tries one after its rest: see parents.h */
    bool redial : 1; /* the same again, for another address of the name that the
                        client asked for */
};

_Static_assert(CONFIG_PARENT_ADDRESSES_MAX <= 16, "bits of attempt.tried");

static void session_parent_next(struct session *session, enum verdict verdict);
static stream_fn session_parent_ready;

/* ---- Which is next ---- */

static const struct config_parent *
session_parent_of(const struct session *session)
{
    const struct attempt *attempt = session->via->attempt;
    const struct rule *rule = session_rule(session);

    return &session->config->parents[rule->via[attempt->place.parent]];
}

static const struct config_parent_address *
session_parent_address(const struct session *session)
{
    const struct attempt *attempt = session->via->attempt;

    return &session_parent_of(session)->addresses[attempt->place.address];
}

/* False: there is none behind it. */
static bool
place_advance(struct place *place, const struct config *config,
              const struct rule *rule)
{
    if (!place->begun) {
        *place = (struct place){.begun = true};
        return true;
    }
    if (place->address + 1u <
        config->parents[rule->via[place->parent]].address_count) {
        place->address++;
        return true;
    }
    if (place->parent + 1u >= rule->via_count)
        return false;
    *place = (struct place){.parent = (uint8_t)(place->parent + 1),
                            .begun = true};
    return true;
}

/* The next one that was not tried, and does not rest unless all others have
   been tried. */
static bool
session_parent_seek(const struct session *session, struct place *place)
{
    const struct attempt *attempt = session->via->attempt;
    const struct config *config = session->config;
    const struct rule *rule = session_rule(session);

    while (place_advance(place, config, rule)) {
        const struct config_parent *parent =
            &config->parents[rule->via[place->parent]];
        if ((attempt->tried[place->parent] >> place->address & 1) == 0 &&
            (attempt->all ||
             !parents_rests(&sessions_of(session)->parents, config,
                            &parent->addresses[place->address])))
            return true;
    }
    return false;
}

static bool
session_parent_choose(struct session *session)
{
    struct attempt *attempt = session->via->attempt;
    struct parents *parents = &sessions_of(session)->parents;

    while (!session_parent_seek(session, &attempt->place)) {
        if (attempt->all)
            return false;
        attempt->all = true;
        attempt->place = (struct place){0};
    }
    attempt->tried[attempt->place.parent] |=
        (uint16_t)(1u << attempt->place.address);
    attempt->probes = parents_try(parents, session->config,
                                  session_parent_address(session));
    attempt->count = 0;
    attempt->at = 0;
    snprintf(session->via->name, sizeof(session->via->name), "%s",
             session_parent_of(session)->name);
    return true;
}

/* How many are left to try, the present one included. */
static unsigned
session_parent_count(const struct session *session)
{
    const struct attempt *attempt = session->via->attempt;
    struct place place = attempt->place;
    unsigned count = attempt->count > attempt->at
                         ? (unsigned)(attempt->count - attempt->at)
                         : 1;

    while (session_parent_seek(session, &place))
        count++;
    return count;
}

/* ---- Time ---- */

static void
session_parent_arm(struct session *session)
{
    struct loop *loop = sessions_of(session)->loop;
    uint64_t until_us = session->via->attempt->until_us;

    loop_start_timer(loop, &session->timer,
                     until_us > loop->now_us
                         ? (until_us - loop->now_us + 999) / 1000
                         : 1);
}

/* The present address gets its share of what is left of timeouts.connect.
   False: nothing is left. */
static bool
session_parent_share(struct session *session)
{
    struct loop *loop = sessions_of(session)->loop;
    uint64_t spent_ms = session->ms[PHASE_CONNECT] +
                        (loop->now_us - session->phase_us) / 1000;
    uint64_t all_ms = session_connect_ms(session);

    if (spent_ms >= all_ms)
        return false;
    uint64_t share_ms = session_address_share_ms(session, all_ms - spent_ms) /
                        session_parent_count(session);
    session->via->attempt->until_us =
        loop->now_us + UINT64_C(1000) * (share_ms > 0 ? share_ms : 1);
    return true;
}

/* Whether the parent is told the name, and this gateway knows no address. */
static bool
session_passes_name(const struct session *session)
{
    return session->request.name_len > 0 && session->route == NULL &&
           session_rule(session)->passes_names;
}

/* ---- What has come of one ---- */

/* It is tried no longer, and nothing was learnt of it. */
static void
session_parent_leave(struct session *session)
{
    struct attempt *attempt = session->via->attempt;

    lookup_cancel(&sessions_of(session)->lookups, &attempt->lookup);
    parent_fini(&attempt->parent);
    if (attempt->probes)
        parents_leave(&sessions_of(session)->parents, session->config,
                      session_parent_address(session));
    attempt->probes = false;
}

/* It cannot be reached, is silent, or talks nonsense: the next one. Of a name
   all addresses must have failed. */
static void
session_parent_failed(struct session *session, enum verdict verdict)
{
    struct attempt *attempt = session->via->attempt;

    if (attempt->at + 1u >= attempt->count)
        parents_failed(&sessions_of(session)->parents, session->config,
                       session_parent_address(session),
                       verdict_rows[verdict].name);
    session_parent_next(session, verdict);
}

/* Why TLS failed, which outlives the stream. */
static void
session_parent_note_tls(struct session *session)
{
    const char *reason = stream_tls_outcome(&session->relay.server)->reason;

    session->via->tls_reason =
        reason != NULL ? reason
                       : "the parent ended the connection inside the handshake";
}

static enum verdict
session_parent_refusal(const struct attempt *attempt)
{
    static const enum verdict verdicts[] = {
        V_PARENT_REFUSED, V_PARENT_NO_IDENTD, V_PARENT_OTHER_USER};

    return verdicts[attempt->parent.client.code - SOCKS4_REJECTED];
}

/* Where it refuses, the server may be to blame: another address of the name
   may be granted [4A-4.3-2]. Else its answer is the client's, as it is. */
static void
session_parent_refused(struct session *session)
{
    struct attempt *attempt = session->via->attempt;
    enum verdict verdict = session_parent_refusal(attempt);
    const struct config_parent *parent = session_parent_of(session);

    if (session->state == SESSION_LISTEN) {
        session_refuse(session, verdict);
    } else if (verdict == V_PARENT_REFUSED && session_next_address(session)) {
        attempt->redial = true;
        session_parent_next(session, verdict);
    } else if (parent->retry == CONFIG_PARENT_RETRY_REFUSED) {
        attempt->at = attempt->count;
        session_parent_next(session, verdict);
    } else {
        session_refuse(session, verdict);
    }
}

/* The connection stands, and through it that to the server. The parent's
   address for it is the client's answer. */
static void
session_parent_granted(struct session *session, const struct endpoint *at)
{
    static const struct endpoint zeros = {.addr = {0, UINT64_C(0xffff) << 32}};
    struct sessions *sessions = sessions_of(session);

    if (session->bind != NULL) {
        session->bind->peer = *at;
        session_relay(session, at);
        return;
    }
    session->via->attempt->granted = true;
    session->via->attempt->at_server = *at;
    if (!session_send_proxy(session))
        return;
    if (sessions->live_link.wanted && !session_passes_name(session))
        session_register_now(session);
    session_relay(session, session->config->connect_reply == CONFIG_REPLY_ZEROS
                               ? &zeros
                               : at);
}

/* The parent waits for the BIND's peer: the first reply, with the parent's
   address in place of 0.0.0.0 [V4-4.2-7]. */
static bool
session_parent_bound(struct session *session, const struct endpoint *at)
{
    session_enter(session, SESSION_LISTEN);
    if (session_grant(session, at)) {
        session_notice_leaving(session);
        return session->state == SESSION_LISTEN;
    }
    session_drop(session, V_BIND_LEFT);
    return false;
}

static void
session_parent_broke(struct session *session, enum verdict verdict)
{
    if (session->state == SESSION_LISTEN)
        session_refuse(session, verdict);
    else
        session_parent_failed(session, verdict);
}

/* Reads what the parent answers, as far as it has. */
static void
session_parent_read(struct session *session, enum parent_event event)
{
    struct attempt *attempt = session->via->attempt;
    struct parents *parents = &sessions_of(session)->parents;
    struct endpoint at;

    while (event == PARENT_WAITS || event == PARENT_BOUND) {
        event = parent_step(&attempt->parent, &session->relay.server, &at);
        if (event == PARENT_WAITS)
            return;
        if (event == PARENT_BOUND || event == PARENT_GRANTED ||
            event == PARENT_REFUSED) {
            attempt->probes = false;
            parents_answered(parents, session->config,
                             session_parent_address(session));
        }
        if (event == PARENT_BOUND && !session_parent_bound(session, &at))
            return;
    }
    switch (event) {
    case PARENT_GRANTED:
        session_parent_granted(session, &at);
        break;
    case PARENT_REFUSED:
        session_parent_refused(session);
        break;
    case PARENT_MALFORMED:
        session_parent_broke(session, V_PARENT_MALFORMED);
        break;
    case PARENT_CLOSED:
        session_parent_broke(session, V_PARENT_CLOSED);
        break;
    default:
        session_refuse(session, V_NO_MEMORY);
        break;
    }
}

/* ---- The connection to it ---- */

/* It stands: the request goes out, as the client has sent it or with the
   address that was resolved here. */
static void
session_parent_ask(struct session *session)
{
    struct attempt *attempt = session->via->attempt;
    struct sessions *sessions = sessions_of(session);
    const struct parent_question question = {
        .request = &session->request,
        .userid = session_parent_of(session)->userid,
        .passes_name = session_passes_name(session),
        .parent = attempt->to.addr,
    };

    if (session->state != SESSION_PARENT) {
        session_enter(session, SESSION_PARENT);
        session_parent_arm(session);
    }
    attempt->asked = true;
    attempt->asked_us = sessions->loop->now_us;
    session_parent_read(session, parent_ask(&attempt->parent, &question,
                                            &session->relay.server,
                                            sessions->pool.buffer));
}

/* What keeps the gateway itself from connecting is nothing of the parent's. */
static bool
session_parent_is_to_blame(enum verdict verdict)
{
    return verdict == V_CONNECT_REFUSED || verdict == V_CONNECT_UNREACHABLE ||
           verdict == V_CONNECT_LATE || verdict == V_CONNECT_SELF ||
           verdict == V_CONNECT_FAILED;
}

static void
session_parent_not_dialled(struct session *session, enum verdict verdict)
{
    if (!session_parent_is_to_blame(verdict))
        session_refuse(session, verdict);
    else
        session_parent_failed(session, verdict == V_CONNECT_LATE
                                           ? V_PARENT_LATE
                                           : V_PARENT_UNREACHABLE);
}

/* One step of TLS with it; nothing is sent before its certificate was
   verified. */
static void
session_parent_handshake(struct session *session)
{
    switch (stream_handshake(&session->relay.server)) {
    case TLS_DONE:
        session_parent_ask(session);
        break;
    case TLS_TRUNCATED:
    case TLS_FAILED:
        session_parent_note_tls(session);
        session_parent_failed(session, V_PARENT_TLS);
        break;
    default: /* it waits */
        break;
    }
}

/* The host of its address, where the configuration gives no name for its
   certificate. */
static const char *
session_parent_name(const struct session *session, char text[ADDR_TEXT_MAX])
{
    const struct config_tls *tls = session_parent_of(session)->tls;
    const struct config_parent_address *address =
        session_parent_address(session);

    if (tls->name != NULL)
        return tls->name;
    return address->name != NULL ? address->name
                                 : addr_format(address->at.addr, text);
}

static void
session_parent_begin_tls(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    const struct config_parent *parent = session_parent_of(session);
    struct tls_context *context = sessions_parent_tls(
        sessions, session->config, (size_t)(parent - session->config->parents));
    char text[ADDR_TEXT_MAX];
    int error = -ENOMEM;

    session_enter(session, SESSION_PARENT);
    session_parent_arm(session);
    if (context != NULL)
        error = stream_start_tls(&session->relay.server, &sessions->tls,
                                 context, session_parent_name(session, text));
    session_charge_tls(session, &session->relay.server, 1);
    if (error < 0)
        session_refuse(session, V_NO_MEMORY);
}

static void
session_parent_ready(struct watch *watch, uint32_t events)
{
    struct stream *server = stream_event(watch, events);
    struct session *session =
        container_of(server, struct session, relay.server);
    struct endpoint local;

    if (session->state != SESSION_CONNECT) {
        const struct attempt *attempt = session->via->attempt;
        const struct endpoint at = attempt->at_server;
        if (attempt->granted)
            session_parent_granted(session, &at);
        else if (attempt->asked)
            session_parent_read(session, PARENT_WAITS);
        else
            session_parent_handshake(session);
        return;
    }
    int result = stream_dialled(server, &session->via->attempt->to, &local);
    if (result == -EINPROGRESS)
        return;
    if (result < 0) {
        session_parent_not_dialled(session, errno_verdict(result));
        return;
    }
    session->local = local.addr;
    session->local_port = local.port;
    if (session_parent_of(session)->tls != NULL)
        session_parent_begin_tls(session);
    else
        session_parent_ask(session);
}

/* A parent that leads back here would go in a circle. */
static bool
session_parent_is_self(const struct session *session)
{
    struct policy_question question = session_question(session);

    question.to = session->via->attempt->to.addr;
    question.port = session->via->attempt->to.port;
    return policy_is_listener(&session->config->policy, &question);
}

/* V_GRANTED: it is under way. */
static enum verdict
session_parent_dial(struct session *session)
{
    struct attempt *attempt = session->via->attempt;
    struct sessions *sessions = sessions_of(session);
    const struct config_parent_address *address =
        session_parent_address(session);

    attempt->to = address->at;
    if (address->name != NULL)
        attempt->to.addr = addr_v4(attempt->addresses[attempt->at]);
    if (session_parent_is_self(session))
        return V_PARENT_SELF;
    if (session->state != SESSION_CONNECT)
        session_enter(session, SESSION_CONNECT);
    if (!session_parent_share(session))
        return V_PARENT_LATE;
    session_parent_arm(session);
    attempt->granted = false;
    session_begin_proxy(session);
    struct way_out way =
        way_out_choose(&sessions->way_out_turns, session->config,
                       session_rule(session), &attempt->to);
    int error = way_out_dial(&way, &session->relay.server, sessions->loop,
                             session_parent_ready);
    return error == 0 ? V_GRANTED : session_way_verdict(session, &way, error);
}

/* ---- Its name ---- */

static void
session_parent_answered(struct lookup *lookup, enum lookup_outcome outcome,
                        const uint32_t *addresses, size_t count)
{
    struct attempt *attempt = container_of(lookup, struct attempt, lookup);
    struct session *session = attempt->session;

    if (outcome != LOOKUP_OVERLOADED)
        parents_found_name(&sessions_of(session)->parents, session->config,
                           session_parent_address(session),
                           outcome == LOOKUP_FOUND);
    if (outcome != LOOKUP_FOUND) {
        session_parent_next(session, V_PARENT_NAME);
        return;
    }
    memcpy(attempt->addresses, addresses, count * sizeof(*addresses));
    attempt->count = (uint8_t)count;
    attempt->at = 0;
    attempt->redial = true;
    session_parent_next(session, V_PARENT_UNREACHABLE);
}

/* The resolver has the answer at hand, mostly: it is asked each time, so that a
   change of the name is followed. V_GRANTED: it was asked. */
static enum verdict
session_parent_resolve(struct session *session)
{
    struct attempt *attempt = session->via->attempt;
    struct sessions *sessions = sessions_of(session);
    const struct config_parent_address *address =
        session_parent_address(session);

    if (!session_parent_share(session))
        return V_PARENT_LATE;
    if (session->state != SESSION_PARENT_NAME)
        session_enter(session, SESSION_PARENT_NAME);
    session_parent_arm(session);
    lookup_start(&sessions->lookups, &attempt->lookup,
                 source_hash(sessions->segment, session->client),
                 address->name, address->name_len,
                 (attempt->until_us - sessions->loop->now_us) / 1000 + 1,
                 session_parent_answered);
    return V_GRANTED;
}

/* ---- One after the other ---- */

/* The next address of the present one, if it has a name; else the next one,
   whose name may have to be resolved. */
static bool
session_parent_advance(struct session *session)
{
    struct attempt *attempt = session->via->attempt;

    if (attempt->redial) {
        attempt->redial = false;
        return true;
    }
    if (attempt->at + 1u < attempt->count) {
        attempt->at++;
        return true;
    }
    session_parent_leave(session);
    return session_parent_choose(session);
}

/* Tries the next one, or refuses with the verdict of the last. */
static void
session_parent_next(struct session *session, enum verdict verdict)
{
    struct attempt *attempt = session->via->attempt;

    stream_close(&session->relay.server);
    session_charge_tls(session, &session->relay.server, -1);
    stream_fini(&session->relay.server);
    stream_init(&session->relay.server);
    attempt->asked = false;
    while (session_parent_advance(session)) {
        bool named = session_parent_address(session)->name != NULL;
        verdict = named && attempt->count == 0
                      ? session_parent_resolve(session)
                      : session_parent_dial(session);
        if (verdict == V_GRANTED)
            return;
        if (session_parent_is_to_blame(verdict))
            verdict = V_PARENT_UNREACHABLE;
        if (verdict == V_PARENT_UNREACHABLE &&
            attempt->at + 1u >= attempt->count)
            parents_failed(&sessions_of(session)->parents, session->config,
                           session_parent_address(session),
                           verdict_rows[verdict].name);
        if (verdict != V_PARENT_UNREACHABLE && verdict != V_PARENT_SELF)
            break;
    }
    session_refuse(session, verdict);
}

/*
 * Its share is over. One that has taken the request and does not answer may
 * wait for the server itself: it has failed only if no other session has had an
 * answer from it meanwhile.
 */
void
session_parent_late(struct session *session, enum verdict verdict)
{
    struct attempt *attempt = session->via->attempt;

    if (session->state == SESSION_PARENT_NAME)
        session_parent_next(session, V_PARENT_NAME);
    else if (session->state == SESSION_PARENT && attempt->asked &&
             parents_answered_since(
                 &sessions_of(session)->parents, session->config,
                 session_parent_address(session), attempt->asked_us))
        session_parent_next(session, verdict);
    else
        session_parent_failed(session, verdict);
}

/* ---- Beginning and end ---- */

void
session_parent_start(struct session *session)
{
    session->via = calloc(1, sizeof(*session->via));
    struct attempt *attempt = calloc(1, sizeof(*attempt));

    if (session->via != NULL)
        session->via->attempt = attempt;
    else
        free(attempt);
    if (session->via == NULL || attempt == NULL) {
        session_refuse(session, V_NO_MEMORY);
        return;
    }
    attempt->session = session;
    list_init(&attempt->lookup.link);
    session_enter(session, SESSION_CONNECT);
    session_parent_next(session, V_PARENT_UNREACHABLE);
}

void
session_stop_parent(struct session *session)
{
    if (session->via == NULL || session->via->attempt == NULL)
        return;
    if (session->via->attempt->place.begun)
        session_parent_leave(session);
    free(session->via->attempt);
    session->via->attempt = NULL;
}
