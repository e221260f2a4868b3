#ifndef LIB_OCTETS_H
#define LIB_OCTETS_H

#include <stdint.h>

/* Numbers in network byte order; no other file converts them [V4-3.1-4,
   V4-3.1-5]. */

static inline uint16_t
octets_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] * 0x100 + at[1]);
}

static inline uint32_t
octets_get32(const uint8_t *at)
{
    return octets_get16(at) * 0x10000u + octets_get16(at + 2);
}

static inline void
octets_put16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)(number / 0x100);
    at[1] = (uint8_t)(number % 0x100);
}

static inline void
octets_put32(uint8_t *at, uint32_t number)
{
    octets_put16(at, (uint16_t)(number / 0x10000));
    octets_put16(at + 2, (uint16_t)(number % 0x10000));
}

#endif
