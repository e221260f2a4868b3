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

/* What all TLS streams of a worker share. */
struct stream_tls_pool {
    struct loop *loop;       /* borrowed */
    struct signing *signing; /* borrowed; NULL: no signer */
    struct list ready;       /* streams whose handshake can go on, or that have
                                to be tried again */
    struct task run;
};

void stream_tls_pool_init(struct stream_tls_pool *pool, struct loop *loop);
void stream_tls_pool_fini(struct stream_tls_pool *pool);

/*
 * Takes fd, an accepted connection, which the client is to begin with TLS.
 * `serve` is called when a step of the handshake may be made, then for
 * events. 0, or a negative errno and fd is closed.
 */
int stream_open_tls(struct stream *stream, struct stream_tls_pool *pool, int fd,
                    struct tls_context *context, stream_fn *serve);

/* In `serve`, until it is DONE or has failed. A stream whose handshake has
   failed can only be read, to drop what comes, finished and closed. */
enum tls_result stream_handshake(struct stream *stream);

/* The functions from here on may be called for a plain stream, too: false, 0
   and NULL. Whether any octet has come yet. */
bool stream_tls_begun(const struct stream *stream);

/* How long the handshake took, or takes. */
uint32_t stream_tls_ms(const struct stream *stream);

/* Why the handshake, or TLS itself, failed; NULL: it did not. Static. */
const char *stream_tls_reason(const struct stream *stream);
/* Whether the client's certificate was at fault. */
bool stream_tls_refused_certificate(const struct stream *stream);

/* Once the handshake is done, and until stream_fini: version and cipher, and
   the certificate of the client's that was verified; NULL. */
const char *stream_tls_text(const struct stream *stream);
struct certificate *stream_tls_certificate(const struct stream *stream);

/* The kind's part of the functions in stream.h, which alone calls them. */
ssize_t stream_tls_recv(struct stream *stream, void *octets, size_t room);
ssize_t stream_tls_send(struct stream *stream, const void *octets,
                        size_t count);
int stream_tls_finish(struct stream *stream);
int stream_tls_prepare_close(struct stream *stream);
void stream_tls_expect(struct stream *stream);
void stream_tls_serve(struct stream *stream, stream_fn *serve);
void stream_tls_close(struct stream *stream, bool reset);
void stream_tls_free(struct stream *stream);

#endif
