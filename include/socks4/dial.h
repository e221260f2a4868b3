#ifndef SOCKS4_DIAL_H
#define SOCKS4_DIAL_H

/*
 * The client of client.h with the moving done: blocking CONNECT and BIND
 * through one gateway or a chain of them, under one deadline, and to be
 * cancelled from outside.
 *
 *     struct sockaddr_in gateway = ...;
 *     struct socks4_request request = {.command = SOCKS4_CONNECT,
 *                                      .dstip = 0xc0000250,
 *                                      .dstport = 80};
 *     struct socks4_dial dial = {.gateway = (struct sockaddr *)&gateway,
 *                                .gateway_len = sizeof gateway,
 *                                .deadline_ms = socks4_dial_deadline(30000),
 *                                .cancel = -1};
 *     struct socks4_dialled dialled;
 *     int result = socks4_dial_open(&dial, &request, 1, &dialled);
 *
 *     result == 0    dialled.fd is the connection; it is the caller's
 *     result > 0     91, 92 or 93: a gateway refused
 *     -EPROTO        dialled.client.error says what a gateway did wrong
 *     otherwise      a negative errno: ETIMEDOUT, ECANCELED, ECONNREFUSED...
 *
 * A chain is as many requests: each but the last is a CONNECT that asks the
 * gateway reached so far for the next gateway; the last is what is wanted
 * of the last one. Each has its own userid, and a domain where that gateway
 * is to resolve the name (4A). dialled.hop says which one did not work.
 *
 * Nothing is resolved, logged, allocated or kept; no globals; no signal is
 * raised or caught. Any number of threads. The answer is read to its last
 * octet and not beyond: what the application's peer says first is read from
 * the descriptor.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <socks4/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest request that is sent: a userid of some 1780 octets and the
   longest name. */
#define SOCKS4_DIAL_REQUEST_MAX 2048

/* How. The caller owns it all; it is looked at during a call only. */
struct socks4_dial {
    const struct sockaddr *gateway; /* IPv4 or IPv6; the first one's */
    socklen_t gateway_len;
    uint64_t deadline_ms; /* see socks4_dial_deadline; 0: none */
    int cancel;           /* -1, or a descriptor: readable means stop */
    int lenient;          /* see client.h */
};

/* What came of it. */
struct socks4_dialled {
    int fd;                      /* -1 unless the call returned 0 */
    size_t hop;                  /* the request that was under way last */
    struct socks4_client client; /* as that request left it */
};

/* The deadline so many milliseconds from now, on CLOCK_MONOTONIC. */
uint64_t socks4_dial_deadline(uint64_t ms);

/*
 * Connects to dial->gateway and makes the `count` requests, one through the
 * other. With no request it is a plain connection. Returns
 *
 *   0        CONNECT: dialled->fd stands. BIND: the gateway listens;
 *            dialled->client.bound_ip and bound_port are for the peer, and
 *            socks4_dial_accept waits for it. The descriptor is blocking
 *            and closed on exec.
 *   91..93   refused [V4-D.3-1]; dialled->client.reply is the reply
 *   -EPROTO  dialled->client.error: no reply, a short one, or not one of
 *            SOCKS 4
 *   -EINVAL  a request cannot be sent (dialled->client.error says why), or
 *            one before the last is not a CONNECT
 *   -ETIMEDOUT, -ECANCELED, or why connecting or sending failed
 *
 * A DSTIP of 0 in a BIND's reply is replaced by the last gateway's address
 * [V4-4.2-7], where that is an IPv4 address and known here.
 */
int socks4_dial_open(const struct socks4_dial *dial,
                     const struct socks4_request *requests, size_t count,
                     struct socks4_dialled *dialled);

/*
 * The same over a descriptor of the caller's: a stream socket that stands
 * or is connecting to dial->gateway. Blocking or not, it is left as it was.
 * It stays the caller's to close when this fails; dialled->fd is then -1.
 */
int socks4_dial_over(int fd, const struct socks4_dial *dial,
                     const struct socks4_request *requests, size_t count,
                     struct socks4_dialled *dialled);

/*
 * After a BIND that returned 0: waits for the second reply. 0: dialled->fd
 * is the connection with the peer that dialled->client.reply names
 * [V4-4.3-8]. Otherwise as socks4_dial_open, and dialled->fd is closed; -EINVAL,
 * with nothing done, where no peer is awaited.
 */
int socks4_dial_accept(const struct socks4_dial *dial,
                       struct socks4_dialled *dialled);

#ifdef __cplusplus
}
#endif

#endif
