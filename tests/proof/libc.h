/*
 * What the proofs assume of the C library, with octets in place of `void`:
 * Frama-C's own contracts compare octets as signed chars.
 */
#ifndef PROOF_LIBC_H
#define PROOF_LIBC_H

#include "tests/proof/chars.h"

#define memchr proof_memchr
#define memcpy proof_memcpy

/*@ requires \valid_read(at + (0 .. count - 1));
  @ requires 0 <= octet <= 255;
  @ assigns \result \from at, indirect:at[0 .. count - 1], octet, count;
  @ ensures absent: \result == \null ==>
  @   \forall integer i; 0 <= i < count ==> at[i] != octet;
  @ ensures found: \result != \null ==>
  @   \exists integer i; 0 <= i < count && \result == at + i &&
  @     at[i] == octet &&
  @     \forall integer j; 0 <= j < i ==> at[j] != octet;
  @*/
const uint8_t *memchr(const uint8_t *at, int octet, size_t count);

/*@ requires \valid(to + (0 .. count - 1));
  @ requires \valid_read(from + (0 .. count - 1));
  @ requires \separated(to + (0 .. count - 1), from + (0 .. count - 1));
  @ assigns to[0 .. count - 1] \from from[0 .. count - 1];
  @ assigns \result \from to;
  @ ensures \forall integer i; 0 <= i < count ==> to[i] == from[i];
  @ ensures \result == to;
  @*/
uint8_t *memcpy(uint8_t *to, const uint8_t *from, size_t count);

#endif
