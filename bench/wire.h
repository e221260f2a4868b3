#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/must_check.h"

/*
 * What the octets of a connection go through: the socket alone, or TLS over it.
 * A descriptor is plain until wire_start_tls, and again after wire_forget. The
 * functions are those of sockets: -1 and errno, EAGAIN to wait for an event.
 * EPROTO is TLS's: what came is not TLS, an alert, or an end without
 * close_notify.
 */

/* What clients trust, and their own certificate; NULL: none. False: OpenSSL
   has said why on stderr. */
MUST_CHECK bool wire_use_tls(const char *ca, const char *certificate,
                             const char *key);

/* The client's side, over a socket that connects. -1: no memory. */
MUST_CHECK int wire_start_tls(int fd);
/* The handshake; at once where it is done, or the descriptor plain. */
MUST_CHECK int wire_connect(int fd);

ssize_t wire_recv(int fd, void *octets, size_t room);
ssize_t wire_send(int fd, const void *octets, size_t count);
/* Whether there are octets that no event will announce. */
bool wire_pending(int fd);

/* The end of what is sent: close_notify, and FIN. */
MUST_CHECK int wire_finish(int fd);
/* The first of the octets that a record with `octets` has (`part` of 256), and
   FIN: no end of TLS's. */
void wire_cut(int fd, const void *octets, size_t count, unsigned part);

/* Before it is closed. */
void wire_forget(int fd);

#endif
