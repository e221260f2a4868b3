#include "bench/client.h"
#include "bench/pattern.h"
#include "bench/socket.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Datagrams there and back, in associations of SOCKS5 (UDP ASSOCIATE): each has
 * one under way and sends the next one when it is back. A datagram has its
 * number, `sent`, and then the pattern from there on. One that is not back in
 * time is counted as lost; if it comes later its octets are compared all the
 * same. Without a gateway the datagrams go straight to the server.
 */

#define HEADER 10 /* RSV, FRAG, ATYP, an IPv4 address and a port */
#define NUMBER 8
#define DATAGRAM_MAX 1400

static struct session *
udp_session(struct watch *peer)
{
    return (struct session *)((char *)peer - offsetof(struct session, peer));
}

static void
udp_send(struct session *session)
{
    const struct options *options = session->client->options;
    uint8_t octets[HEADER + DATAGRAM_MAX];
    size_t size = (size_t)options->octets, header = 0;

    if (options->protocol != PROTOCOL_DIRECT)
        header = handshake_datagram(&session->opening.handshake, octets);
    session->sent++;
    server_put_u64(octets + header, session->sent);
    memcpy(octets + header + NUMBER, pattern_at(session->serial, session->sent),
           size - NUMBER);
    session->began_ns = clock_now_ns();
    if (send(session->peer.fd, octets, header + size, 0) !=
        (ssize_t)(header + size))
        session_fail(session, "a datagram was not sent");
}

static void
udp_back(struct session *session)
{
    struct client *client = session->client;
    uint64_t now_ns = clock_now_ns();

    histogram_add(&client->report.trip, now_ns - session->began_ns);
    client->report.count++;
    client->report.octets += client->options->octets;
    session->received++;
    if (now_ns < client->stop_ns)
        udp_send(session);
    else
        session_finish(session);
}

/* The number of a datagram that is as it was sent; otherwise 0. */
static uint64_t
udp_number(const struct session *session, const uint8_t *octets, size_t count)
{
    const struct options *options = session->client->options;
    uint8_t expected[HANDSHAKE_REQUEST_MAX];
    size_t size = (size_t)options->octets, header = 0;

    if (options->protocol != PROTOCOL_DIRECT)
        header = handshake_datagram(&session->opening.handshake, expected);
    if (count != header + size || memcmp(octets, expected, header) != 0)
        return 0;
    uint64_t number = server_get_u64(octets + header);
    if (number > session->sent ||
        !pattern_is(session->serial, number, octets + header + NUMBER,
                    size - NUMBER))
        return 0;
    return number;
}

static void
udp_peer_ready(struct watch *watch, uint32_t events)
{
    struct session *session = udp_session(watch);
    uint8_t octets[HEADER + DATAGRAM_MAX + 1];
    ssize_t count;

    (void)events;
    errno = 0;
    count = recv(watch->fd, octets, sizeof octets, 0);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR)
            session_fail(session, "a datagram was not received");
        return;
    }
    uint64_t number = udp_number(session, octets, (size_t)count);
    if (number == 0)
        session_fail(session, "a wrong octet came back");
    else if (number == session->sent)
        udp_back(session);
}

/* At least one must come back in each association. */
static void
udp_late(struct session *session)
{
    struct client *client = session->client;

    client->report.lost++;
    if (session->received > 0 && clock_now_ns() >= client->stop_ns)
        session_finish(session);
    else
        udp_send(session);
}

/* From the address of its connection. */
static void
udp_opened(struct session *session)
{
    struct client *client = session->client;
    const struct options *options = client->options;
    const struct handshake *handshake = &session->opening.handshake;
    uint32_t ip = handshake->ip;
    uint16_t port = handshake->port;

    if (options->octets < NUMBER || options->octets > DATAGRAM_MAX) {
        session_fail(session, "a datagram has 8 to 1400 octets");
        return;
    }
    if (options->protocol != PROTOCOL_DIRECT) {
        ip = handshake_reply_ip(handshake);
        port = handshake_reply_port(handshake);
        if (ip == 0)
            ip = options->gateway_ip;
    }
    int error = socket_datagrams(spread_at(&options->sources, session->serial),
                                 0, ip, port);
    session->peer.fd = error;
    session->peer.ready = udp_peer_ready;
    if (error >= 0)
        error = poller_add(client->poller, &session->peer, EPOLLIN);
    if (error < 0) {
        errno = -error;
        session_fail(session, "no socket to where the reply says");
        return;
    }
    session_hold(session);
}

/* Of the connection that the association lives as long as. */
static void
udp_ready(struct session *session, uint32_t events)
{
    if (events & ~(uint32_t)EPOLLOUT)
        session_fail(session, "the association's connection ended");
}

const struct job udp_job = {
    .name = "udp",
    .command = HANDSHAKE_UDP,
    .opens = true,
    .opened = udp_opened,
    .begin = udp_send,
    .ready = udp_ready,
    .late = udp_late,
};
