/* What a session answers: the reply, and the orderly end of a refusal. */

#include <assert.h>
#include <errno.h>

#include "gateway/worker/session_parts.h"
#include "socks4/codec.h"

/* After a refusal so many octets are read and dropped, so that no unread
   octet turns the close into a reset [V4-3.3-9]. */
#define LINGER_OCTETS 65536

/* Eight octets in one write [V4-3.3-1]. False: the client is gone. */
bool
session_reply(struct session *session, enum socks4_code code, uint16_t port,
              uint32_t ip)
{
    struct socks4_reply reply = {
        .code = (uint8_t)code, .dstport = port, .dstip = ip};
    uint8_t octets[SOCKS4_REPLY_SIZE];

    ssize_t size = socks4_reply_encode(&reply, octets);
    assert(size == SOCKS4_REPLY_SIZE);
    session->code = (uint8_t)code;
    return stream_send(&session->relay.client, octets, sizeof(octets)) == size;
}

/* Reads and drops what the client still sends; then its FIN ends it, or the
   timer. */
static void
session_linger(struct session *session)
{
    struct relay_pool *pool = &session->sessions->pool;
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
    bool second = session->state == SESSION_LISTEN;

    session->verdict = (uint8_t)verdict;
    stream_close(&session->relay.server);
    session_free_bind(session);
    session_free_route(session);
    if (session->state == SESSION_IDENT)
        session_cancel_inquiry(session);
    session_enter(session, SESSION_REFUSE);
    bool sent =
        session_reply(session, (enum socks4_code)verdict_rows[verdict].code,
                      second ? 0 : session->request.dstport,
                      second ? 0 : session->request.dstip);
    if (!sent || session->request.stream_ended || stream_finish(client) < 0) {
        session_end_verdict(session, verdict);
        return;
    }
    client->watch.ready = session_refused_ready;
    session_linger(session);
}
