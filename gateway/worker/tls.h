#ifndef GATEWAY_WORKER_TLS_H
#define GATEWAY_WORKER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/tls_files.h"
#include "gateway/worker/certificate.h"
#include "gateway/worker/stream.h"

/*
 * What a TLS library does for a stream: octets of records go to and come from
 * a plain stream, octets of the application come out and go in. tls.c does it
 * with OpenSSL; the scenarios have a second implementation with records that
 * a script can write (tests/scenario/toy_tls.c), so that what stream_tls.c
 * makes of the results is played there.
 *
 * Every call is bounded. It may read and write the plain stream whatever it is
 * called for: a write may have to wait for octets of the peer, a read for
 * room. After TLS_WANTS_WRITE, tls_write is called again with the same octets
 * and, perhaps, more behind them; they may have moved.
 */
struct tls_context; /* what a listener's connections share */
struct tls;         /* a connection's */

struct config;
struct config_tls;
struct signing;

enum tls_result {
    TLS_DONE,
    TLS_WANTS_READ,   /* octets of the peer, which stream_recv did not have */
    TLS_WANTS_WRITE,  /* room, which stream_send did not have */
    TLS_WANTS_SIGNER, /* a signature: `signed_fn` is called when it is there */
    TLS_WANTS_TURN,   /* so many handshakes want a signature that one of them
                         has to make a step, or to be freed, first */
    TLS_ENDED,        /* the peer's close_notify: this direction has ended */
    TLS_TRUNCATED,    /* the peer's FIN came without close_notify before it */
    TLS_FAILED        /* the connection broke, or TLS did: tls_reason */
};

/* Bounds what a peer can make OpenSSL take at once. Before anything else of
   OpenSSL in this process: 0, or -EPERM where it has memory already. */
int tls_bound_memory(void);

/* The certificate, CA and CRL of listener or parent `index` (config_tls_at),
   whose keys the signer has. NULL: no memory, or they make no sense. */
struct tls_context *tls_context_new(const struct config_tls *options,
                                    const struct tls_files *files,
                                    uint32_t index, struct signing *signing);
/* NULL for NULL. */
struct tls_context *tls_context_ref(struct tls_context *context);
/* Connections that have it keep what they need of it. */
void tls_context_free(struct tls_context *context);

/* Called from outside of all functions here; they may be called by it, but
   for tls_free. */
typedef void tls_signed_fn(void *with);

/* The server's side of a connection over `raw`, which is borrowed; with a
   parent's context the client's side, and `name` is that which the certificate
   must have, or an address. `source`: a number for the client's source, which
   take turns at the signer. NULL: no memory. */
struct tls *tls_new(struct tls_context *context, struct stream *raw,
                    const char *name, uint64_t source, tls_signed_fn *signed_fn,
                    void *with);
void tls_free(struct tls *tls);

/* What a handshake came to. */
#define TLS_TEXT_MAX 64
struct tls_outcome {
    const char *reason; /* why it failed, in words, static; NULL: it did not, or
                           the connection itself broke */
    struct certificate *certificate; /* owned; by which the client was
                                        verified; NULL: none */
    uint32_t ms;                     /* how long it took: stream_tls.c */
    char text[TLS_TEXT_MAX]; /* "1.3/TLS_AES_128_GCM_SHA256"; empty: not done */
    bool begun;              /* octets of the peer's have come */
    bool met_proxy;          /* a PROXY header has come in place of TLS */
    bool refused_certificate; /* it failed for the peer's certificate */
};

/* One step, which is at most one signature: DONE, WANTS_*, TRUNCATED or
   FAILED. It fills in what is known of the outcome. A certificate with more
   names or octets than certificate.h allows is refused. */
enum tls_result tls_handshake(struct tls *tls, struct tls_outcome *outcome);

/* After the handshake: why TLS failed, as in the outcome. */
const char *tls_reason(const struct tls *tls);

/* DONE with the octets moved in *count, which are at least one; ENDED,
   TRUNCATED and FAILED only when all octets before were given out. */
enum tls_result tls_read(struct tls *tls, void *octets, size_t room,
                         size_t *count);
/* What tls_read would come to, and no octet is taken: DONE where there are
   some. */
enum tls_result tls_peek(struct tls *tls);
enum tls_result tls_write(struct tls *tls, const void *octets, size_t size,
                          size_t *count);

/* Our close_notify: DONE, WANTS_WRITE or FAILED. Reading goes on. */
enum tls_result tls_close_notify(struct tls *tls);

#endif
