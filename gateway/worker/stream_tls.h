#ifndef GATEWAY_WORKER_STREAM_TLS_H
#define GATEWAY_WORKER_STREAM_TLS_H

#include "gateway/worker/stream.h"
#include "gateway/worker/tls.h"

/*
 * Streams that are TLS connections: the functions of stream.h over those of
 * tls.h. Such a stream lies over a plain one, which has the descriptor and its
 * place in epoll; struct stream only points to both:
 *
 *   relay, session ──► struct stream ──► struct stream_tls ──► tls.h
 *                           ▲                 │    ▲             │
 *                           └── flags ────────┘    └── events ── raw
 *
 * The flags of the upper stream speak of the application's octets: READABLE
 * stands until tls_read says what it waits for, since records may lie in the
 * library that no event will announce.
 *
 *   end of stream    the peer's close_notify; a FIN without it is an abort,
 *                    STREAM_TRUNCATED
 *   stream_finish    close_notify, then FIN; -EAGAIN while there is no room
 *   stream_close     the same, as far as there is room
 *   stream_reset     a reset, without close_notify
 *   urgent data      goes on as any other octet; what is urgent below TLS is
 *                    only part of a record
 */

/* Steps of handshakes in one turn of the loop: a storm of them leaves the
   relays their turn. */
#define STREAM_TLS_STEPS 2

/* Streams whose handshake waits for its turn (TLS_WANTS_TURN), of sources that
   are told apart by a part of their number alone. */
#define STREAM_TLS_TURNS 256
struct stream_tls_turn {
    struct list link; /* in pool->waiting; in none: no stream waits */
    struct list streams;
};

/* What all TLS streams of a worker share. */
struct stream_tls_pool {
    struct loop *loop;       /* borrowed */
    struct signing *signing; /* borrowed; NULL: no signer */
    struct list ready;       /* streams whose handshake can go on, or that have
                                to be tried again */
    struct list waiting;     /* turns with a stream, the first is next */
    struct stream_tls_turn turns[STREAM_TLS_TURNS];
    struct task run;
};

void stream_tls_pool_init(struct stream_tls_pool *pool, struct loop *loop);
void stream_tls_pool_fini(struct stream_tls_pool *pool);

/*
 * Takes fd, an accepted connection, which the client is to begin with TLS.
 * `source` is the number of its source, see tls_new. `serve` is called when a
 * step of the handshake may be made, then for events. 0, or a negative errno
 * and fd is closed.
 */
int stream_open_tls(struct stream *stream, struct stream_tls_pool *pool, int fd,
                    struct tls_context *context, uint64_t source,
                    stream_fn *serve);

/* The same for a plain stream, behind what it has begun with, or of one that was
   dialled and stands: then this is the client's side, and `name` that of the
   parent. It keeps the function that serves it, and each event comes anew. 0, or
   a negative errno and it is closed. */
int stream_start_tls(struct stream *stream, struct stream_tls_pool *pool,
                     struct tls_context *context, const char *name,
                     uint64_t source);

/* In `serve`, until it is DONE or has failed. A stream whose handshake has
   failed can only be read, to drop what comes, finished and closed. */
enum tls_result stream_handshake(struct stream *stream);

/* Whether the handshake has succeeded, until stream_fini. */
bool stream_tls_shaken(const struct stream *stream);

/* The handshake has taken too long: notes whether it waits for the signer. */
void stream_handshake_late(struct stream *stream);

/* What is known of the handshake, until stream_fini, and if TLS itself failed
   later, its reason. Of a plain stream: nothing. */
const struct tls_outcome *stream_tls_outcome(const struct stream *stream);

/* The kind's part of the functions in stream.h, which alone calls them. */
ssize_t stream_tls_recv(struct stream *stream, void *octets, size_t room);
bool stream_tls_has_left(struct stream *stream);
ssize_t stream_tls_send(struct stream *stream, const void *octets,
                        size_t count);
int stream_tls_finish(struct stream *stream);
int stream_tls_prepare_close(struct stream *stream);
void stream_tls_expect(struct stream *stream);
void stream_tls_serve(struct stream *stream, stream_fn *serve);
void stream_tls_close(struct stream *stream, bool reset);
void stream_tls_free(struct stream *stream);

#endif
