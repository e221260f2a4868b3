#include "gateway/confine/ports.h"

#include <string.h>

static size_t
ports_size(const struct ports *ports)
{
    size_t size = 0;
    for (size_t i = 0; i < ports->count; i++)
        size += (size_t)(ports->ranges[i].last - ports->ranges[i].first) + 1;
    return size;
}

/* Ranges that meet or touch the new one are merged with it. */
void
ports_add(struct ports *ports, uint16_t first, uint16_t last)
{
    size_t before = 0, merged = 0;
    struct ports_range *at = ports->ranges, range = {first, last};

    if (ports->all)
        return;
    while (before < ports->count && at[before].last + 1 < first)
        before++;
    for (; before + merged < ports->count &&
           at[before + merged].first <= last + 1;
         merged++) {
        const struct ports_range *old = &at[before + merged];
        range.first = old->first < range.first ? old->first : range.first;
        range.last = old->last > range.last ? old->last : range.last;
    }
    if (merged == 0 && ports->count == PORTS_RANGES_MAX) {
        ports->all = true;
        return;
    }
    memmove(&at[before + 1], &at[before + merged],
            (ports->count - before - merged) * sizeof(*at));
    at[before] = range;
    ports->count = ports->count - merged + 1;
    ports->all = ports_size(ports) > PORTS_MAX;
}

static bool
ports_cover_range(const struct ports *outer, const struct ports_range *range)
{
    for (size_t i = 0; i < outer->count; i++)
        if (outer->ranges[i].first <= range->first &&
            range->last <= outer->ranges[i].last)
            return true;
    return false;
}

bool
ports_cover(const struct ports *outer, const struct ports *inner)
{
    if (outer->all || inner->all)
        return outer->all;
    for (size_t i = 0; i < inner->count; i++)
        if (!ports_cover_range(outer, &inner->ranges[i]))
            return false;
    return true;
}
