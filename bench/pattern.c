#include "bench/pattern.h"

#include <string.h>

/* A prime, so that no block size divides the period. */
#define PERIOD 65521

static uint8_t stream[PERIOD + PATTERN_CHUNK];

void
pattern_init(void)
{
    uint64_t state = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < PERIOD; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        stream[i] = (uint8_t)(state >> 32);
    }
    for (size_t i = PERIOD; i < sizeof stream; i++)
        stream[i] = stream[i - PERIOD];
}

const uint8_t *
pattern_at(uint64_t seed, uint64_t position)
{
    /* Seeds next to each other start far apart. */
    return stream + (seed * 7919 + position) % PERIOD;
}

bool
pattern_is(uint64_t seed, uint64_t position, const uint8_t *octets,
           size_t count)
{
    return memcmp(octets, pattern_at(seed, position), count) == 0;
}
