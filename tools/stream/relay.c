#include "tools/stream/relay.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAKEN_MS 30000 /* for the reader of what came before an abort */
#define LOCAL_MS 10000 /* for a connection over loopback */

/* --- The two kinds of ends --- */

static ssize_t
relay_end_read(struct relay_end *end, void *octets, size_t size)
{
    ssize_t got;

    if (end->stream != NULL)
        return stream_read(end->stream, octets, size);
    got = read(STDIN_FILENO, octets, size);
    if (got >= 0)
        return got;
    end->name = "standard input";
    return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* A pipe that is ready for writing takes PIPE_BUF octets without blocking. */
static ssize_t
relay_end_write(struct relay_end *end, const void *octets, size_t size)
{
    ssize_t put;

    if (end->stream != NULL)
        return stream_write(end->stream, octets, size);
    put = write(STDOUT_FILENO, octets, size < PIPE_BUF ? size : PIPE_BUF);
    if (put >= 0)
        return put;
    end->name = "standard output";
    return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static int
relay_end_finish(struct relay_end *end)
{
    if (end->stream != NULL)
        return stream_finish(end->stream);
    end->name = "standard output";
    return close(STDOUT_FILENO) < 0 ? -errno : 0;
}

static struct pollfd
relay_end_readable(const struct relay_end *end)
{
    if (end->stream == NULL)
        return (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    return (struct pollfd){.fd = end->stream->fd,
                           .events = stream_read_events(end->stream)};
}

static struct pollfd
relay_end_writable(const struct relay_end *end)
{
    if (end->stream == NULL)
        return (struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT};
    return (struct pollfd){.fd = end->stream->fd,
                           .events = stream_write_events(end->stream)};
}

/* --- One direction --- */

/* An end that failed sends no more: the half that it feeds ends as soon as
   its octets are written, without an end that would look like one in order. */
static void
relay_half_read(struct relay_half *half)
{
    ssize_t got = relay_end_read(half->from, half->buffer, RELAY_ROOM);

    if (got == -EAGAIN)
        return;
    if (got > 0) {
        half->at = 0;
        half->have = (size_t)got;
        return;
    }
    half->state = HALF_ENDED;
    if (half->from->error == 0)
        half->from->error = (int)got;
}

/* Who takes no more may have sent something before: a stream is read to its
   end, and what was meant for it is dropped. A stream whose reset was reported
   already says EPIPE. */
static void
relay_half_write(struct relay_half *half)
{
    ssize_t put =
        relay_end_write(half->to, half->buffer + half->at, half->have);

    if (put == -EAGAIN)
        return;
    if (put < 0) {
        half->to->error =
            put == -EPIPE && half->to->stream != NULL ? -ECONNRESET : (int)put;
        half->have = 0;
        half->state = HALF_DONE;
        return;
    }
    half->at += (size_t)put;
    half->have -= (size_t)put;
    half->moved += (uint64_t)put;
}

/* Passes the end on, once everything before it is written. */
static void
relay_half_finish(struct relay_half *half, bool silently)
{
    int error =
        half->from->error != 0 || silently ? 0 : relay_end_finish(half->to);

    if (error == -EAGAIN)
        return;
    half->state = HALF_DONE;
    if (error != 0)
        half->to->error = error;
}

/* The event that the half waits for; an fd of -1: none. */
static struct pollfd
relay_half_wish(const struct relay_half *half)
{
    if (half->have > 0 || half->state == HALF_ENDED)
        return relay_end_writable(half->to);
    if (half->state == HALF_OPEN)
        return relay_end_readable(half->from);
    return (struct pollfd){.fd = -1};
}

/* Whether it can go on without an event. */
static bool
relay_half_is_ready(const struct relay_half *half)
{
    return half->have == 0 && half->state == HALF_OPEN &&
           half->from->stream != NULL && stream_is_pending(half->from->stream);
}

static void
relay_half_step(struct relay *relay, struct relay_half *half)
{
    if (half->have > 0)
        relay_half_write(half);
    else if (half->state == HALF_OPEN)
        relay_half_read(half);
    if (half->state == HALF_ENDED && half->have == 0)
        relay_half_finish(half, half == &relay->up && relay->no_shutdown);
}

/* --- Both --- */

/* An end whose stream has ended in order can still be reset. */
static struct pollfd
relay_watch(const struct relay_half *half)
{
    bool watches = half->state == HALF_DONE && half->from->stream != NULL;

    return (struct pollfd){.fd = watches ? half->from->stream->fd : -1};
}

static void
relay_note_reset(struct relay_end *end)
{
    int reason = 0;
    socklen_t size = sizeof(reason);

    if (getsockopt(end->stream->fd, SOL_SOCKET, SO_ERROR, &reason, &size) < 0)
        reason = errno;
    if (end->error == 0)
        end->error = reason != 0 ? -reason : -ECONNRESET;
}

/* A user at a terminal need not end the input once the peer has closed. */
static bool
relay_is_over(const struct relay *relay)
{
    if (relay->down.state != HALF_DONE)
        return false;
    return relay->up.state == HALF_DONE ||
           (relay->near.stream == NULL && isatty(STDIN_FILENO));
}

/* Waits for an event, then moves octets in each direction that is ready. */
static int
relay_turn(struct relay *relay)
{
    struct relay_half *halves[2] = {&relay->up, &relay->down};
    struct pollfd polled[4] = {relay_half_wish(halves[0]),
                               relay_half_wish(halves[1]),
                               relay_watch(halves[0]), relay_watch(halves[1])};
    bool ready[2] = {relay_half_is_ready(halves[0]),
                     relay_half_is_ready(halves[1])};

    if (poll(polled, 4, ready[0] || ready[1] ? 0 : -1) < 0)
        return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < 2; i++)
        if (polled[i].revents != 0 || ready[i])
            relay_half_step(relay, halves[i]);
    for (size_t i = 0; i < 2; i++)
        if (polled[i + 2].revents & POLLERR && !relay_is_over(relay))
            relay_note_reset(halves[i]->from);
    return 0;
}

/* The end that failed, once all that it sent is passed on; NULL: none. One
   that is no stream sends nothing that is worth more than the message. */
static const struct relay_end *
relay_failed(const struct relay *relay)
{
    const struct relay_half *halves[2] = {&relay->up, &relay->down};

    for (size_t i = 0; i < 2; i++) {
        const struct relay_end *end = halves[i]->from;

        if (end->error != 0 &&
            (end->stream == NULL || halves[i]->state == HALF_DONE))
            return end;
    }
    return NULL;
}

int
relay_run(struct relay *relay, const struct relay_end **where)
{
    int error = 0;

    relay->up.from = relay->down.to = &relay->near;
    relay->up.to = relay->down.from = &relay->far;
    while (error == 0 && (*where = relay_failed(relay)) == NULL &&
           !relay_is_over(relay))
        error = relay_turn(relay);
    if (*where != NULL)
        return (*where)->error;
    *where = &relay->far;
    return error;
}

int
relay_streams(struct relay *relay, const struct relay_end **where)
{
    const struct relay_end *other;
    int error;

    stream_hurry(relay->near.stream);
    stream_hurry(relay->far.stream);
    error = relay_run(relay, where);
    other = *where == &relay->near ? &relay->far : &relay->near;
    if (error == 0) {
        stream_close(relay->near.stream);
        stream_close(relay->far.stream);
        return 0;
    }
    stream_reset(other->stream, STREAM_ACKNOWLEDGED, TAKEN_MS);
    return error;
}

/* --- Connections over loopback --- */

static void
relay_local_name(int fd, struct endpoint *at)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);

    getsockname(fd, (struct sockaddr *)&sa, &len);
    endpoint_from_sockaddr(at, &sa);
}

int
relay_local_listen(struct endpoint *at)
{
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 &&
        listen(fd, 1) == 0) {
        relay_local_name(fd, at);
        return fd;
    }
    error = -errno;
    close(fd);
    return error;
}

int
relay_local_accept(int listener, const struct endpoint *wanted)
{
    uint64_t end = socks4_dial_deadline(LOCAL_MS);
    uint64_t now;

    while ((now = socks4_dial_deadline(0)) < end) {
        struct pollfd polled = {.fd = listener, .events = POLLIN};
        struct sockaddr_storage sa = {0};
        socklen_t len = sizeof(sa);
        struct endpoint peer;
        int fd;

        if (poll(&polled, 1, (int)(end - now)) <= 0)
            continue;
        fd = accept4(listener, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            return -errno;
        if (fd < 0)
            continue;
        endpoint_from_sockaddr(&peer, &sa);
        if (endpoint_equal(&peer, wanted))
            return fd;
        close(fd);
    }
    return -ETIMEDOUT;
}

int
relay_pair(int fds[2])
{
    struct endpoint at, own;
    struct sockaddr_storage sa;
    socklen_t len;
    int listener = relay_local_listen(&at);

    if (listener < 0)
        return listener;
    len = endpoint_to_sockaddr(&at, &sa);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[1] = -ECONNREFUSED;
    if (fds[0] >= 0 && connect(fds[0], (struct sockaddr *)&sa, len) == 0) {
        relay_local_name(fds[0], &own);
        fds[1] = relay_local_accept(listener, &own);
    }
    close(listener);
    if (fds[1] >= 0)
        return 0;
    close(fds[0]);
    return fds[1];
}
