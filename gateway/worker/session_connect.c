/* A session that connects. */

#include <errno.h>

#include "gateway/worker/dialer.h"
#include "gateway/worker/session_parts.h"

static void
tell(struct session *session)
{
    session->told = primary_begin(&sessions_of(session)->primary, session->id,
                                  session->client, session->dstip) == 0;
}

void
session_tell(struct session *session)
{
    bool stands = session->state == SESSION_RELAY ||
                  session->state == SESSION_HALF_CLOSED;

    if (stands && session->request.server.command == SOCKS4_CONNECT &&
        !session->told)
        tell(session);
}

/* 90 leaves only now that the connection stands [V4-3.3-4], and where a BIND
   may ask for it, after the monitor was told. */
static void
session_connected(struct session *session, const struct endpoint *local)
{
    bool zeros = session->config->connect_reply == CONFIG_REPLY_ZEROS;

    if (sessions_of(session)->primary.wanted)
        tell(session);
    session_relay(session, zeros ? 0 : local->port,
                  zeros ? 0 : addr_to_v4(local->addr));
}

/* Whether another address may fare better: not where it is us who cannot. */
static bool
is_fault_of_server(enum verdict verdict)
{
    return verdict == V_CONNECT_REFUSED || verdict == V_CONNECT_UNREACHABLE ||
           verdict == V_CONNECT_LATE || verdict == V_CONNECT_SELF ||
           verdict == V_CONNECT_FAILED;
}

static void session_server_ready(struct watch *watch, uint32_t events);

/* All addresses of a name are tried within one time-out, each for its share
   of what is left. False: nothing is left. */
static bool
session_share_time(struct session *session)
{
    struct loop *loop = sessions_of(session)->loop;
    uint64_t spent_ms = (loop->now_us - session->phase_us) / 1000;
    uint64_t all_ms = session->config->timeouts.connect_ms;

    if (spent_ms >= all_ms)
        return false;
    loop_start_timer(loop, &session->timer,
                     session_address_share_ms(session, all_ms - spent_ms));
    return true;
}

/* 0 or why not, as a negative errno. */
static int
session_dial(struct session *session)
{
    struct endpoint to = {.addr = addr_v4(session->dstip),
                          .port = session->request.server.dstport};
    struct addr source = addr_v4(session->config->egress.address);
    bool any = session->config->egress.address_auto;

    if (session->route != NULL && !session_share_time(session))
        return -ETIMEDOUT;
    return dialer_start(&session->relay.server, sessions_of(session)->loop, &to,
                        any ? NULL : &source, session_server_ready);
}

/* The next address of the name [4A-4.3-2], or 91. */
static void
session_dial_next(struct session *session, enum verdict verdict)
{
    while (is_fault_of_server(verdict) && session_next_address(session)) {
        stream_close(&session->relay.server);
        int error = session_dial(session);
        if (error == 0)
            return;
        verdict = verdict_of_errno(error);
    }
    session_refuse(session, verdict);
}

void
session_connect_late(struct session *session)
{
    session_dial_next(session, V_CONNECT_LATE);
}

static void
session_server_ready(struct watch *watch, uint32_t events)
{
    struct stream *server = container_of(watch, struct stream, watch);
    struct session *session =
        container_of(server, struct session, relay.server);
    struct endpoint to = {.addr = addr_v4(session->dstip),
                          .port = session->request.server.dstport};
    struct endpoint local;

    stream_note(server, events);
    int result = dialer_result(server, &to, &local);
    if (result == -EINPROGRESS)
        return;
    if (result < 0)
        session_dial_next(session, verdict_of_errno(result));
    else
        session_connected(session, &local);
}

/* While something else is awaited, only a reset of the client's matters; a
   FIN may be no more than its half of a half-close. */
void
session_waiting_ready(struct watch *watch, uint32_t events)
{
    struct stream *client = container_of(watch, struct stream, watch);

    stream_note(client, events);
    if (stream_is(client, STREAM_BROKEN))
        session_drop(container_of(client, struct session, relay.client),
                     V_CLIENT_GONE);
}

void
session_connect(struct session *session)
{
    session_enter(session, SESSION_CONNECT);
    session->relay.client.watch.ready = session_waiting_ready;
    int error = session_dial(session);
    if (error < 0)
        session_dial_next(session, verdict_of_errno(error));
}
