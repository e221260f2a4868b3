#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stdint.h>

/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012) of eight octets, given as one
 * little-endian word. Without the key nobody can choose words whose hashes
 * collide.
 */
uint64_t siphash(const uint64_t key[2], uint64_t word);

#endif
