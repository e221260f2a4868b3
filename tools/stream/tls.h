#ifndef TOOLS_STREAM_TLS_H
#define TOOLS_STREAM_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/stream/stream.h"

/*
 * TLS 1.3 and 1.2 with OpenSSL; no other file of the tools knows it. Its
 * streams are non-blocking. Ignore SIGPIPE: OpenSSL writes with write(2).
 */

/* What the user asks for. */
struct tls_options {
    bool on;
    const char *ca;          /* a file; NULL: the system's authorities */
    const char *certificate; /* files, both or none */
    const char *key;
    const char *server_name; /* NULL: the host that is connected to */
};

#define TLS_FAULT_MAX 400

/* A sentence that says what is wrong. */
struct tls_fault {
    char text[TLS_FAULT_MAX];
};

/* The settings and keys for any number of connections, in any threads. */
struct tls_context;

/* 0; -EINVAL and the fault: a file is missing or wrong. */
int tls_context_open(struct tls_context **context,
                     const struct tls_options *options,
                     struct tls_fault *fault);
/* For a server: presents `certificate`. */
int tls_context_open_server(struct tls_context **context,
                            const struct tls_options *options,
                            struct tls_fault *fault);
void tls_context_free(struct tls_context *context);

/*
 * Makes the handshake over stream->fd, which is connected, as the context's
 * side; waits until `deadline_ms` (socks4_dial_deadline). A client checks that
 * the peer has a certificate for `host`, a name or an address, or for the name
 * of the options. 0: stream->tls is set. -ETIMEDOUT; another negative errno;
 * -EBADMSG and the fault. The caller keeps the stream.
 */
int tls_start(struct stream *stream, const struct tls_context *context,
              const char *host, uint64_t deadline_ms, struct tls_fault *fault);

/* --- For stream.c --- */

ssize_t tls_read(struct tls *tls, void *octets, size_t count);
ssize_t tls_write(struct tls *tls, const void *octets, size_t count);
int tls_finish(struct tls *tls);
short tls_read_events(const struct tls *tls);
short tls_write_events(const struct tls *tls);
short tls_last_events(const struct tls *tls);
bool tls_is_pending(const struct tls *tls);
/* Sends close_notify if it was not sent. False: octets were never read. */
bool tls_end(struct tls *tls);
const char *tls_fault(const struct tls *tls);
/* Whether the peer has ended because we have no certificate. */
bool tls_wants_certificate(const struct tls *tls);
void tls_free(struct tls *tls);

#endif
