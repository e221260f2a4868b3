#include "base/port_search.h"

static uint32_t
port_search_gcd(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* SplitMix64. */
static uint64_t
port_search_draw(struct port_search *search)
{
    uint64_t z = search->random += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void
port_search_start(struct port_search *search, uint16_t first, uint16_t last,
                  uint64_t seed)
{
    uint32_t count = (uint32_t)last - first + 1;

    search->random = seed;
    search->first = first;
    search->count = count;
    search->at = (uint32_t)seed % count;
    search->step = 0;
    search->left = PORT_SEARCH_TRIES;
    if (count > PORT_SEARCH_TRIES)
        return;
    search->left = count;
    search->step = (uint32_t)(seed >> 32) % count;
    while (port_search_gcd(search->step, count) != 1)
        search->step++;
}

bool
port_search_next(struct port_search *search, uint16_t *port)
{
    if (search->left == 0)
        return false;
    search->left--;
    *port = (uint16_t)(search->first + search->at);
    if (search->step != 0)
        search->at = (search->at + search->step) % search->count;
    else
        search->at = (uint32_t)port_search_draw(search) % search->count;
    return true;
}
