#ifndef TOOLS_STREAM_RELAY_H
#define TOOLS_STREAM_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "tools/stream/stream.h"

/*
 * Relays between two ends until both directions have ended. The end of one
 * direction is passed on behind its last octet; the other direction
 * continues. When one end fails, what it had sent before is still passed on;
 * then the relay returns, and it is for the caller to abort the other end.
 *
 * An end is a stream, or standard input and output, which may be any kind of
 * file: their O_NONBLOCK flag is not changed, and the relay reads and writes
 * only when that cannot block.
 */

enum { RELAY_ROOM = 16384 };

struct relay_end {
    struct stream *stream; /* borrowed; NULL: standard input and output */
    const char *name;      /* for messages; static */
    int error;             /* private */
};

struct relay_half {
    struct relay_end *from, *to;
    size_t at, have; /* octets of the buffer not yet written */
    uint64_t moved;
    enum { HALF_OPEN, HALF_ENDED, HALF_DONE } state;
    uint8_t buffer[RELAY_ROOM];
};

struct relay {
    struct relay_end near, far; /* the caller sets stream and name */
    bool no_shutdown;           /* the end of `near` is not passed on */
    struct relay_half up, down; /* to `far`, from `far` */
};

/* 0: both directions ended in order. Otherwise a negative errno (see
   stream.h) of *where, the end that failed. The caller closes the streams. */
int relay_run(struct relay *relay, const struct relay_end **where);

/* Relays between two streams, then closes both; or, if one fails, the other
   one by a reset: the caller closes the one that failed. Returns as
   relay_run. */
int relay_streams(struct relay *relay, const struct relay_end **where);

/* Two ends of a TCP connection over loopback; nobody else can get one. 0 or a
   negative errno. */
int relay_pair(int fds[2]);

/* The same in two steps, for a socket of another process: a listener on a port
   of 127.0.0.1, and the connection that comes from `wanted`; others that come
   are closed. A descriptor or a negative errno. */
int relay_local_listen(struct endpoint *at);
int relay_local_accept(int listener, const struct endpoint *wanted);

#endif
