#include "bench/client.h"
#include "bench/pattern.h"
#include "bench/socket.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

/*
 * BIND. This program is both the client and the application server: request,
 * first reply, a connection from the target's address to the address in that
 * reply, second reply, one octet each way, close by the client, end of stream
 * at the application server, close. The job `waiting` holds each BIND after its
 * first reply until the run begins.
 */

static struct session *
bind_session(struct watch *peer)
{
    return (struct session *)((char *)peer - offsetof(struct session, peer));
}

static void
bind_over(struct session *session)
{
    struct client *client = session->client;
    uint64_t now_ns = clock_now_ns();

    histogram_add(&client->report.trip, now_ns - session->began_ns);
    client->report.count++;
    if (client->job->opens || now_ns >= client->stop_ns) {
        session_finish(session);
        return;
    }
    watch_close(&session->peer);
    session_open(session);
}

/* Returns the client's octet; after that only the end of stream may come. */
static void
bind_peer_ready(struct watch *watch, uint32_t events)
{
    struct session *session = bind_session(watch);
    uint8_t octet;
    ssize_t count;

    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    errno = 0;
    count = recv(watch->fd, &octet, 1, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count == 0 && session->received == 1)
        bind_over(session);
    else if (count != 1 || send(watch->fd, &octet, 1, MSG_NOSIGNAL) != 1)
        session_fail(session, "the application server's end broke");
}

/* The first reply contains the address to connect to. */
static void
bind_stepped(struct session *session)
{
    struct client *client = session->client;
    const struct handshake *handshake = &session->opening.handshake;
    uint32_t ip = handshake_reply_ip(handshake);
    int error =
        socket_connect(handshake->ip, ip ? ip : client->options->gateway_ip,
                       handshake_reply_port(handshake), 0);

    session->peer.fd = error;
    session->peer.ready = bind_peer_ready;
    if (error >= 0)
        error = poller_add(client->poller, &session->peer, OPENING_EVENTS);
    if (error < 0) {
        errno = -error;
        session_fail(session, "cannot connect to the bound address");
    }
}

static void
bind_opened(struct session *session)
{
    (void)session_send(session, pattern_at(session->serial, 0), 1);
}

static void
bind_ready(struct session *session, uint32_t events)
{
    (void)events;
    if (!session_receive_echo(session))
        return;
    watch_close(&session->watch);
}

const struct job bind_job = {
    .name = "bind",
    .command = HANDSHAKE_BIND,
    .stepped = bind_stepped,
    .opened = bind_opened,
    .begin = session_open,
    .ready = bind_ready,
};

static void
bind_hold(struct session *session)
{
    session_hold(session);
}

const struct job waiting_job = {
    .name = "waiting",
    .command = HANDSHAKE_BIND,
    .opens = true,
    .stepped = bind_hold,
    .opened = bind_opened,
    .begin = bind_stepped, /* the handshake still holds the first reply */
    .ready = bind_ready,
};
