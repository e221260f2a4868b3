/* A session whose connection to a parent stands: TLS with it, the request, and
   what its reply means. */

#include <errno.h>

#include "gateway/worker/session_parent.h"
#include "gateway/worker/sources.h"

/* Whether the parent is told the name, and this gateway knows no address. */
static bool
session_passes_name(const struct session *session)
{
    return session->request.name_len > 0 && session->setup->route == NULL &&
           session_rule(session)->passes_names;
}

/* ---- Its reply ---- */

/* A client of version 4 has no use for an address of IPv6. */
static bool
session_parent_may_tell(const struct session *session,
                        const struct endpoint *at)
{
    return addr_is_v4(at->addr) || request_takes_ipv6(&session->request);
}

/* The connection stands, and through it that to the server. The parent's
   address for it is the client's answer. */
static void
session_parent_granted(struct session *session, const struct endpoint *at)
{
    static const struct endpoint zeros = {.addr = {0, UINT64_C(0xffff) << 32}};
    struct sessions *sessions = sessions_of(session);
    const struct endpoint *told =
        session_parent_may_tell(session, at) ? at : &zeros;

    struct bind *bind = session_bind_of(session);

    if (bind != NULL) {
        bind->peer = *at;
        session_relay(session, told);
        return;
    }
    session_via_setup(session)->granted = true;
    session_via_setup(session)->at_server = *at;
    if (!session_send_proxy(session))
        return;
    if (sessions->live_link.wanted && !session_passes_name(session))
        session_register_now(session);
    session_relay(session,
                  session->setup->config->connect_reply == CONFIG_REPLY_ZEROS
                      ? &zeros
                      : told);
}

/* The parent waits for the BIND's peer: the first reply, with the parent's
   address in place of 0.0.0.0 [V4-4.2-7]. Nobody could reach a client of
   version 4 that was told another address than the parent's. */
static bool
session_parent_bound(struct session *session, const struct endpoint *at)
{
    const struct sys_keepalive keepalive =
        config_keepalive(session->setup->config);

    session_enter(session, SESSION_LISTEN); /* for as long as timeouts.bind */
    stream_keepalive(&session->relay.server, &keepalive);
    if (!session_parent_may_tell(session, at)) {
        session_refuse(session, V_PARENT_IPV6);
        return false;
    }
    if (session_grant(session, at)) {
        session_notice_leaving(session);
        return session->state == SESSION_LISTEN;
    }
    session_drop(session, V_BIND_LEFT);
    return false;
}

/* Whether it may grant another address of the name [4A-4.3-2]: the server is
   to blame, or a rule. */
static bool
session_parent_may_grant_another(enum verdict verdict)
{
    return verdict != V_PARENT_NO_IDENTD && verdict != V_PARENT_OTHER_USER &&
           verdict != V_PARENT_METHOD && verdict != V_PARENT_PASSWORD &&
           verdict != V_PARENT_NO_COMMAND;
}

/* Its answer is the client's, as it is. */
static void
session_parent_refused(struct session *session)
{
    struct via_setup *setup = session_via_setup(session);
    struct parent_choice *choice = &setup->choice;
    enum verdict verdict = parent_refusal(&setup->parent);

    if (session->state == SESSION_LISTEN) {
        session_refuse(session, verdict);
    } else if (session_parent_may_grant_another(verdict) &&
               session_next_address(session)) {
        parent_choice_repeat(choice);
        session_parent_next(session, verdict);
    } else if (parent_choice_parent(choice)->retry ==
               CONFIG_PARENT_RETRY_REFUSED) {
        parent_choice_skip_name(choice);
        session_parent_next(session, verdict);
    } else {
        session_refuse(session, verdict);
    }
}

static void
session_parent_broke(struct session *session, enum verdict verdict)
{
    if (session->state == SESSION_LISTEN)
        session_refuse(session, verdict);
    else
        session_parent_failed(session, verdict);
}

/* It has ended the connection, or TLS has: a parent that takes no certificate
   of this gateway's says so behind the handshake. Why outlives the stream. */
static void
session_parent_closed(struct session *session)
{
    const char *reason = stream_tls_outcome(&session->relay.server)->reason;

    session->setup->via->tls_reason = reason;
    session_parent_broke(session,
                         reason != NULL ? V_PARENT_TLS : V_PARENT_CLOSED);
}

/* Reads what the parent answers, as far as it has. */
static void
session_parent_read(struct session *session, enum parent_event event)
{
    struct via_setup *setup = session_via_setup(session);
    struct endpoint at;

    while (event == PARENT_WAITS || event == PARENT_BOUND) {
        event = parent_step(&setup->parent, &session->relay.server, &at);
        if (event == PARENT_WAITS)
            return;
        if (event == PARENT_BOUND || event == PARENT_GRANTED ||
            event == PARENT_REFUSED)
            parent_choice_answered(
                &setup->choice,
                session->state == SESSION_LISTEN ? 0 : setup->dialled_us);
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
        session_parent_closed(session);
        break;
    default:
        session_refuse(session, V_NO_MEMORY);
        break;
    }
}

/* ---- The request ---- */

/* It goes out as the client has sent it, or with the address that was resolved
   here. */
static void
session_parent_ask(struct session *session)
{
    struct via_setup *setup = session_via_setup(session);
    struct sessions *sessions = sessions_of(session);
    const struct config_parent *parent = parent_choice_parent(&setup->choice);
    const struct parent_question question = {
        .request = &session->request,
        .dstip = session->setup->reading.dstip,
        .userid = parent->userid,
        .login = parent,
        .socks5 = session_parent_speaks_5(session, parent),
        .passes_name = session_passes_name(session),
        .parent = setup->to.addr,
    };

    setup->asked = true;
    setup->asked_us = sessions->loop->now_us;
    session_parent_read(session, parent_ask(&setup->parent, &question,
                                            &session->relay.server,
                                            sessions->pool.buffer));
}

/* ---- TLS ---- */

/* One step of it; nothing is sent before the parent's certificate was verified.
   Why it failed outlives the stream. */
static void
session_parent_handshake(struct session *session)
{
    struct stream *server = &session->relay.server;
    struct via *via = session->setup->via;

    switch (stream_handshake(server)) {
    case TLS_DONE:
        session_discharge_handshake(session);
        session_parent_ask(session);
        break;
    case TLS_TRUNCATED:
    case TLS_FAILED:
        via->tls_reason = stream_tls_outcome(server)->reason;
        if (via->tls_reason == NULL)
            via->tls_reason =
                "the parent ended the connection inside the handshake";
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
    const struct parent_choice *choice = &session_via_setup(session)->choice;
    const struct config_parent_address *address = parent_choice_address(choice);
    const char *name = parent_choice_parent(choice)->tls->name;

    if (name != NULL)
        return name;
    return address->name != NULL ? address->name
                                 : addr_format(address->at.addr, text);
}

static void
session_parent_start_tls(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    const struct config_parent *parent =
        parent_choice_parent(&session_via_setup(session)->choice);
    struct tls_context *context =
        sessions_parent_tls(sessions, session->setup->config,
                            (size_t)(parent - session->setup->config->parents));
    char text[ADDR_TEXT_MAX];
    int error = -ENOMEM;

    if (context != NULL)
        error = stream_start_tls(
            &session->relay.server, &sessions->tls, context,
            session_parent_name(session, text),
            source_hash(sessions_of(session)->segment, session->client));
    session_charge_tls(session, &session->relay.server, 1);
    if (error < 0)
        session_refuse(session, V_NO_MEMORY);
}

/* ---- In order ---- */

void
session_parent_begin(struct session *session)
{
    session_enter(session, SESSION_PARENT);
    session_parent_arm(session);
    if (parent_choice_parent(&session_via_setup(session)->choice)->tls != NULL)
        session_parent_start_tls(session);
    else
        session_parent_ask(session);
}

void
session_parent_continue(struct session *session)
{
    const struct via_setup *setup = session_via_setup(session);
    const struct endpoint at = setup->at_server;

    if (setup->granted)
        session_parent_granted(session, &at);
    else if (setup->asked)
        session_parent_read(session, PARENT_WAITS);
    else
        session_parent_handshake(session);
}
