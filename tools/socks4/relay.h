#ifndef TOOLS_SOCKS4_RELAY_H
#define TOOLS_SOCKS4_RELAY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Standard input and output on one side, a connection on the other, until
 * both directions have ended. The end of one is passed on when everything
 * before it is, and the other lives on.
 *
 * Standard input and output may be anything and are left in the mode they
 * are in: they are read and written only when that cannot block.
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
    struct relay_half up, down; /* to the peer, from the peer */
};

/* 0: both ended in order. Otherwise why it broke off: a negative errno, and
 *where, static, names the side. The connection stays the caller's. */
int relay_run(struct relay *relay, int fd, const char **where);

#endif
