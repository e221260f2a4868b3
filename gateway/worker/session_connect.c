/* A session that connects. */

#include <errno.h>

#include "base/sys.h"
#include "gateway/policy/policy.h"
#include "gateway/worker/errno_table.h"
#include "gateway/worker/session_parts.h"
#include "gateway/worker/way_out.h"

void
session_register_now(struct session *session)
{
    session->registered =
        live_link_register(&sessions_of(session)->live_link, session->id,
                           session->client, session->request.to) == 0;
}

void
session_register(struct session *session)
{
    bool stands = session->state == SESSION_RELAY ||
                  session->state == SESSION_HALF_CLOSED;

    if (stands && session->request.command == RULE_CONNECT &&
        !session->registered)
        session_register_now(session);
}

/* To an address that came just now the kernel connects from that address. */
bool
session_came_out_here(struct addr local, struct policy_question *question)
{
    question->to_is_local = addr_equal(local, question->to) ||
                            question->is_local(question->local, question->to);
    return question->to_is_local;
}

/* Whether the kernel delivers to this machine what it does not send from the
   destination, as where the configuration says from which address: the list of
   addresses may be behind, while the monitor is busy, and for good when it is
   gone. Of IPv4 a tunnel may seem to be loopback: the route tells. */
static bool
session_came_by_loopback(const struct session *session, struct addr to)
{
    bool v4 = addr_is_v4(to);
    struct addr local;

    if (v4 &&
        !way_out_has_source(session->setup->config, session_rule(session), to))
        return false;
    return stream_is_by_loopback(&session->relay.server, v4) &&
           (!v4 || (sys_route(to, &local) == 0 && addr_equal(local, to)));
}

/* Whether the rules do not reach where the connection has come out, or by
   another rule, which may ask for more. */
static bool
session_reached_self(const struct session *session, struct addr local)
{
    struct policy_question question = session_question(session);

    if (!session_came_out_here(local, &question) &&
        !session_came_by_loopback(session, question.to))
        return false;
    question.to_is_local = true;
    const struct policy_answer answer =
        policy_decide(&session->setup->config->policy, &question);
    return answer.reason != POLICY_ALLOWED ||
           answer.rule != session_rule(session);
}

/* The grant leaves only now that the connection stands [V4-3.3-4], and where a
   BIND may ask for it, after it is registered with the monitor. */
void
session_server_dialled(struct session *session)
{
    const struct endpoint to = {session->request.to, session->request.port};
    const struct endpoint zeros = {.addr = addr_v4(0)};
    struct endpoint local;

    int result = stream_dialled(&session->relay.server, &to, &local);
    if (result == -EINPROGRESS)
        return;
    if (result < 0) {
        session_dial_next(session, errno_verdict(result));
        return;
    }
    session_stop_beside(session);
    if (session_reached_self(session, local.addr)) {
        session_refuse(session, V_DENIED_SELF);
        return;
    }
    if (!session_send_proxy(session))
        return;
    session->local = local.addr;
    session->local_port = local.port;
    if (sessions_of(session)->live_link.wanted)
        session_register_now(session);
    bool hidden = session->setup->config->connect_reply == CONFIG_REPLY_ZEROS;
    session_relay(session, hidden ? &zeros : &local);
}

void
session_server_ready(struct watch *watch, uint32_t events)
{
    session_server_dialled(container_of(stream_event(watch, events),
                                        struct session, relay.server));
}

/* All of timeouts.connect while at most half of limits.pending is taken, and
   from there less and less, so that dead servers keep nobody out. */
uint64_t
session_connect_ms(struct session *session)
{
    uint64_t full_ms =
        rule_or_all_ms(session_rule(session)->timeouts.connect_ms,
                       session->setup->config->timeouts.connect_ms);
    uint64_t ms = limits_connect_ms(&sessions_of(session)->limits, full_ms);

    session->setup->hurried = ms < full_ms;
    return ms;
}

uint64_t
session_connect_left_ms(struct session *session)
{
    uint64_t now_us = sessions_of(session)->loop->now_us;
    uint64_t spent_ms =
        session->ms[PHASE_CONNECT] + (now_us - session->phase_us) / 1000;
    uint64_t all_ms = session_connect_ms(session);

    return spent_ms < all_ms ? all_ms - spent_ms : 0;
}

uint64_t
session_connect_share_ms(struct session *session, unsigned parents)
{
    uint64_t left_ms = session_connect_left_ms(session);

    if (left_ms == 0)
        return 0;
    uint64_t share_ms = session_address_share_ms(session, left_ms) / parents;
    return share_ms > 0 ? share_ms : 1;
}

/* The kernel has one errno for a source that is not there and for one without a
   free port. */
static bool
session_has_source(const struct session *session, struct addr source)
{
    const struct policy_question question = session_question(session);

    return addr_is_any(source) || question.is_local(question.local, source);
}

int
session_dial_from(struct session *session, struct stream *stream,
                  const struct endpoint *to, struct addr *source,
                  stream_fn *serve)
{
    struct sessions *sessions = sessions_of(session);
    uint64_t now_us = sessions->loop->now_us;

    *source = way_out_source(&sessions->way_out_turns, session->setup->config,
                             session_rule(session), to->addr);
    if (spent_ports_has(&sessions->spent_ports, to, *source, now_us))
        return -EADDRNOTAVAIL;
    PROBE_DIAL(session->id, &to->addr, to->port);
    int error = stream_dial(stream, sessions->loop, to, *source, serve);
    if (error == -EADDRNOTAVAIL && session_has_source(session, *source))
        spent_ports_add(&sessions->spent_ports, to, *source, now_us);
    return error;
}

enum verdict
session_dial_verdict(const struct session *session, struct addr source,
                     int error)
{
    if (error != -EADDRNOTAVAIL || session_has_source(session, source))
        return errno_verdict(error);
    return session_rule(session)->egress_count > 0 ? V_EGRESS_OF_RULE
                                                   : V_EGRESS_ADDRESS;
}

enum verdict
session_dial_address(struct session *session, struct stream *stream,
                     struct addr addr, stream_fn *serve)
{
    const struct endpoint to = {addr, session->request.port};
    struct addr source;

    int error = session_dial_from(session, stream, &to, &source, serve);
    /* As with IPv6 switched off. */
    if (error == -EADDRNOTAVAIL && !addr_is_v4(to.addr))
        error = -ENETUNREACH;
    return error == 0 ? V_GRANTED
                      : session_dial_verdict(session, source, error);
}

/*
 * Of a name all addresses are tried within one time-out, each for its share
 * of what is left [V4-5-2, V4-B.2-2, V4-B.2-3]. V_GRANTED: it is under way.
 */
static enum verdict
session_dial(struct session *session)
{
    if (session->setup->route != NULL) {
        uint64_t share_ms = session_connect_share_ms(session, 1);
        if (share_ms == 0)
            return V_CONNECT_LATE;
        loop_start_timer(sessions_of(session)->loop, &session->timer, share_ms);
    }
    session_begin_proxy(session);
    return session_dial_address(session, &session->relay.server,
                                session->request.to, session_server_ready);
}

bool
session_may_dial_another(enum verdict verdict)
{
    return verdict == V_CONNECT_REFUSED || verdict == V_CONNECT_UNREACHABLE ||
           verdict == V_CONNECT_NO_NETWORK || verdict == V_CONNECT_LATE ||
           verdict == V_CONNECT_SELF || verdict == V_CONNECT_FAILED;
}

/* The next address of the name [4A-4.3-2], or the refusal. */
void
session_dial_next(struct session *session, enum verdict verdict)
{
    if (session->setup->via != NULL) {
        session_parent_late(session, V_PARENT_LATE);
        return;
    }
    stream_close(&session->relay.server);
    while (session_may_dial_another(verdict) && session_next_address(session)) {
        verdict = session_dial(session);
        if (verdict == V_GRANTED) {
            session_begin_beside(session);
            return;
        }
    }
    if (session_goes_on_beside(session, &verdict))
        loop_cancel_timer(sessions_of(session)->loop, &session->timer);
    else
        session_refuse(session, verdict);
}

void
session_proceed(struct session *session, const struct rule *rule)
{
    if (session->request.command == RULE_BIND) {
        session_bind(session, rule);
        return;
    }
    if (session->request.command == RULE_UDP) {
        session_associate(session);
        return;
    }
    if (rule->via_count > 0) {
        session_parent_start(session);
        return;
    }
    session_enter(session, SESSION_CONNECT);
    session_prepare_beside(session);
    enum verdict verdict = session_dial(session);
    if (verdict != V_GRANTED)
        session_dial_next(session, verdict);
}
