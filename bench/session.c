#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/client.h"
#include "bench/pattern.h"
#include "bench/socket.h"
#include "bench/wire.h"

static const char *const state_names[] = {"closed", "opening", "open", "over"};

void
session_watch(struct session *session, uint32_t events)
{
    int error = poller_modify(session->client->poller, &session->watch, events);

    if (error)
        report_error(&session->client->report, "epoll_ctl: errno %d", -error);
}

/* Its opening is over, one way or the other. */
static void
session_answered(struct session *session)
{
    if (session->counted)
        session->client->opening--;
    session->counted = false;
}

void
session_close(struct session *session)
{
    int fd = session->watch.fd;

    if (session->client->options->tls && fd >= 0) {
        (void)!wire_finish(fd); /* where TLS has failed there is no end of it */
        wire_forget(fd);
    }
    watch_close(&session->watch);
}

void
session_finish(struct session *session)
{
    session_answered(session);
    session_close(session);
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
    sent = wire_send(session->watch.fd, octets, count);
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
    count = wire_recv(session->watch.fd, octets, room);
    if (count > 0)
        return (size_t)count;
    if (count == 0)
        session_fail(session, "closed by the other side");
    else if (errno != EAGAIN && errno != EINTR)
        session_fail(session, "read failed");
    return 0;
}

bool
session_receive_echo(struct session *session)
{
    uint8_t octet;

    if (session_receive(session, &octet, 1) == 0)
        return false;
    if (!pattern_is(session->serial, session->received, &octet, 1)) {
        session_fail(session, "a wrong octet came back");
        return false;
    }
    session->received++;
    session->client->report.octets++;
    return true;
}

void
session_hold(struct session *session)
{
    session_answered(session);
    session->client->opened++;
}

static void
session_opened(struct session *session)
{
    session->state = SESSION_OPEN;
    session_answered(session);
    histogram_add(&session->client->report.setup,
                  clock_now_ns() - session->began_ns);
    session->client->job->opened(session);
}

static void
session_asked(struct session *session)
{
    const struct job *job = session->client->job;

    if (session->opening.withholds) /* until the run begins */
        session_hold(session);
    if (job->asked)
        job->asked(session);
}

static void
session_opening(struct session *session, enum opening_result result)
{
    const struct job *job = session->client->job;

    if (result == OPENING_STEPPED) {
        if (job->stepped)
            job->stepped(session);
        result = opening_ask(&session->opening, session->watch.fd);
    }
    switch (result) {
    case OPENING_ASKED:
        session_asked(session);
        break;
    case OPENING_DONE:
        session_opened(session);
        break;
    case OPENING_REFUSED:
    case OPENING_BROKEN:
        session_fail(session, session->opening.why);
        break;
    case OPENING_STEPPED:
    case OPENING_WAITS:
        break;
    }
}

static void
session_ready(struct watch *watch, uint32_t events)
{
    struct session *session = (struct session *)watch;

    switch (session->state) {
    case SESSION_OPENING:
        session_opening(session,
                        opening_turn(&session->opening, watch->fd, events));
        break;
    case SESSION_OPEN:
        session->client->job->ready(session, events);
        break;
    case SESSION_CLOSED:
    case SESSION_OVER:
        break;
    }
}

/* To the gateway, or directly to the server. */
static int
session_connect(const struct session *session)
{
    const struct options *options = session->client->options;
    uint32_t source = spread_at(&options->sources, session->serial);
    const struct handshake *to = &session->opening.handshake;

    if (options->protocol == PROTOCOL_DIRECT)
        return socket_connect(source, to->ip, to->port, 0);
    int fd =
        socket_connect(source, options->gateway_ip, options->gateway_port, 0);
    if (fd < 0 || !options->tls || wire_start_tls(fd) == 0)
        return fd;
    close(fd);
    return -ENOMEM;
}

void
session_open(struct session *session)
{
    struct client *client = session->client;
    const struct options *options = client->options;
    int error;

    session->serial = client->serial++;
    session->sent = session->received = 0;
    session->state = SESSION_OPENING;
    session->counted = true;
    client->opening++;
    opening_init(&session->opening, options->protocol, client->job->command,
                 spread_at(&options->targets, session->serial),
                 options->target_port);
    session->opening.withholds = options->unfinished && !client->running;
    session->began_ns = clock_now_ns();
    session->watch.fd = session_connect(session);
    session->watch.ready = session_ready;
    error = session->watch.fd;
    if (error >= 0)
        error = poller_add(client->poller, &session->watch, OPENING_EVENTS);
    if (error < 0) {
        errno = -error;
        session_fail(session, "cannot connect");
    }
}
