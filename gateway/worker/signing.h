#ifndef GATEWAY_WORKER_SIGNING_H
#define GATEWAY_WORKER_SIGNING_H

#include <openssl/types.h>

#include "base/list.h"
#include "base/loop.h"
#include "gateway/signing_proto.h"
#include "gateway/worker/peer_link.h"

/*
 * Signatures of TLS handshakes, made by the signer, which alone has the private
 * keys. To OpenSSL a key of the signer looks like any other: signing_key makes
 * one, and SSL_CTX_use_PrivateKey takes it. When a handshake needs a signature,
 * the request goes to the signer, the handshake is suspended as an ASYNC job
 * and SSL_do_handshake returns SSL_ERROR_WANT_ASYNC.
 *
 *   SSL_do_handshake ─► WANT_ASYNC ┄┄► signer ┄┄► callback ─► SSL_do_handshake
 *
 * There is no time limit here. A signer may be slow because the machine is
 * busy; one that hangs is replaced by the monitor, and the next one is asked
 * again. The session has a timer.
 *
 * What the caller does:
 *   - SSL_CTX_new_ex(signing->library, NULL, …): this library context alone
 *     knows the keys, and reads no openssl.cnf;
 *   - SSL_set_app_data(ssl, …): the number of the source whose handshake it is,
 *     a uint64_t; those without count as one source. Sources take turns;
 *   - before the handshake SSL_set_mode(ssl, SSL_MODE_ASYNC), behind it
 *     SSL_clear_mode: then reading and writing start no jobs;
 *   - SSL_set_async_callback(ssl, …) and SSL_set_async_callback_arg: called
 *     once the signature is there or is refused, never from inside
 *     SSL_do_handshake. It notes that, and calls SSL_do_handshake later, from a
 *     task or the run queue; it must not free the SSL;
 *   - a handshake that is given up while it waits: signing_abandon, before
 *     SSL_free;
 *   - SSL_ERROR_WANT_ASYNC_JOB: so many handshakes wait for the signer that
 *     there is no job for this one. SSL_do_handshake may be called again when
 *     one of them has gone on or was given up.
 */

/* Handshakes that may wait at once: each has a stack of 32 KiB meanwhile. */
#define SIGNING_JOBS_MAX 256

/* Requests that the signer has at once, those of handshakes that were given up
   included: others wait here, where a source can be passed over. */
#define SIGNING_SENT_MAX 16

/* One a worker. */
struct signing {
    OSSL_LIB_CTX *library; /* owned */
    OSSL_PROVIDER *provider;
    struct peer_link link; /* to the signer; a new one is sent all requests that
                              have no answer yet */
    uint64_t last_id;
    struct list unsent, sent; /* in order: the next, and the oldest, first */
    uint64_t round;           /* of the last one sent */
    unsigned unanswered;      /* requests that the signer has */
};

/* Before the process is confined: loads all of OpenSSL that handshakes need. 0
   or a negative errno. */
MUST_CHECK int signing_init(struct signing *signing, struct loop *loop);
/* No handshake waits, and every key and SSL_CTX has been freed. */
void signing_fini(struct signing *signing);

/* A key whose public half is that of `certificate`; NULL where it is of a kind
   that the signer does not serve, or without memory. The caller's, to free by
   EVP_PKEY_free. */
EVP_PKEY *signing_key(struct signing *signing, X509 *certificate);

/* The handshake goes no further: if it waits for a signature, that fails now,
   and nothing is written to the peer. No callback comes. */
void signing_abandon(struct signing *signing, SSL *ssl);

#endif
