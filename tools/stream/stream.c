#include "tools/stream/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/stream/tls.h"

#define POLL_US 500

static ssize_t
stream_result(ssize_t moved)
{
    if (moved >= 0)
        return moved;
    return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

ssize_t
stream_read(struct stream *stream, void *octets, size_t count)
{
    if (stream->tls != NULL) {
        ssize_t got = tls_read(stream->tls, octets, count);
        bool ended =
            got == -ECONNABORTED && stream->defect == STREAM_CUT_IS_END;

        return ended ? 0 : got;
    }
    return stream_result(recv(stream->fd, octets, count, MSG_DONTWAIT));
}

ssize_t
stream_write(struct stream *stream, const void *octets, size_t count)
{
    if (stream->tls != NULL)
        return tls_write(stream->tls, octets, count);
    return stream_result(
        send(stream->fd, octets, count, MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* ENOTCONN: the connection was reset meanwhile. */
int
stream_finish(struct stream *stream)
{
    bool cut = stream->defect == STREAM_NO_CLOSE_NOTIFY ||
               stream->defect == STREAM_CUT_RECORD;

    if (stream->defect == STREAM_CUT_RECORD)
        send(stream->fd, "\27\3\3\0\100cut", 8, MSG_NOSIGNAL);
    if (stream->tls != NULL && !cut)
        return tls_finish(stream->tls);
    if (shutdown(stream->fd, SHUT_WR) < 0)
        return errno == ENOTCONN ? -ECONNRESET : -errno;
    return 0;
}

void
stream_hurry(const struct stream *stream)
{
    int one = 1;

    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

short
stream_read_events(const struct stream *stream)
{
    return stream->tls != NULL ? tls_read_events(stream->tls) : POLLIN;
}

short
stream_write_events(const struct stream *stream)
{
    return stream->tls != NULL ? tls_write_events(stream->tls) : POLLOUT;
}

bool
stream_is_pending(const struct stream *stream)
{
    return stream->tls != NULL && tls_is_pending(stream->tls);
}

static void
stream_free(struct stream *stream)
{
    tls_free(stream->tls);
    close(stream->fd);
    *stream = (struct stream){.fd = -1};
}

static void
stream_set_reset(const struct stream *stream)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void
stream_close(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    if (stream->tls != NULL && stream->defect == STREAM_SOUND &&
        !tls_end(stream->tls))
        stream_set_reset(stream);
    stream_free(stream);
}

void
stream_truncate(struct stream *stream)
{
    shutdown(stream->fd, SHUT_WR);
}

void
stream_reset(struct stream *stream, enum stream_reset_after after,
             unsigned wait)
{
    int request = after == STREAM_SENT ? SIOCOUTQNSD : SIOCOUTQ;
    uint64_t end = socks4_dial_deadline(wait);
    int left = 0;

    if (stream->fd < 0)
        return;
    while (ioctl(stream->fd, (unsigned long)request, &left) == 0 && left > 0 &&
           socks4_dial_deadline(0) < end)
        usleep(POLL_US);
    stream_set_reset(stream);
    stream_free(stream);
}

const char *
stream_fault(const struct stream *stream, int error)
{
    if (error == -ECONNABORTED)
        return "it ended without close_notify: the end may be missing";
    if (error == -EBADMSG && stream->tls != NULL)
        return tls_fault(stream->tls);
    return strerror(-error);
}

/* --- For dial.h --- */

static ssize_t
stream_dial_read(void *context, void *octets, size_t count)
{
    return stream_read(context, octets, count);
}

static ssize_t
stream_dial_write(void *context, const void *octets, size_t count)
{
    return stream_write(context, octets, count);
}

/* Of the last call that returned -EAGAIN: dial.h reads only after it has
   written. */
static short
stream_dial_events(void *context)
{
    const struct stream *stream = context;

    return stream->tls != NULL ? tls_last_events(stream->tls) : POLLIN;
}

struct socks4_stream
stream_for_dial(struct stream *stream)
{
    return (struct socks4_stream){
        .context = stream,
        .fd = stream->fd,
        .read = stream_dial_read,
        .write = stream_dial_write,
        .events = stream->tls != NULL ? stream_dial_events : NULL};
}
