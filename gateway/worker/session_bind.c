/* A session that waits for its peer. */

#include <errno.h>
#include <stdlib.h>

#include "base/siphash.h"
#include "base/sys.h"
#include "gateway/worker/errno_table.h"
#include "gateway/worker/limits.h"
#include "gateway/worker/session_parts.h"

/* Strangers in a row that end a BIND which ignores them. */
#define STRANGERS_MAX 256

/*
 * Somebody connects. Where it is the right peer, the listening socket is closed
 * (session_relay leaves the wait) before the second reply, which looks like the
 * first: one BIND, one connection [V4-4.3-1, V4-4.3-2, V4-4.3-4].
 */
static void
session_peer_ready(struct watch *watch, uint32_t events)
{
    struct bind *bind = container_of(watch, struct bind, rendezvous.watch);
    struct session *session = bind->session;
    bool refuse =
        session->setup->config->bind.on_stranger == CONFIG_STRANGER_REFUSE;

    (void)events;
    for (int strangers = 0; strangers < STRANGERS_MAX; strangers++) {
        struct endpoint peer;
        int fd = rendezvous_accept(&bind->rendezvous, &peer);
        if (fd == -EAGAIN)
            return;
        if (fd < 0) {
            session_refuse(session, errno_bind_verdict(fd));
            return;
        }
        bind->peer = peer;
        if (rendezvous_expects(&bind->rendezvous, peer.addr)) {
            struct loop *loop = sessions_of(session)->loop;
            int error = stream_open(&session->relay.server, loop, fd, NULL);
            if (error < 0)
                session_refuse(session, errno_verdict(error));
            else
                session_relay(session, &peer);
            return;
        }
        sys_close(fd); /* [V4-4.3-7] */
        if (refuse)
            break;
    }
    session_refuse(session, V_BIND_STRANGER); /* [V4-4.3-6] */
}

static void
session_bind_left(struct session *session)
{
    bool broke = stream_is(&session->relay.client, STREAM_BROKEN);

    session->verdict = V_BIND_LEFT;
    session_end(session, BY_CLIENT, broke ? END_RESET : END_FIN);
}

/* A reset, a FIN or TLS's end: no client waits for the peer any more
   [V4-B.2-6]. */
void
session_notice_leaving(struct session *session)
{
    if (stream_has_left(&session->relay.client))
        session_bind_left(session);
}

uint64_t
session_port_seed(struct sessions *sessions)
{
    return siphash(sessions->segment->secret,
                   sessions->loop->now_us ^ sessions->binds++ << 40 ^
                       (uint64_t)sessions->slot << 56);
}

/* Listens, and only then says where [V4-4.2-2, V4-4.2-4, 4A-4.4-3]; goes on
   listening until the peer is there [V4-B.2-4]. */
static void
session_listen(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    struct endpoint local, at;

    if (session_rule(session)->via_count > 0) {
        session_parent_start(session);
        return;
    }
    int error =
        rendezvous_open(&session->setup->bind->rendezvous, sessions->loop,
                        session->setup->config, session_port_seed(sessions),
                        &local, &at, session_peer_ready);
    if (error < 0) {
        session_refuse(session, errno_bind_verdict(error));
        return;
    }
    session->local = local.addr;
    session->local_port = local.port;
    session_enter(session, SESSION_LISTEN);
    if (session_grant(session, &at))
        session_notice_leaving(session);
    else
        session_bind_left(session);
}

/* Says who may be the peer: where a name was asked for, any of its addresses
   that are left. */
static int
session_expect(struct session *session)
{
    struct rendezvous *rendezvous = &session->setup->bind->rendezvous;

    rendezvous->to = session->request.to;
    if (session->setup->route == NULL || rendezvous->peer != RULE_PEER_EXACT)
        return 0;
    rendezvous->peer = RULE_PEER_NETS;
    return session_name_peers(session, &rendezvous->peers);
}

static void session_on_live_answer(struct live_link_query *query, bool lives);

static void
session_ask_live(struct session *session)
{
    if (live_link_ask(&sessions_of(session)->live_link,
                      &session->setup->bind->query, session->id,
                      session->client, session->request.to,
                      session_on_live_answer) < 0)
        session_refuse(session, V_NO_MEMORY);
}

/* Where a name was asked for, the monitor is asked about each address. */
static void
session_on_live_answer(struct live_link_query *query, bool lives)
{
    struct session *session = container_of(query, struct bind, query)->session;

    if (session_next_primary(session, lives))
        session_ask_live(session);
    else if (!session_has_primary(session, lives))
        session_refuse(session, V_BIND_ALONE);
    else if (session_expect(session) < 0)
        session_refuse(session, V_NO_MEMORY);
    else
        session_listen(session);
}

void
session_bind(struct session *session, const struct rule *rule)
{
    struct sessions *sessions = sessions_of(session);
    struct bind *bind = calloc(1, sizeof(*bind));

    if (bind == NULL) {
        session_refuse(session, V_NO_MEMORY);
        return;
    }
    session->setup->bind = bind;
    bind->session = session;
    list_init(&bind->query.link);
    bind->source_index = -1;
    struct rendezvous *rendezvous = &bind->rendezvous;
    rendezvous_init(rendezvous);
    rendezvous->peer = rule->peer;
    rendezvous->peers = &rule->peers;
    uint64_t max = session_is_balancers(session)
                       ? UINT64_MAX
                       : session->setup->config->limits.per_source.binds;
    bind->source_index = limits_take_port(
        &sessions->limits, session->source_index, SEGMENT_CHARGE_binds, max);
    if (bind->source_index == -EDQUOT) {
        session_refuse(session, V_BIND_LIMIT); /* [V4-B.2-7] */
    } else if (rule->require_connect) {
        session_enter(session, SESSION_PRIMARY);
        session_ask_live(session);
    } else if (session_expect(session) < 0) {
        session_refuse(session, V_NO_MEMORY);
    } else {
        session_listen(session);
    }
}

void
session_stop_bind(struct session *session)
{
    struct bind *bind = session_bind_of(session);

    if (bind == NULL)
        return;
    live_link_cancel(&bind->query);
    rendezvous_close(&bind->rendezvous);
    limits_give_port(&sessions_of(session)->limits, bind->source_index,
                     SEGMENT_CHARGE_binds);
    bind->source_index = -1;
}
