#ifndef GATEWAY_WORKER_STREAM_H
#define GATEWAY_WORKER_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/loop.h"
#include "base/sys.h"

/*
 * One leg of a session: a TCP connection, registered once, edge-triggered,
 * in both directions, and what is known of it since. Its fields are for
 * stream.c and stream_tls.c alone. A stream is plain, or it is TLS
 * (stream_tls.h): the functions are the same, and stream_copies_only says that
 * it can neither be spliced nor carry urgent data as such.
 *
 * Every error of the connection is final and marks it broken: nothing can be
 * written any more. What had arrived before is still in the kernel's receive
 * queue, and stream_recv returns it; the stream is drained when that queue is
 * empty. After a reset, a write returns ECONNRESET and the next read 0, which
 * is not a FIN: stream_recv never returns 0 on a broken stream.
 */
struct stream {
    union {
        struct watch watch; /* owns watch.fd; -1: closed; notes: stream_flag */
        struct stream_tls *tls; /* owned; in place of watch.ready where notes
                                   has STREAM_TLS, and then not registered */
    };
};

/*
 * Serves the events of a stream. It begins with stream_event, which takes
 * note of what has happened and returns the stream.
 */
typedef watch_fn stream_fn;
struct stream *stream_event(struct watch *watch, uint32_t events);

enum stream_flag {
    STREAM_READABLE = 1 << 0, /* a read may find something */
    STREAM_WRITABLE = 1 << 1, /* a write may find room */
    STREAM_ENDING = 1 << 2,   /* RDHUP was seen: a FIN is on its way, a hint */
    STREAM_URGENT = 1 << 3,   /* an urgent octet is in the stream */
    STREAM_FRESH = 1 << 4,    /* no read since the last event */
    STREAM_BROKEN = 1 << 5,   /* reset or failed, by whatever call */
    STREAM_DRAINED = 1 << 6,  /* broken, and nothing is left to read */
    STREAM_FINISHED = 1 << 7, /* our FIN was sent */
    STREAM_TLS = 1 << 8,      /* the kind */
    STREAM_TRUNCATED = 1 << 9 /* broken: TLS ended without close_notify */
};

void stream_init(struct stream *stream);

/* Takes fd and registers it; `serve` may be NULL where stream_serve follows in
   the same turn. 0, or a negative errno and fd is closed. */
int stream_open(struct stream *stream, struct loop *loop, int fd,
                stream_fn *serve);

/*
 * Connects to exactly `to`, from `source` (0.0.0.0: the system is to choose),
 * and registers the connection; `serve` has its events. 0, or why not as a
 * negative errno, and then the stream is closed.
 */
int stream_dial(struct stream *stream, struct loop *loop,
                const struct endpoint *to, struct addr source,
                stream_fn *serve);

/* From now on the kernel asks a silent peer: see sys_keepalive_start. */
void stream_keepalive(struct stream *stream,
                      const struct sys_keepalive *keepalive);

/*
 * What has come of it, after stream_event: 0 when the connection stands, with
 * its local end in `local`; -EINPROGRESS to go on waiting; -ELOOP when TCP has
 * connected the socket to itself, as it may on a closed port of this machine;
 * or why it failed. A connection that stood and was reset since stands, too:
 * the stream is broken, and what came before the reset can be read from it.
 */
int stream_dialled(struct stream *stream, const struct endpoint *to,
                   struct endpoint *local);

/* Takes the place of `to`, which is closed, in the owner of that one. Call it
   when the turn is over: an event of `to` may still be in its batch. */
void stream_move(struct stream *to, struct stream *from, struct loop *loop,
                 stream_fn *serve);

/* From now on its events are this function's. */
void stream_serve(struct stream *stream, stream_fn *serve);

static inline bool
stream_is_open(const struct stream *stream)
{
    return stream->watch.fd >= 0;
}

static inline bool
stream_is(const struct stream *stream, unsigned flags)
{
    return (stream->watch.notes & flags) != 0;
}

/*
 * Octets moved; 0 from recv is the FIN; -EAGAIN: wait for an event. Any
 * other error breaks the stream. A broken stream is still to be read, until a
 * read returns an error and the stream is drained.
 */
ssize_t stream_recv(struct stream *stream, void *octets, size_t room);
/* Whether the peer has ended what it sends, or the stream broke, while nothing
   is read: a FIN is seen even behind octets, TLS's own end only where none are
   in front of it. */
bool stream_has_left(struct stream *stream);
/* The same octets without taking them, of a plain stream: a later read returns
   them again. 0 is the FIN where nothing is before it. */
ssize_t stream_peek(struct stream *stream, void *octets, size_t room);
/* One octet, at the mark. */
ssize_t stream_recv_urgent(struct stream *stream, uint8_t *octet);
/* A read is to be tried, though no event has announced anything. */
void stream_expect(struct stream *stream);
ssize_t stream_send(struct stream *stream, const void *octets, size_t count);
ssize_t stream_send_urgent(struct stream *stream, uint8_t octet);

/*
 * From the stream into a pipe that is empty: the octets moved; -EAGAIN: wait
 * for an event; 0: only a read can tell, since there may be a FIN, an urgent
 * mark ahead or an error.
 */
ssize_t stream_splice_in(struct stream *stream, int pipe, size_t room);
/* From a pipe into the stream, as stream_send. In both directions an error that
   stream_cannot_splice knows is the kernel's, and the stream is as before. */
ssize_t stream_splice_out(struct stream *stream, int pipe, size_t count);

/* Whether a result says that splice(2) itself fails here: the kernel lacks it,
   or a filter forbids it. */
bool stream_cannot_splice(ssize_t result);

/* Whether it can neither be spliced nor say what is urgent: stream_send_urgent
   sends an octet like any other. */
static inline bool
stream_copies_only(const struct stream *stream)
{
    return stream_is(stream, STREAM_TLS);
}

/* Whether the next octet to be read is the urgent one. */
bool stream_at_mark(struct stream *stream);

/* Octets written that the peer's kernel has not acknowledged yet. */
size_t stream_unacked(struct stream *stream);

/* What the kernel holds for it: see sys_memory; zeros where that fails. */
struct sys_memory stream_memory(struct stream *stream);
void stream_bound_in(struct stream *stream, uint32_t octets);
void stream_bound_out(struct stream *stream, uint32_t octets);

/* Why the connection failed, a negative errno, and forgotten; 0: it did not. */
int stream_error(struct stream *stream);
/* Its own address and port. 0 or a negative errno. */
int stream_local(const struct stream *stream, struct endpoint *local);
/* Whether its other end is on this machine, as far as the kernel shows it; a
   connection of IPv4 or IPv6. */
bool stream_is_by_loopback(const struct stream *stream, bool v4);

/* The end of what we send: FIN, after TLS's own end. 0; -EAGAIN: there was no
   room, which an event will announce; or another negative errno, and then the
   stream is broken. */
int stream_finish(struct stream *stream);

/* What goes before stream_close, where that is to be the end of what we send:
   TLS's own end. 0, or -EAGAIN as from stream_finish. */
int stream_prepare_close(struct stream *stream);

/* Both may be called on a closed stream. */
void stream_close(struct stream *stream);
void stream_reset(struct stream *stream);

/* After it was closed, when the turn is over. */
void stream_fini(struct stream *stream);

#endif
