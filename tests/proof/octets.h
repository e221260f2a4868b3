#include "tests/proof/chars.h"

#include "lib/octets.h"

/*@ logic integer number16(uint8_t *at) = at[0] * 0x100 + at[1];
  @ logic integer number32(uint8_t *at) =
  @   number16(at) * 0x10000 + number16(at + 2);
  @*/

/*@ requires \valid_read(at + (0 .. 1));
  @ assigns \nothing;
  @ ensures \result == number16(at);
  @*/
static inline uint16_t octets_get16(const uint8_t *at);

/*@ requires \valid_read(at + (0 .. 3));
  @ assigns \nothing;
  @ ensures \result == number32(at);
  @*/
static inline uint32_t octets_get32(const uint8_t *at);

/*@ requires \valid(at + (0 .. 1));
  @ assigns at[0 .. 1];
  @ ensures number16(at) == number;
  @*/
static inline void octets_put16(uint8_t *at, uint16_t number);

/*@ requires \valid(at + (0 .. 3));
  @ assigns at[0 .. 3];
  @ ensures number32(at) == number;
  @*/
static inline void octets_put32(uint8_t *at, uint32_t number);
