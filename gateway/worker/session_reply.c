/* What a session answers: the reply, and the orderly end of a refusal. */

#include <errno.h>

#include "gateway/worker/session_parts.h"

/* After a refusal so many octets are read and dropped, so that no unread
   octet turns the close into a reset [V4-3.3-9]. */
#define LINGER_OCTETS 65536

/* A reply in one write [V4-3.3-1, 4A-4.4-1]. */
bool
session_send(struct session *session, const uint8_t *octets, size_t size)
{
    return stream_send(&session->relay.client, octets, size) == (ssize_t)size;
}

bool
session_grant(struct session *session, const struct endpoint *at)
{
    uint8_t reply[REQUEST_REPLY_MAX];
    size_t size =
        request_grant(&session->request, &session->setup->reading, at, reply);

    return session_send(session, reply, size);
}

/* Reads and drops what the client still sends; then its FIN ends it, or the
   timer. */
void
session_linger(struct session *session)
{
    struct relay_pool *pool = &sessions_of(session)->pool;
    struct stream *client = &session->relay.client;
    ssize_t count = stream_is(client, STREAM_BROKEN) ? -ECONNRESET : 1;

    while (count > 0 && session->setup->dropped < LINGER_OCTETS &&
           stream_is(client, STREAM_READABLE)) {
        count = stream_recv(client, pool->buffer,
                            LINGER_OCTETS - session->setup->dropped);
        if (count > 0)
            session->setup->dropped += (uint32_t)count;
        if (count > 0 && session->request.version == REQUEST_SOCKS5)
            explicit_bzero(pool->buffer, (size_t)count); /* a password? */
    }
    if (count <= 0 && count != -EAGAIN)
        session_drop(session, (enum verdict)session->verdict);
}

/* The client did not end by itself in time. */
void
session_refused(struct session *session, enum verdict verdict)
{
    (void)verdict; /* it has one */
    session_drop(session, (enum verdict)session->verdict);
}

/* Nothing more is sent, and what the client sends is read and dropped. */
static void
session_close_slowly(struct session *session, enum verdict verdict)
{
    session->setup->dropped = 0;
    int error = stream_finish(&session->relay.client);
    if (error < 0 && error != -EAGAIN)
        session_drop(session, verdict);
    else
        session_linger(session);
}

void
session_refuse_silently(struct session *session, enum verdict verdict)
{
    session->verdict = (uint8_t)verdict;
    session_enter(session, SESSION_REFUSE);
    session_close_slowly(session, verdict);
}

/*
 * A reply other than 90, and an orderly close [V4-3.3-5, V4-3.3-9, V4-4.2-3],
 * so that no reset destroys the reply on its way. Port and address are those of
 * the request, zeros where none was understood; zeros in a second reply.
 */
void
session_refuse(struct session *session, enum verdict verdict)
{
    uint8_t reply[REQUEST_REPLY_MAX];
    size_t size = request_refuse(&session->request, &session->setup->reading,
                                 verdict, reply);

    if (size == 0) {
        session_drop(session, verdict);
        return;
    }
    session->verdict = (uint8_t)verdict;
    session_close_server(session);
    session_leave_wait(session);
    session_enter(session, SESSION_REFUSE);
    if (session_send(session, reply, size) && !session->setup->reading.ended)
        session_close_slowly(session, verdict);
    else
        session_drop(session, verdict);
}
