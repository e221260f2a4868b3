#ifndef GATEWAY_WORKER_FOOTPRINT_H
#define GATEWAY_WORKER_FOOTPRINT_H

#include <stdio.h>

#include "gateway/config/config.h"

/*
 * What a session takes, for each thing it can be waiting for. The parts are
 * the sizes of what is allocated, so that the formula cannot go stale.
 */
enum footprint_state {
    FOOTPRINT_UNFINISHED, /* its request is not there yet */
    FOOTPRINT_CONNECT,    /* the application server has not answered */
    FOOTPRINT_BIND,       /* the peer is not there */
    FOOTPRINT_RELAY,      /* nothing moves, or what moves is taken at once */
    FOOTPRINT_STALLED,    /* neither side takes what the other sends */
    FOOTPRINT_COUNT
};

struct footprint {
    const char *name;
    unsigned connections; /* of the kernel's */
    size_t least;         /* octets of ours */
    size_t most;          /* the same, with the longest USERID and so on */
};

struct footprint footprint_of(const struct config *config,
                              enum footprint_state state);

/* As comments: the budget of the descriptors, and these. */
void footprint_print(const struct config *config, FILE *to);

#endif
