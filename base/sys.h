#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/must_check.h"

/*
 * The system calls of a worker: one function for each call of the loop and of
 * everything below a session. The gateway is linked with sys.c, the scenario
 * tests with a simulation of the same functions, so that they control clock and
 * network.
 *
 * All sockets are non-blocking and close-on-exec. EINTR is retried here and
 * never returned. Failure is a negative errno.
 */

/* CLOCK_MONOTONIC, microseconds. */
uint64_t sys_now_us(void);
/* Processor time of this thread. */
uint64_t sys_thread_us(void);
/* CLOCK_REALTIME, milliseconds since 1970; for records only. */
uint64_t sys_wall_ms(void);

MUST_CHECK int sys_poll_open(void);
MUST_CHECK int sys_poll_add(int poller, int fd, uint32_t events, void *tag);
MUST_CHECK int sys_poll_change(int poller, int fd, uint32_t events, void *tag);
int sys_poll_del(int poller, int fd);
/* The number of events; 0 at the time-out or when interrupted. */
MUST_CHECK int sys_poll_wait(int poller, struct epoll_event *events, int room,
                             int wait_ms);

/*
 * A connection from the queue of `listener`. TCP_NODELAY, SO_KEEPALIVE and
 * SO_OOBINLINE come from the listener (see sys_listen).
 */
MUST_CHECK int sys_accept(int listener, struct endpoint *peer);

/* How many connections wait in the queue of `listener`, or a negative errno:
   -EINVAL where it does not listen (any more). accept on an empty queue costs
   four times as much or more: the kernel creates the socket first. */
MUST_CHECK int sys_waiting(int listener);

/*
 * When the kernel asks a silent peer whether it is still there: after idle_s,
 * then every interval_s; after `count` questions without an answer the
 * connection is broken. idle_s 0: as the system does (tcp(7)).
 */
struct sys_keepalive {
    int idle_s;
    int interval_s;
    int count;
};

/* Sets it for the connection, or for those that `fd`, a listening socket, will
   accept. 0 or a negative errno. */
int sys_keepalive(int fd, const struct sys_keepalive *keepalive);
/* The same for a connection of sys_tcp, which has no keepalive before: a peer
   that has vanished ends the session from then on. */
int sys_keepalive_start(int fd, const struct sys_keepalive *keepalive);
/* What the system does, for a socket that had another. 0 or a negative errno.
 */
MUST_CHECK int sys_keepalive_default(struct sys_keepalive *keepalive);

/* A listening socket with the options that its connections inherit.
   `freebind`: also where this machine does not have the address yet. */
MUST_CHECK int sys_listen(const struct endpoint *at, int backlog,
                          bool freebind);
/* Sets these options on a listening socket that another process has opened. */
MUST_CHECK int sys_adopt(int listener);

/*
 * A listening socket on a free port of first..last, searched in the order that
 * `seed` gives (port_search.h); 0..0: the kernel picks one. Sets `at` to the
 * local address. -EADDRINUSE: none of the ports that were tried is free.
 */
MUST_CHECK int sys_listen_within(struct endpoint *at, uint16_t first,
                                 uint16_t last, uint64_t seed);

/*
 * A socket for datagrams, bound likewise. It is not connected, so that ICMP
 * errors are no errors of it, and it shares its port with nobody.
 */
MUST_CHECK int sys_datagrams_within(struct endpoint *at, uint16_t first,
                                    uint16_t last, uint64_t seed);

/* A datagram that was received. */
struct sys_datagram {
    uint8_t *octets; /* where it is to be put, with `room' */
    size_t room;
    size_t len;
    bool cut; /* it was longer than that */
    struct endpoint from;
};

#define SYS_DATAGRAMS_MAX 16

/* Receives at most `count', and SYS_DATAGRAMS_MAX, that wait. How many there
   were, or a negative errno; -EAGAIN: none. */
MUST_CHECK int sys_recv_datagrams(int fd, struct sys_datagram *datagrams,
                                  unsigned count);
/* 0 or a negative errno: it was not sent. */
MUST_CHECK int sys_send_datagram(int fd, const struct endpoint *to,
                                 const void *octets, size_t count);

/* The local address this machine would use towards `to`. Sends nothing. */
MUST_CHECK int sys_route(struct addr to, struct addr *local);

/* A socket for sys_connect, with the same options; `v4` or IPv6. */
MUST_CHECK int sys_tcp(bool v4);
/* A source address without a port (IP_BIND_ADDRESS_NO_PORT). */
MUST_CHECK int sys_bind_source(int fd, struct addr source);
/* 0: connected; -EINPROGRESS; or another negative errno. */
MUST_CHECK int sys_connect(int fd, const struct endpoint *to);
/* Reads and clears SO_ERROR: a negative errno, or 0. */
MUST_CHECK int sys_error(int fd);
MUST_CHECK int sys_local(int fd, struct endpoint *local);

/* Whether `addr` is one of this machine: the kernel sends to it from itself, or
   by loopback. */
bool sys_is_local(struct addr addr);
/* Whether the kernel sends what this connection sends, of IPv4 or IPv6, by
   loopback. */
bool sys_is_by_loopback(int fd, bool v4);

/* The number of octets; 0: end of stream; -EAGAIN. */
MUST_CHECK ssize_t sys_recv(int fd, void *octets, size_t room);
/* The same octets, which stay in the socket. */
MUST_CHECK ssize_t sys_peek(int fd, void *octets, size_t room);
MUST_CHECK ssize_t sys_send(int fd, const void *octets, size_t count);
/* Sends one octet as urgent data. */
MUST_CHECK ssize_t sys_send_urgent(int fd, uint8_t octet);
/* 1 if the next octet to be read is the urgent one, else 0. */
MUST_CHECK int sys_at_mark(int fd);
/* Octets sent that the peer's kernel has not acknowledged, or a negative
   errno. */
MUST_CHECK int sys_unacked(int fd);

/* The kernel's memory for a connection: what its queues take now, overhead
   included, and to where they may grow. */
struct sys_memory {
    uint32_t in, in_max;   /* received, and not read yet */
    uint32_t out, out_max; /* written, and not acknowledged yet */
};

/* 0 or a negative errno. */
MUST_CHECK int sys_memory(int fd, struct sys_memory *memory);
/* Bounds a queue, from now on instead of the kernel's own tuning. A bound above
   twice net.core.rmem_max (wmem_max) becomes that. 0 or a negative errno. */
int sys_bound_in(int fd, uint32_t octets);
/* The same of a socket for datagrams, where it has more. */
void sys_lower_in(int fd, uint32_t octets);
int sys_bound_out(int fd, uint32_t octets);

/* Sends FIN. */
int sys_shutdown(int fd);
/* Orderly close; close with a reset. */
void sys_close(int fd);
void sys_reset(int fd);

/* A pipe of about `size` octets: ends[0] to read, ends[1] to write. */
MUST_CHECK int sys_pipe(int ends[2], int size);
/* Between a socket and a pipe, never SPLICE_F_MORE. Like sys_recv, but 0 and
   -EAGAIN are ambiguous: see relay.c. */
MUST_CHECK ssize_t sys_splice(int from, int to, size_t count);
/* From a pipe: octets read, or a negative errno. */
MUST_CHECK ssize_t sys_pipe_read(int from, void *octets, size_t room);

#endif
