#ifndef SOCKS4_DIAL_H
#define SOCKS4_DIAL_H

/*
 * The client of client.h with sockets: blocking CONNECT and BIND through one
 * gateway or a chain of gateways, with one deadline, and cancellable by
 * another thread or a signal handler.
 *
 *     int
 *     session_dial(const struct sockaddr_in *gateway, uint32_t ip,
 *                  uint16_t port, struct socks4_dialled *dialled)
 *     {
 *         struct socks4_request request = {.command = SOCKS4_CONNECT,
 *                                          .dstip = ip,
 *                                          .dstport = port};
 *         struct socks4_dial dial = {
 *             .gateway = (const struct sockaddr *)gateway,
 *             .gateway_len = sizeof *gateway,
 *             .deadline_ms = socks4_dial_deadline(30000),
 *             .cancel = -1};
 *
 *         return socks4_dial_open(&dial, &request, 1, dialled);
 *     }
 *
 * It returns
 *
 *     0          dialled->fd is the connection; the caller closes it
 *     91..93     a gateway refused
 *     -EPROTO    dialled->client.error says what a gateway did wrong
 *     otherwise  a negative errno: -ETIMEDOUT, -ECANCELED, -ECONNREFUSED...
 *
 * A chain of gateways is an array of requests. Each but the last is a
 * CONNECT that asks the gateway reached so far for the next gateway; the
 * last one asks the last gateway for the destination. Each request has its
 * own userid, and a domain if that gateway is to resolve the name (4A).
 * dialled->hop is the index of the request that failed.
 *
 * The connection to the first gateway can be a stream of the caller's instead
 * of a socket: TLS, for one (examples/tls.c). The caller opens it, gives two
 * functions that move octets over it, and keeps it: see struct socks4_stream.
 *
 * The functions resolve no names, log nothing, allocate nothing, have no
 * global state, and neither raise nor catch a signal. Any number of threads
 * may call them. They read the reply and no octet behind it: the caller
 * reads what the application's peer sends from the descriptor.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <socks4/client.h>
#include <socks4/v5_client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest request that can be sent: a userid of about 1780 octets and
   the longest name. */
#define SOCKS4_DIAL_REQUEST_MAX 2048

/* How to dial. The caller owns it; it is used during a call only. */
struct socks4_dial {
    const struct sockaddr *gateway; /* the first one; IPv4 or IPv6 */
    socklen_t gateway_len;
    uint64_t deadline_ms; /* see socks4_dial_deadline; 0: none */
    int cancel;           /* a descriptor: readable cancels; -1: none. 0 would
                             be standard input, so set it */
    int lenient;          /* see client.h */
};

/*
 * A stream of the caller's that is open: a TLS connection after its
 * handshake, a channel of SSH. The caller owns it and all that it points to;
 * it is used during a call only.
 *
 * `read` and `write` move at most `count` octets (never 0) without waiting.
 * They return how many they moved; `read` returns 0 at the end of the stream,
 * in order. Otherwise they return a negative errno:
 *
 *   -EAGAIN   not ready: the call is repeated when `fd` is ready for the
 *             events that `events` then returns (POLLIN, POLLOUT or both), or
 *             has failed. TLS may have to write in order to read.
 *   -EINTR    the call is repeated at once
 *   -EPIPE, -ECONNRESET
 *             from `write`: the peer reads no more. Its reply is still read.
 *   other     ends the dial, which returns it. A stream whose end is not in
 *             order (TLS without close_notify) must return an errno, not 0.
 *
 * They are never asked for an octet behind a reply.
 */
struct socks4_stream {
    void *context; /* given to the functions */
    int fd;        /* for poll(2) only */
    ssize_t (*read)(void *context, void *octets, size_t count);
    ssize_t (*write)(void *context, const void *octets, size_t count);
    short (*events)(void *context); /* NULL: POLLIN to read, POLLOUT to write */
};

/* The result. */
struct socks4_dialled {
    int fd;                      /* -1 unless the call returned 0 */
    size_t hop;                  /* index of the last request that was sent */
    struct socks4_client client; /* of that request */
};

/* Returns the deadline `ms` milliseconds from now, on CLOCK_MONOTONIC. */
uint64_t socks4_dial_deadline(uint64_t ms);

/*
 * Connects to dial->gateway and sends the `count` requests, each through the
 * connection that the one before it opened. With count 0 it opens a plain
 * connection. Returns
 *
 *   0        CONNECT: dialled->fd is connected. BIND: the gateway listens;
 *            tell the peer dialled->client.bound_ip and bound_port, then
 *            call socks4_dial_accept. The descriptor is blocking and
 *            close-on-exec.
 *   91..93   refused [V4-D.3-1]; dialled->client.reply is the reply
 *   -EPROTO  dialled->client.error: no reply, a short reply, or not a
 *            reply of SOCKS 4
 *   -EINVAL  a request cannot be sent (dialled->client.error says why), or
 *            one before the last is not a CONNECT
 *   -ETIMEDOUT, -ECANCELED, or the errno of connect, send or recv
 *
 * A DSTIP of 0 in a BIND's reply is replaced by the last gateway's address
 * [V4-4.2-7], if that is an IPv4 address and known here.
 */
int socks4_dial_open(const struct socks4_dial *dial,
                     const struct socks4_request *requests, size_t count,
                     struct socks4_dialled *dialled);

/*
 * As socks4_dial_open, over a descriptor of the caller: a stream socket that
 * is connected or connecting to dial->gateway. Its O_NONBLOCK flag does not
 * matter and is not changed. If the call fails, the caller closes the
 * descriptor; dialled->fd is then -1.
 */
int socks4_dial_over(int fd, const struct socks4_dial *dial,
                     const struct socks4_request *requests, size_t count,
                     struct socks4_dialled *dialled);

/*
 * As socks4_dial_open, over a stream of the caller's that leads to
 * dial->gateway. That address is used only as the one that replaces a DSTIP
 * of 0; NULL: it is not known. dialled->fd stays -1: after 0 the caller goes
 * on with its stream, and whatever is returned, the caller closes it. A
 * negative errno may be one of the stream's functions.
 */
int socks4_dial_over_stream(const struct socks4_stream *stream,
                            const struct socks4_dial *dial,
                            const struct socks4_request *requests, size_t count,
                            struct socks4_dialled *dialled);

/*
 * Waits for the second reply, after a BIND for which socks4_dial_open
 * returned 0. Returns 0: dialled->fd is the connection with the peer that
 * dialled->client.reply names [V4-4.3-8]. -EINVAL, and nothing is done, if
 * the client does not wait for a peer. Otherwise as socks4_dial_open, and
 * dialled->fd is closed.
 */
int socks4_dial_accept(const struct socks4_dial *dial,
                       struct socks4_dialled *dialled);

/* The same after socks4_dial_over_stream; the caller keeps the stream. */
int socks4_dial_accept_stream(const struct socks4_stream *stream,
                              const struct socks4_dial *dial,
                              struct socks4_dialled *dialled);

/*
 * One request of version 5, over a descriptor of the caller's as with
 * socks4_dial_over: one that socks4_dial_open with count 0 has opened, or that
 * another request, of version 4 or 5, has led to the next gateway.
 * dial->gateway is not used. `login` may be NULL; see v5_client.h. Returns
 *
 *   0        CONNECT: the descriptor is connected. BIND: the server listens;
 *            tell the peer client->bound, then call socks4_v5_dial_accept.
 *            UDP ASSOCIATE: send datagrams to client->bound.
 *   1..255   refused, with that REP
 *   -EACCES  client->error: no method is acceptable, or the login is refused
 *   -EPROTO  client->error: no reply, a short reply, or not one of SOCKS 5
 *   -EINVAL  client->error: the request or the login cannot be sent
 *   -ETIMEDOUT, -ECANCELED, or the errno of connect, send or recv; of those,
 *            -EACCES only with a client->error of 0
 *
 * The caller closes the descriptor in any case. The octets of the login that
 * were in `client` are wiped.
 */
int socks4_v5_dial_over(int fd, const struct socks4_dial *dial,
                        const struct socks4_v5_request *request,
                        const struct socks4_v5_password *login,
                        struct socks4_v5_client *client);

/* The same over a stream of the caller's. */
int socks4_v5_dial_over_stream(const struct socks4_stream *stream,
                               const struct socks4_dial *dial,
                               const struct socks4_v5_request *request,
                               const struct socks4_v5_password *login,
                               struct socks4_v5_client *client);

/* Waits for the second reply, after a BIND for which one of these returned 0:
   client->bound is the peer. -EINVAL, and nothing is done, if the client does
   not wait for a peer. Otherwise as socks4_v5_dial_over. */
int socks4_v5_dial_accept(int fd, const struct socks4_dial *dial,
                          struct socks4_v5_client *client);
int socks4_v5_dial_accept_stream(const struct socks4_stream *stream,
                                 const struct socks4_dial *dial,
                                 struct socks4_v5_client *client);

#ifdef __cplusplus
}
#endif

#endif
