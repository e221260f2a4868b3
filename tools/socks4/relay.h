#ifndef TOOLS_SOCKS4_RELAY_H
#define TOOLS_SOCKS4_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Relays between standard input and output and a connection until both
 * directions have ended. The end of one direction is passed on behind its
 * last octet; the other direction continues.
 *
 * Standard input and output may be any kind of file. Their O_NONBLOCK flag is
 * not changed: the relay reads and writes only when that cannot block.
 */

enum { RELAY_ROOM = 16384 };

struct relay_half {
    int from, to;
    size_t at, have; /* octets of the buffer not yet written */
    uint64_t moved;
    enum { HALF_OPEN, HALF_ENDED, HALF_DONE } state;
    uint8_t buffer[RELAY_ROOM];
};

struct relay {
    int fd;
    bool no_shutdown; /* set by the caller: the end of standard input is not
                         passed on */
    struct relay_half up, down; /* to the peer, from the peer */
};

/* 0: both directions ended in order. Otherwise a negative errno, and *where,
   static, names the side that failed. The caller closes the connection. */
int relay_run(struct relay *relay, int fd, const char **where);

#endif
