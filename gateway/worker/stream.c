#include "gateway/worker/stream.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "base/sys.h"
#include "gateway/worker/stream_tls.h"

#define STREAM_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

_Static_assert(offsetof(struct stream, tls) ==
                   offsetof(struct stream, watch.ready),
               "the pointer takes the place of watch.ready");

void
stream_init(struct stream *stream)
{
    stream->watch.fd = -1;
    stream->watch.ready = NULL;
    stream->watch.notes = 0;
}

int
stream_open(struct stream *stream, struct loop *loop, int fd, stream_fn *serve)
{
    stream->watch.notes = 0;
    int error = loop_watch(loop, &stream->watch, fd, STREAM_EVENTS, serve);
    if (error < 0)
        sys_close(fd);
    return error;
}

int
stream_dial(struct stream *stream, struct loop *loop, const struct endpoint *to,
            struct addr source, stream_fn *serve)
{
    int fd = sys_tcp(addr_is_v4(to->addr));
    if (fd < 0)
        return fd;

    int error = addr_is_any(source) ? 0 : sys_bind_source(fd, source);
    if (error == 0)
        error = sys_connect(fd, to);
    if (error != 0 && error != -EINPROGRESS) {
        sys_close(fd);
        return error;
    }
    return stream_open(stream, loop, fd, serve);
}

/* A socket that is closed already needs none. */
void
stream_keepalive(struct stream *stream, const struct sys_keepalive *keepalive)
{
    sys_keepalive_start(stream->watch.fd, keepalive);
}

/*
 * Linux says ECONNREFUSED where the handshake was answered by a reset.
 * ECONNRESET and EPIPE mean that the connection stood, was reset already, and
 * may have brought octets before that: it is relayed as any other.
 */
int
stream_dialled(struct stream *stream, const struct endpoint *to,
               struct endpoint *local)
{
    if (stream_is(stream, STREAM_BROKEN)) {
        int error = stream_error(stream);
        bool stood = error == -ECONNRESET || error == -EPIPE;
        if (!stood)
            return error < 0 ? error : -ECONNABORTED;
    } else if (!stream_is(stream, STREAM_WRITABLE)) {
        return -EINPROGRESS;
    }
    int error = stream_local(stream, local);
    if (error < 0)
        return error;
    bool itself = addr_equal(local->addr, to->addr) && local->port == to->port;
    return itself ? -ELOOP : 0;
}

void
stream_move(struct stream *to, struct stream *from, struct loop *loop,
            stream_fn *serve)
{
    assert(!stream_is_open(to) && !stream_is(from, STREAM_TLS));
    to->watch = from->watch;
    to->watch.ready = serve;
    loop_rewatch(loop, &to->watch, STREAM_EVENTS);
    loop_forget(&from->watch);
}

void
stream_serve(struct stream *stream, stream_fn *serve)
{
    if (stream_is(stream, STREAM_TLS))
        stream_tls_serve(stream, serve);
    else
        stream->watch.ready = serve;
}

struct stream *
stream_event(struct watch *watch, uint32_t events)
{
    struct stream *stream = container_of(watch, struct stream, watch);

    if (stream_is(stream, STREAM_TLS)) /* it has taken note already */
        return stream;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLPRI))
        stream->watch.notes |= STREAM_READABLE | STREAM_FRESH;
    if (events & EPOLLOUT)
        stream->watch.notes |= STREAM_WRITABLE;
    if (events & (EPOLLRDHUP | EPOLLHUP))
        stream->watch.notes |= STREAM_ENDING;
    if (events & EPOLLPRI)
        stream->watch.notes |= STREAM_URGENT;
    /* EPOLLHUP means that both directions are closed. This side has closed
       none, so the connection was reset, and an earlier call has already
       returned the error. */
    bool hung_up = (events & EPOLLHUP) && !stream_is(stream, STREAM_FINISHED);
    if ((events & EPOLLERR) || hung_up)
        stream->watch.notes |= STREAM_BROKEN | STREAM_READABLE;
    return stream;
}

void
stream_expect(struct stream *stream)
{
    if (stream_is(stream, STREAM_TLS))
        stream_tls_expect(stream);
    stream->watch.notes |= STREAM_READABLE | STREAM_FRESH;
}

static ssize_t
stream_broke(struct stream *stream, ssize_t error)
{
    stream->watch.notes |= STREAM_BROKEN | STREAM_READABLE;
    return error;
}

/*
 * A short read has emptied the socket, and what comes later is a new edge;
 * but a FIN or an urgent mark that was announced gives no second one, nor does
 * what is left in a broken stream.
 */
static void
stream_read_short(struct stream *stream)
{
    if (!stream_is(stream, STREAM_ENDING | STREAM_URGENT | STREAM_BROKEN))
        stream->watch.notes &= ~(uint32_t)STREAM_READABLE;
}

/* The receive queue of a broken stream is empty. */
static ssize_t
stream_drained(struct stream *stream, ssize_t result)
{
    stream->watch.notes |= STREAM_DRAINED;
    return result == 0 || result == -EAGAIN ? -ECONNRESET : result;
}

ssize_t
stream_recv(struct stream *stream, void *octets, size_t room)
{
    if (stream_is(stream, STREAM_TLS))
        return stream_tls_recv(stream, octets, room);
    ssize_t count = sys_recv(stream->watch.fd, octets, room);

    stream->watch.notes &= ~(uint32_t)STREAM_FRESH;
    if (count <= 0 && stream_is(stream, STREAM_BROKEN))
        return stream_drained(stream, count);
    if (count == -EAGAIN) {
        /* The urgent mark that epoll announced is gone: a later mark has
           replaced it. */
        stream->watch.notes &= ~(uint32_t)(STREAM_READABLE | STREAM_URGENT);
        return count;
    }
    if (count < 0)
        return stream_broke(stream, count);
    /* splice(2) to a socket that is reset returns what it moved before, and
       takes the error with it: then a read returns 0, too. The event decides.
     */
    if (count == 0 && !stream_is(stream, STREAM_ENDING | STREAM_FINISHED))
        return -EAGAIN;
    if ((size_t)count < room)
        stream_read_short(stream);
    return count;
}

bool
stream_has_left(struct stream *stream)
{
    return stream_is(stream, STREAM_BROKEN | STREAM_ENDING) ||
           (stream_is(stream, STREAM_TLS) && stream_tls_has_left(stream));
}

ssize_t
stream_peek(struct stream *stream, void *octets, size_t room)
{
    ssize_t count = sys_peek(stream->watch.fd, octets, room);

    if (count == -EAGAIN)
        stream->watch.notes &= ~(uint32_t)STREAM_READABLE;
    else if (count < 0)
        return stream_broke(stream, count);
    return count;
}

ssize_t
stream_recv_urgent(struct stream *stream, uint8_t *octet)
{
    stream->watch.notes &= ~(uint32_t)STREAM_URGENT;
    return stream_recv(stream, octet, 1);
}

static ssize_t
stream_sent(struct stream *stream, ssize_t sent, size_t count)
{
    if (sent == -EAGAIN || (sent >= 0 && (size_t)sent < count))
        stream->watch.notes &= ~(uint32_t)STREAM_WRITABLE;
    else if (sent < 0)
        return stream_broke(stream, sent);
    return sent;
}

ssize_t
stream_send(struct stream *stream, const void *octets, size_t count)
{
    if (stream_is(stream, STREAM_TLS))
        return stream_tls_send(stream, octets, count);
    return stream_sent(stream, sys_send(stream->watch.fd, octets, count),
                       count);
}

ssize_t
stream_send_urgent(struct stream *stream, uint8_t octet)
{
    if (stream_is(stream, STREAM_TLS))
        return stream_tls_send(stream, &octet, 1);
    return stream_sent(stream, sys_send_urgent(stream->watch.fd, octet), 1);
}

bool
stream_cannot_splice(ssize_t result)
{
    return result == -ENOSYS || result == -EINVAL || result == -EPERM ||
           result == -EACCES;
}

ssize_t
stream_splice_in(struct stream *stream, int pipe, size_t room)
{
    ssize_t count = sys_splice(stream->watch.fd, pipe, room);

    if (stream_cannot_splice(count))
        return count;
    stream->watch.notes &= ~(uint32_t)STREAM_FRESH;
    if (count > 0)
        return count;
    if (count < 0 && count != -EAGAIN)
        stream_broke(stream, count);
    if (count == 0 ||
        stream_is(stream, STREAM_ENDING | STREAM_URGENT | STREAM_BROKEN))
        return 0;
    stream->watch.notes &= ~(uint32_t)STREAM_READABLE;
    return -EAGAIN;
}

ssize_t
stream_splice_out(struct stream *stream, int pipe, size_t count)
{
    ssize_t sent = sys_splice(pipe, stream->watch.fd, count);

    return stream_cannot_splice(sent) ? sent : stream_sent(stream, sent, count);
}

bool
stream_at_mark(struct stream *stream)
{
    return !stream_is(stream, STREAM_TLS) && sys_at_mark(stream->watch.fd) == 1;
}

size_t
stream_unacked(struct stream *stream)
{
    int unacked = sys_unacked(stream->watch.fd);
    return unacked > 0 ? (size_t)unacked : 0;
}

struct sys_memory
stream_memory(struct stream *stream)
{
    struct sys_memory memory;

    if (sys_memory(stream->watch.fd, &memory) < 0)
        return (struct sys_memory){0};
    return memory;
}

void
stream_bound_in(struct stream *stream, uint32_t octets)
{
    sys_bound_in(stream->watch.fd, octets);
}

void
stream_bound_out(struct stream *stream, uint32_t octets)
{
    sys_bound_out(stream->watch.fd, octets);
}

int
stream_error(struct stream *stream)
{
    return sys_error(stream->watch.fd);
}

int
stream_local(const struct stream *stream, struct endpoint *local)
{
    return sys_local(stream->watch.fd, local);
}

bool
stream_is_by_loopback(const struct stream *stream, bool v4)
{
    return sys_is_by_loopback(stream->watch.fd, v4);
}

int
stream_finish(struct stream *stream)
{
    if (stream_is(stream, STREAM_TLS))
        return stream_tls_finish(stream);
    int error = sys_shutdown(stream->watch.fd);
    if (error < 0)
        return (int)stream_broke(stream, error);
    stream->watch.notes |= STREAM_FINISHED;
    return 0;
}

int
stream_prepare_close(struct stream *stream)
{
    return stream_is(stream, STREAM_TLS) ? stream_tls_prepare_close(stream) : 0;
}

void
stream_close(struct stream *stream)
{
    if (stream->watch.fd < 0)
        return;
    if (stream_is(stream, STREAM_TLS))
        stream_tls_close(stream, false);
    else
        sys_close(stream->watch.fd);
    loop_forget(&stream->watch);
}

void
stream_reset(struct stream *stream)
{
    if (stream->watch.fd < 0)
        return;
    if (stream_is(stream, STREAM_TLS))
        stream_tls_close(stream, true);
    else
        sys_reset(stream->watch.fd);
    loop_forget(&stream->watch);
}

void
stream_fini(struct stream *stream)
{
    if (stream_is(stream, STREAM_TLS))
        stream_tls_free(stream);
}
