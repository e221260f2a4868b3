#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is sent: an endless stream in which an octet depends on its position
 * and on the session's seed, so that a lost, doubled, moved or foreign piece
 * shows. It repeats after a prime number of octets and lies ready in memory:
 * sending costs nothing, checking one memcmp.
 */

/* The most octets that may be taken at once. */
#define PATTERN_CHUNK ((size_t)128 * 1024)

/* Once, before anything else. */
void pattern_init(void);

/* The stream of `seed` from `position` on, PATTERN_CHUNK octets of it. */
const uint8_t *pattern_at(uint64_t seed, uint64_t position);

/* Whether these octets are the ones; count <= PATTERN_CHUNK. */
bool pattern_is(uint64_t seed, uint64_t position, const uint8_t *octets,
                size_t count);

#endif
