#ifndef BASE_PORT_SEARCH_H
#define BASE_PORT_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The order in which ports of a range are tried; nobody without the seed knows
 * which is next. Of a small range each port comes once, from a random place by
 * a random step. Of a large one so many are drawn at random that a free one is
 * found where a few in a hundred are free, and that a search costs little when
 * nearly all are taken.
 */
#define PORT_SEARCH_TRIES 256

struct port_search {
    uint64_t random;
    uint16_t first;
    uint32_t count; /* ports of the range */
    uint32_t step;  /* without a common factor with count; 0: drawn at random */
    uint32_t at;
    uint32_t left;
};

void port_search_start(struct port_search *search, uint16_t first,
                       uint16_t last, uint64_t seed);
/* False: that was all. */
bool port_search_next(struct port_search *search, uint16_t *port);

#endif
