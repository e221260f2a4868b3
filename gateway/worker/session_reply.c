/* What a session answers: the reply, and the orderly end of a refusal. */

#include <assert.h>
#include <errno.h>

#include "gateway/worker/session_parts.h"
#include "socks4/server.h"

/* After a refusal so many octets are read and dropped, so that no unread
   octet turns the close into a reset [V4-3.3-9]. */
#define LINGER_OCTETS 65536

/* Eight octets in one write [V4-3.3-1, 4A-4.4-1]. False: the client is gone. */
static bool
session_send(struct session *session, const uint8_t *octets, ssize_t size)
{
    assert(size == SOCKS4_REPLY_SIZE); /* one was due */
    return stream_send(&session->relay.client, octets, (size_t)size) == size;
}

bool
session_grant(struct session *session, uint16_t port, uint32_t ip)
{
    uint8_t octets[SOCKS4_REPLY_SIZE];

    return session_send(
        session, octets,
        socks4_server_grant(&session->request.server, port, ip, octets));
}

/* Reads and drops what the client still sends; then its FIN ends it, or the
   timer. */
static void
session_linger(struct session *session)
{
    struct relay_pool *pool = &sessions_of(session)->pool;
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
void
session_refuse(struct session *session, enum verdict verdict)
{
    struct stream *client = &session->relay.client;
    uint8_t octets[SOCKS4_REPLY_SIZE];

    session->verdict = (uint8_t)verdict;
    stream_close(&session->relay.server);
    session_free_bind(session);
    session_free_route(session);
    if (session->state == SESSION_IDENT)
        session_cancel_inquiry(session);
    session_enter(session, SESSION_REFUSE);
    bool sent =
        session_send(session, octets,
                     socks4_server_refuse(&session->request.server,
                                          verdict_rows[verdict].code, octets));
    if (!sent || session->request.stream_ended || stream_finish(client) < 0) {
        session_end_verdict(session, verdict);
        return;
    }
    client->watch.ready = session_refused_ready;
    session_linger(session);
}
