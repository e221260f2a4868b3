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
    TLS_ENDED,        /* the peer's close_notify: this direction has ended */
    TLS_TRUNCATED,    /* the peer's FIN came without close_notify before it */
    TLS_FAILED        /* the connection broke, or TLS did: tls_reason */
};

/* The certificate, CA and CRL of listener `index`, whose keys the signer has.
   NULL: no memory, or they make no sense. */
struct tls_context *tls_context_new(const struct config_tls *options,
                                    const struct tls_files *files,
                                    uint32_t index, struct signing *signing);
/* Connections that have it keep what they need of it. */
void tls_context_free(struct tls_context *context);

/* Called from outside of all functions here; they may be called by it, but
   for tls_free. */
typedef void tls_signed_fn(void *with);

/* The server's side of a connection over `raw`, which is borrowed. NULL: no
   memory. */
struct tls *tls_new(struct tls_context *context, struct stream *raw,
                    tls_signed_fn *signed_fn, void *with);
void tls_free(struct tls *tls);

/* One step, which is at most one signature: DONE, WANTS_*, TRUNCATED or
   FAILED. */
enum tls_result tls_handshake(struct tls *tls);

/* Whether any octet of the peer's has come. */
bool tls_begun(const struct tls *tls);

/* Whether the client's certificate is what the handshake failed for. */
bool tls_certificate_failed(const struct tls *tls);

/* Why it failed, in words; NULL: the connection itself broke. Static. */
const char *tls_reason(const struct tls *tls);

/* After the handshake: "1.3/TLS_AES_128_GCM_SHA256". */
#define TLS_TEXT_MAX 64
void tls_describe(const struct tls *tls, char text[TLS_TEXT_MAX]);

/* After the handshake: the certificate by which the client was verified, the
   caller's to free; NULL: none. 0, or -ENOMEM, or -E2BIG: more names or octets
   than certificate.h allows. */
int tls_certificate(const struct tls *tls, struct certificate **found);

/* DONE with the octets moved in *count, which are at least one; ENDED,
   TRUNCATED and FAILED only when all octets before were given out. */
enum tls_result tls_read(struct tls *tls, void *octets, size_t room,
                         size_t *count);
enum tls_result tls_write(struct tls *tls, const void *octets, size_t size,
                          size_t *count);

/* Our close_notify: DONE, WANTS_WRITE or FAILED. Reading goes on. */
enum tls_result tls_close_notify(struct tls *tls);

#endif
