#ifndef GATEWAY_CONFINE_PORTS_H
#define GATEWAY_CONFINE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The TCP ports that a role may use, for landlock, which allows them one by
 * one. A set that would take more ranges or ports than these has every port
 * instead.
 */
#define PORTS_RANGES_MAX 64
#define PORTS_MAX 16384

struct ports {
    bool all;
    size_t count;
    struct ports_range {
        uint16_t first, last;
    } ranges[PORTS_RANGES_MAX]; /* in order; they neither meet nor touch */
};

/* Adds first to last. */
void ports_add(struct ports *ports, uint16_t first, uint16_t last);

/* Whether every port of `inner` is one of `outer`. */
bool ports_cover(const struct ports *outer, const struct ports *inner);

/* What a process may do with TCP. */
struct confine_tcp {
    struct ports bind; /* 0: a port that the kernel chooses */
    struct ports connect;
};

#endif
