#ifndef BENCH_ARGUMENT_H
#define BENCH_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Arguments of command lines; false: malformed or out of range. */

bool argument_number(const char *text, uint64_t least, uint64_t most,
                     uint64_t *number);
bool argument_port(const char *text, uint16_t *port);
bool argument_ip(const char *text, uint32_t *ip); /* host order */

/* ADDR:PORT. */
bool argument_endpoint(const char *text, uint32_t *ip, uint16_t *port);

/*
 * A range of addresses, used in turn: the kernel counts ports and TIME_WAIT per
 * pair of addresses, and no pair may run out of ports. count 0: no address.
 */
struct spread {
    uint32_t first; /* host order */
    unsigned count;
};

uint32_t spread_at(const struct spread *spread, uint64_t number);

/* ADDR/COUNT. */
bool argument_spread(const char *text, struct spread *spread);

#endif
