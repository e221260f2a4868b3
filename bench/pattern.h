#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The octets that are sent: an endless stream in which each octet depends on
 * its position and on the session's seed, so that a lost, repeated or moved
 * octet, or one of another session, is noticed. The stream repeats after a
 * prime number of octets and is kept in memory: sending needs no computation,
 * checking is one memcmp.
 */

/* The most octets that one call returns or checks. */
#define PATTERN_CHUNK ((size_t)128 * 1024)

/* Call once, first. */
void pattern_init(void);

/* PATTERN_CHUNK octets of the stream of `seed`, from `position` on. */
const uint8_t *pattern_at(uint64_t seed, uint64_t position);

/* Whether the octets are those of the stream; count <= PATTERN_CHUNK. */
bool pattern_is(uint64_t seed, uint64_t position, const uint8_t *octets,
                size_t count);

#endif
