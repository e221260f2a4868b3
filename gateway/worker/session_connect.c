/* A session that connects. */

#include <errno.h>

#include "gateway/worker/dialer.h"
#include "gateway/worker/session_parts.h"

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
