/* A session that connects to parents, one after the other until one has
   answered, within one timeouts.connect. */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/policy/sets.h"
#include "gateway/worker/errno_table.h"
#include "gateway/worker/session_parent.h"
#include "gateway/worker/sources.h"

/* ---- Time ---- */

void
session_parent_arm(struct session *session)
{
    struct loop *loop = sessions_of(session)->loop;
    uint64_t until_us = session_via_setup(session)->until_us;

    loop_start_timer(
        loop, &session->timer,
        until_us > loop->now_us ? (until_us - loop->now_us + 999) / 1000 : 1);
}

/* The present one's share begins. False: nothing is left. */
static bool
session_parent_take_share(struct session *session)
{
    struct via_setup *setup = session_via_setup(session);
    uint64_t share_ms =
        session_connect_share_ms(session, parent_choice_left(&setup->choice));

    setup->until_us =
        sessions_of(session)->loop->now_us + UINT64_C(1000) * share_ms;
    return share_ms > 0;
}

/*
 * The share is over. A parent that has taken the request and does not answer
 * may wait for the server itself: it has failed only if no other session has
 * had an answer from it meanwhile.
 */
void
session_parent_late(struct session *session, enum verdict verdict)
{
    const struct via_setup *setup = session_via_setup(session);

    if (session->state == SESSION_PARENT_NAME)
        session_parent_failed(session, V_PARENT_NAME);
    else if (session->state == SESSION_PARENT && setup->asked &&
             parent_choice_answered_since(&setup->choice, setup->asked_us))
        session_parent_next(session, verdict);
    else
        session_parent_failed(session, verdict);
}

/* ---- The connection ---- */

/* A parent that leads back here would go in a circle. `local`: our end of the
   connection, once it stands. */
static bool
session_parent_is_self(const struct session *session, const struct addr *local)
{
    struct policy_question question = session_question(session);

    question.to = session_via_setup(session)->to.addr;
    question.port = session_via_setup(session)->to.port;
    if (local != NULL)
        session_came_out_here(*local, &question);
    return policy_is_listener(&session->setup->config->policy, &question);
}

static void
session_parent_ready(struct watch *watch, uint32_t events)
{
    struct stream *server = stream_event(watch, events);
    struct session *session =
        container_of(server, struct session, relay.server);
    struct endpoint local;

    if (session->state != SESSION_CONNECT) {
        session_parent_continue(session);
        return;
    }
    int result =
        stream_dialled(server, &session_via_setup(session)->to, &local);
    if (result == -EINPROGRESS)
        return;
    if (result == 0 && session_parent_is_self(session, &local.addr)) {
        session_parent_next(session, V_PARENT_SELF);
        return;
    }
    if (result == 0) {
        session->local = local.addr;
        session->local_port = local.port;
        session_parent_begin(session);
        return;
    }
    /* What keeps the gateway itself from connecting is not the parent's. */
    enum verdict verdict = errno_verdict(result);
    if (!session_may_dial_another(verdict))
        session_refuse(session, verdict);
    else
        session_parent_failed(session, verdict == V_CONNECT_LATE
                                           ? V_PARENT_LATE
                                           : V_PARENT_UNREACHABLE);
}

/* V_GRANTED: it is under way. */
static enum verdict
session_parent_dial(struct session *session)
{
    struct via_setup *setup = session_via_setup(session);
    struct sessions *sessions = sessions_of(session);

    setup->to = parent_choice_endpoint(&setup->choice);
    /* To 0.0.0.0 the kernel connects on loopback. */
    if (set_is_unreachable(setup->to.addr))
        return V_CONNECT_UNREACHABLE;
    if (session_parent_is_self(session, NULL))
        return V_PARENT_SELF;
    if (session->state != SESSION_CONNECT)
        session_enter(session, SESSION_CONNECT);
    if (!session_parent_take_share(session))
        return V_PARENT_LATE;
    session_parent_arm(session);
    setup->dialled_us = sessions->loop->now_us;
    session_begin_proxy(session);
    struct addr source;
    int error = session_dial_from(session, &session->relay.server, &setup->to,
                                  &source, session_parent_ready);
    /* As with IPv6 switched off. An IPv4 address may still be next. */
    if (error == -EADDRNOTAVAIL && !addr_is_v4(setup->to.addr))
        return V_PARENT_NO_IPV6;
    return error == 0 ? V_GRANTED
                      : session_dial_verdict(session, source, error);
}

/* ---- Its name ---- */

static void
session_parent_answered(struct lookup *lookup, enum lookup_outcome outcome,
                        const struct addr *addresses, size_t count)
{
    struct via_setup *setup = container_of(lookup, struct via_setup, lookup);

    parent_choice_resolved(&setup->choice, outcome, addresses, count);
    if (outcome == LOOKUP_FOUND)
        session_parent_next(setup->session, V_PARENT_UNREACHABLE);
    else if (outcome == LOOKUP_OVERLOADED) /* by the client's own lookups */
        session_parent_next(setup->session, V_PARENT_NAME);
    else
        session_parent_failed(setup->session, V_PARENT_NAME);
}

/* The resolver has the answer at hand, mostly: it is asked each time, so that a
   change of the name is followed. V_GRANTED: it was asked. */
static enum verdict
session_parent_resolve(struct session *session)
{
    struct via_setup *setup = session_via_setup(session);
    struct sessions *sessions = sessions_of(session);
    const struct config_parent_address *address =
        parent_choice_address(&setup->choice);

    if (!session_parent_take_share(session))
        return V_PARENT_LATE;
    if (session->state != SESSION_PARENT_NAME)
        session_enter(session, SESSION_PARENT_NAME);
    session_parent_arm(session);
    lookup_start(&sessions->lookups, &setup->lookup,
                 source_hash(sessions->segment, session->client), address->name,
                 address->name_len, LOOKUP_V4,
                 (setup->until_us - sessions->loop->now_us) / 1000 + 1,
                 session_parent_answered);
    return V_GRANTED;
}

/* ---- One after the other ---- */

/*
 * A parent that has not answered is reset: after a FIN alone its client may
 * still wait, so it would keep the attempt. Parents that lead in a circle would
 * feed each other with attempts that nobody waits for, without end.
 */
void
session_close_server(struct session *session)
{
    const struct via *via = session_via_of(session);
    const struct via_setup *setup = via != NULL ? via->setup : NULL;

    if (setup != NULL && setup->asked && !setup->parent.refused)
        stream_reset(&session->relay.server);
    else
        stream_close(&session->relay.server);
}

static void
session_parent_leave(struct session *session)
{
    struct via_setup *setup = session_via_setup(session);

    lookup_cancel(&sessions_of(session)->lookups, &setup->lookup);
    parent_fini(&setup->parent);
    setup->asked = false;
    setup->granted = false;
}

bool
session_parent_speaks_5(const struct session *session,
                        const struct config_parent *parent)
{
    return parent->protocol == CONFIG_PARENT_SOCKS5 ||
           (parent->protocol == CONFIG_PARENT_SAME &&
            session->request.version == REQUEST_SOCKS5);
}

void
session_parent_next(struct session *session, enum verdict verdict)
{
    struct via *via = session->setup->via;
    struct parent_choice *choice = &via->setup->choice;

    session_close_server(session);
    session_charge_tls(session, &session->relay.server, -1);
    stream_fini(&session->relay.server);
    stream_init(&session->relay.server);
    session_parent_leave(session);
    while (parent_choice_next(choice)) {
        const struct config_parent *parent = parent_choice_parent(choice);
        snprintf(via->name, sizeof(via->name), "%s", parent->name);
        if (!addr_is_v4(session->request.to) &&
            !session_parent_speaks_5(session, parent)) {
            verdict = V_PARENT_IPV6;
            continue;
        }
        verdict = parent_choice_wants_lookup(choice)
                      ? session_parent_resolve(session)
                      : session_parent_dial(session);
        if (verdict == V_GRANTED)
            return;
        if (session_may_dial_another(verdict))
            verdict = V_PARENT_UNREACHABLE;
        if (verdict == V_PARENT_UNREACHABLE || verdict == V_PARENT_NO_IPV6) {
            parent_choice_failed(choice, verdict_rows[verdict].name);
        } else if (verdict != V_PARENT_SELF) {
            break;
        }
    }
    session_refuse(session, verdict);
}

void
session_parent_failed(struct session *session, enum verdict verdict)
{
    parent_choice_failed(&session_via_setup(session)->choice,
                         verdict_rows[verdict].name);
    session_parent_next(session, verdict);
}

/* ---- Beginning and end ---- */

/* Of a name that has addresses of both families, those that each parent can be
   asked for. */
static void
session_parent_keep_v4(struct session *session)
{
    const struct rule *rule = session_rule(session);
    struct route *route = session->setup->route;
    bool all = true;

    for (size_t i = 0; i < rule->via_count; i++)
        all &= session_parent_speaks_5(
            session, &session->setup->config->parents[rule->via[i]]);
    if (all || route == NULL)
        return;
    size_t kept = session_sort_addresses(session, true);
    if (kept == 0)
        return;
    route->count = kept;
    session->request.to = route->addresses[0];
}

void
session_parent_start(struct session *session)
{
    session_parent_keep_v4(session);
    struct via *via = calloc(1, sizeof(*via));
    struct via_setup *setup = calloc(1, sizeof(*setup));

    session->setup->via = via;
    if (via != NULL)
        via->setup = setup;
    else
        free(setup);
    if (via == NULL || setup == NULL) {
        session_refuse(session, V_NO_MEMORY);
        return;
    }
    setup->session = session;
    lookup_init(&setup->lookup);
    parent_choice_init(&setup->choice, &sessions_of(session)->parents,
                       session->setup->config, session_rule(session));
    session_enter(session, SESSION_CONNECT);
    session_parent_next(session, V_PARENT_UNREACHABLE);
}

void
session_stop_parent(struct session *session)
{
    struct via *via = session->setup->via;

    if (via == NULL || via->setup == NULL)
        return;
    session_parent_leave(session);
    parent_choice_leave(&via->setup->choice);
    free(via->setup);
    via->setup = NULL;
}
