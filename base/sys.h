#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/must_check.h"
#include "base/netset.h"

/*
 * The kernel, as a worker sees it: every system call of the loop and of
 * everything below a session, one function each, on one page. The gateway
 * is linked with sys.c; the scenario tests with a simulation of the same
 * functions, so that clock and network are theirs.
 *
 * All sockets are non-blocking and close-on-exec. EINTR is retried here and
 * never seen. Failure is a negative errno.
 */

/* CLOCK_MONOTONIC, microseconds. */
uint64_t sys_now_us(void);
/* CLOCK_REALTIME, milliseconds since 1970; for records only. */
uint64_t sys_wall_ms(void);

MUST_CHECK int sys_poll_open(void);
MUST_CHECK int sys_poll_add(int poller, int fd, uint32_t events, void *tag);
int sys_poll_del(int poller, int fd);
/* The number of events; 0 at the time-out or when interrupted. */
MUST_CHECK int sys_poll_wait(int poller, struct epoll_event *events, int room,
                             int wait_ms);

/*
 * A connection from the queue of `listener`. TCP_NODELAY, SO_KEEPALIVE and
 * SO_OOBINLINE come from the listener (see sys_listen).
 */
MUST_CHECK int sys_accept(int listener, struct endpoint *peer);

/* How many connections wait in its queue, or a negative errno. An accept that
   finds none costs ten times as much: the kernel makes its socket first. */
MUST_CHECK int sys_waiting(int listener);

/* A listening socket with what its connections inherit. */
MUST_CHECK int sys_listen(const struct endpoint *at, int backlog);
/* One that somebody else has opened, made such a socket. */
MUST_CHECK int sys_adopt(int listener);

/*
 * The same on the first port of first..last that is free, beginning at
 * `from` and going round; 0..0: whichever the kernel picks. `at` becomes
 * what it listens on. Where `sources` is not NULL, a SYN from any other
 * address is dropped before it becomes a connection (IPv4; as far as the
 * kernel takes the filter), and sys_unfilter must be called on what is
 * accepted. -EADDRINUSE: no port is free.
 */
MUST_CHECK int sys_listen_within(struct endpoint *at, uint16_t first,
                                 uint16_t last, uint16_t from,
                                 const struct netset *sources);
int sys_unfilter(int fd);

/* The address this machine would use towards `to`. Sends nothing. */
MUST_CHECK int sys_route(struct addr to, struct addr *local);

/* A socket for sys_connect, with the same options; `v4` or IPv6. */
MUST_CHECK int sys_tcp(bool v4);
/* A source address without a port (IP_BIND_ADDRESS_NO_PORT). */
MUST_CHECK int sys_bind_source(int fd, struct addr source);
/* 0 connected, -EINPROGRESS, or why not. */
MUST_CHECK int sys_connect(int fd, const struct endpoint *to);
/* SO_ERROR as a negative errno, and cleared; 0 where there is none. */
MUST_CHECK int sys_error(int fd);
MUST_CHECK int sys_local(int fd, struct endpoint *local);

/* Whether this machine would let us bind to `addr`: is it one of ours? */
bool sys_is_local(struct addr addr);

/* Octets moved; 0 is end of stream; -EAGAIN. */
MUST_CHECK ssize_t sys_recv(int fd, void *octets, size_t room);
MUST_CHECK ssize_t sys_send(int fd, const void *octets, size_t count);
/* One octet, urgent. */
MUST_CHECK ssize_t sys_send_urgent(int fd, uint8_t octet);
/* 1 if the next octet to be read is the urgent one, 0 if not. */
MUST_CHECK int sys_at_mark(int fd);
/* Octets sent that the peer's kernel has not acknowledged, or a negative
   errno. */
MUST_CHECK int sys_unacked(int fd);

/* FIN. */
int sys_shutdown(int fd);
/* An orderly close; then one that is a reset (SO_LINGER 0). */
void sys_close(int fd);
void sys_reset(int fd);

/* A pipe of about `size` octets. Fills ends[0] (read), ends[1] (write). */
MUST_CHECK int sys_pipe(int ends[2], int size);
/* Between a socket and a pipe, never SPLICE_F_MORE. As sys_recv, but 0 and
   -EAGAIN say little: see relay.c. */
MUST_CHECK ssize_t sys_splice(int from, int to, size_t count);

#endif
