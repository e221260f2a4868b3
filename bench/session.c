#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/client.h"

static const char *const state_names[] = {"closed", "connecting",
                                          "in its handshake", "open", "over"};

static int
socket_begin(int fd, uint32_t source, uint32_t ip, uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(source)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(ip)};
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) <
            0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return 0;
}

int
client_connect(uint32_t source, uint32_t ip, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    error = socket_begin(fd, source, ip, port);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

void
session_watch(struct session *session, uint32_t events)
{
    int error = poller_modify(session->client->poller, &session->watch, events);

    if (error)
        report_error(&session->client->report, "epoll_ctl: errno %d", -error);
}

/* No longer one of those whose opening is under way. */
static void
session_settle(struct session *session)
{
    if (session->opening)
        session->client->opening--;
    session->opening = false;
}

void
session_finish(struct session *session)
{
    session_settle(session);
    watch_close(&session->watch);
    watch_close(&session->peer);
    session->state = SESSION_OVER;
    session->client->over++;
}

void
session_fail(struct session *session, const char *what)
{
    int error = errno;

    if (session->state == SESSION_OVER)
        return;
    report_error(&session->client->report,
                 "%s (errno %d, session %s, %llu sent, %llu received)", what,
                 error, state_names[session->state],
                 (unsigned long long)session->sent,
                 (unsigned long long)session->received);
    session_finish(session);
}

bool
session_send(struct session *session, const void *octets, size_t count)
{
    ssize_t sent;

    errno = 0;
    sent = send(session->watch.fd, octets, count, MSG_NOSIGNAL);
    if (sent == (ssize_t)count)
        return true;
    session_fail(session, "a small write failed");
    return false;
}

size_t
session_receive(struct session *session, void *octets, size_t room)
{
    ssize_t count;

    errno = 0;
    count = recv(session->watch.fd, octets, room, 0);
    if (count > 0)
        return (size_t)count;
    if (count == 0)
        session_fail(session, "closed by the other side");
    else if (errno != EAGAIN && errno != EINTR)
        session_fail(session, "read failed");
    return 0;
}

void
session_hold(struct session *session)
{
    session_settle(session);
    session->client->opened++;
}

static void
session_opened(struct session *session)
{
    session->state = SESSION_OPEN;
    session_settle(session);
    histogram_add(&session->client->report.setup,
                  clock_now_ns() - session->began_ns);
    session->client->job->opened(session);
}

/* The request's last octet is not sent before the run begins. */
static size_t
session_withhold(struct session *session, size_t count)
{
    session_hold(session);
    return count - 1;
}

/* Begins a step; without one the session is open. */
static void
session_say(struct session *session)
{
    uint8_t octets[HANDSHAKE_SAY_MAX];
    size_t count;

    if (handshake_done(&session->handshake)) {
        session_opened(session);
        return;
    }
    count = handshake_say(&session->handshake, octets);
    if (session->client->options->unfinished && !session->client->running)
        count = session_withhold(session, count);
    if (count > 0 && session_send(session, octets, count) &&
        session->client->job->asked)
        session->client->job->asked(session);
}

/* Takes a step that is complete; a new one begins. */
static void
session_step(struct session *session)
{
    if (!handshake_done(&session->handshake) && session->client->job->stepped)
        session->client->job->stepped(session);
    session_say(session);
}

/* Reads until the step is complete or nothing is left: an edge is told once. */
static void
session_hear(struct session *session)
{
    struct handshake *handshake = &session->handshake;
    unsigned step = handshake->step;

    while (handshake->step == step) {
        size_t count =
            session_receive(session, handshake->heard + handshake->heard_count,
                            handshake_room(handshake));
        const char *wrong = count > 0 ? handshake_hear(handshake, count) : NULL;
        if (wrong)
            session_fail(session, wrong);
        if (wrong || count == 0)
            return;
    }
    session_step(session);
}

static void
session_connected(struct session *session, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(session->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        errno = error;
        session_fail(session, "connect failed");
    } else if (events & EPOLLOUT) {
        session->state = SESSION_HANDSHAKE;
        session_say(session);
    }
}

static void
session_ready(struct watch *watch, uint32_t events)
{
    struct session *session = (struct session *)watch;

    switch (session->state) {
    case SESSION_CONNECTING:
        session_connected(session, events);
        break;
    case SESSION_HANDSHAKE:
        if (events & ~(uint32_t)EPOLLOUT)
            session_hear(session);
        break;
    case SESSION_OPEN:
        session->client->job->ready(session, events);
        break;
    case SESSION_CLOSED:
    case SESSION_OVER:
        break;
    }
}

/* To the gateway, or to the server itself. */
static int
session_connect(const struct session *session)
{
    const struct options *options = session->client->options;
    uint32_t source = spread_at(&options->sources, session->serial);
    const struct handshake *to = &session->handshake;

    if (options->protocol == PROTOCOL_DIRECT)
        return client_connect(source, to->ip, to->port);
    return client_connect(source, options->gateway_ip, options->gateway_port);
}

void
session_open(struct session *session)
{
    struct client *client = session->client;
    const struct options *options = client->options;
    int error;

    session->serial = client->serial++;
    session->sent = session->received = 0;
    session->state = SESSION_CONNECTING;
    session->opening = true;
    client->opening++;
    handshake_init(&session->handshake, options->protocol, client->job->command,
                   spread_at(&options->targets, session->serial),
                   options->target_port);
    session->began_ns = clock_now_ns();
    session->watch.fd = session_connect(session);
    session->watch.ready = session_ready;
    error = session->watch.fd;
    if (error >= 0)
        error = poller_add(client->poller, &session->watch, SESSION_EVENTS);
    if (error < 0) {
        errno = -error;
        session_fail(session, "cannot connect");
    }
}
