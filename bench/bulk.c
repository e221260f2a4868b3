#include "bench/client.h"
#include "bench/pattern.h"
#include "bench/wire.h"

#include <errno.h>
#include <sys/socket.h>

/*
 * Bulk transfer in one direction or both, a fixed number of octets per session.
 * The client or the sink checks every octet as it arrives. The watch is
 * level-triggered and moves one chunk per event, so that no session starves
 * another.
 */

static uint64_t
bulk_length(const struct session *session)
{
    return session->client->options->octets;
}

static size_t
bulk_chunk(const struct session *session, uint64_t moved)
{
    uint64_t left = bulk_length(session) - moved;

    return left < PATTERN_CHUNK ? (size_t)left : PATTERN_CHUNK;
}

static bool
bulk_order(struct session *session)
{
    uint8_t order[SERVER_ORDER];

    server_put_u64(order, bulk_length(session));
    server_put_u64(order + 8, session->serial);
    return session_send(session, order, sizeof order);
}

static void
bulk_done(struct session *session)
{
    session->client->report.count++;
    session_finish(session);
}

/* What the server sends or echoes. */
static void
bulk_receive(struct session *session)
{
    static uint8_t octets[PATTERN_CHUNK];
    size_t count = session_receive(session, octets,
                                   bulk_chunk(session, session->received));

    if (count == 0)
        return;
    if (!pattern_is(session->serial, session->received, octets, count)) {
        session_fail(session, "a wrong octet came");
        return;
    }
    session->received += count;
    session->client->report.octets += count;
    if (session->received == bulk_length(session))
        bulk_done(session);
}

static void
bulk_send(struct session *session)
{
    ssize_t sent;

    errno = 0;
    sent =
        wire_send(session->watch.fd, pattern_at(session->serial, session->sent),
                  bulk_chunk(session, session->sent));
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent <= 0) {
        session_fail(session, "write failed");
        return;
    }
    session->sent += (uint64_t)sent;
    if (session->sent == bulk_length(session))
        session_watch(session, EPOLLIN);
}

static void
bulk_begin_download(struct session *session)
{
    if (bulk_order(session))
        session_watch(session, EPOLLIN);
}

static void
bulk_download_ready(struct session *session, uint32_t events)
{
    (void)events;
    if (session->client->running)
        bulk_receive(session);
}

static void
bulk_begin_upload(struct session *session)
{
    if (bulk_order(session))
        session_watch(session, EPOLLOUT);
}

/* TCP could split a receipt, but eight octets arrive together in practice. */
static void
bulk_receive_receipt(struct session *session)
{
    uint8_t receipt[SERVER_RECEIPT];
    size_t count = session_receive(session, receipt, sizeof receipt);

    if (count == 0)
        return;
    if (count < sizeof receipt ||
        server_get_u64(receipt) != bulk_length(session)) {
        session_fail(session, "the sink's receipt is wrong");
        return;
    }
    session->client->report.octets += session->sent;
    bulk_done(session);
}

static void
bulk_upload_ready(struct session *session, uint32_t events)
{
    (void)events;
    if (!session->client->running)
        return;
    if (session->sent < bulk_length(session))
        bulk_send(session);
    else
        bulk_receive_receipt(session);
}

static void
bulk_begin_both(struct session *session)
{
    session_watch(session, EPOLLIN | EPOLLOUT);
}

static void
bulk_both_ready(struct session *session, uint32_t events)
{
    if (!session->client->running)
        return;
    if (events & EPOLLOUT && session->sent < bulk_length(session))
        bulk_send(session);
    if (events & ~(uint32_t)EPOLLOUT && session->state == SESSION_OPEN)
        bulk_receive(session);
}

const struct job download_job = {
    .name = "download",
    .command = HANDSHAKE_CONNECT,
    .opens = true,
    .opened = session_hold,
    .begin = bulk_begin_download,
    .ready = bulk_download_ready,
};

const struct job upload_job = {
    .name = "upload",
    .command = HANDSHAKE_CONNECT,
    .opens = true,
    .opened = session_hold,
    .begin = bulk_begin_upload,
    .ready = bulk_upload_ready,
};

const struct job both_job = {
    .name = "both",
    .command = HANDSHAKE_CONNECT,
    .opens = true,
    .opened = session_hold,
    .begin = bulk_begin_both,
    .ready = bulk_both_ready,
};
