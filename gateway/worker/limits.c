#include "gateway/worker/limits.h"

#include <errno.h>
#include <stdbool.h>

/* Places a source may stand in, from where its hash points. */
#define PROBES 8

/* Never 0, which marks a free place. */
static uint64_t
source_key(struct addr source)
{
    uint64_t key =
        addr_is_v4(source) ? 0xffff00000000u | addr_to_v4(source) : source.hi;
    return key != 0 ? key : 1;
}

/* Keyed, so that nobody can choose sources that collide. */
static uint64_t
source_hash(const struct segment *segment, uint64_t key)
{
    uint64_t hash = key ^ segment->secret[0];
    for (int i = 0; i < 3; i++) {
        hash ^= hash >> 32;
        hash *= 0xd6e8feb86659fd93u;
        hash ^= segment->secret[1];
    }
    return hash ^ hash >> 32;
}

static uint64_t
source_binds(struct segment *segment, struct segment_source *source)
{
    uint32_t slots = atomic_load(&segment->slots);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < slots && i < SEGMENT_SLOTS; i++)
        sum += atomic_load_explicit(&source->binds[i], memory_order_relaxed);
    return sum;
}

/* Its place, or one that nobody uses now, or NULL. A place that is charged
   is never given away. */
static struct segment_source *
source_find(struct segment *segment, uint64_t key)
{
    uint64_t at = source_hash(segment, key);

    for (int i = 0; i < PROBES; i++) {
        struct segment_source *source =
            &segment->sources[(at + (uint64_t)i) % SEGMENT_SOURCES];
        if (atomic_load(&source->key) == key)
            return source;
    }
    for (int i = 0; i < PROBES; i++) {
        struct segment_source *source =
            &segment->sources[(at + (uint64_t)i) % SEGMENT_SOURCES];
        uint64_t old = atomic_load(&source->key);
        if (source_binds(segment, source) == 0 &&
            (atomic_compare_exchange_strong(&source->key, &old, key) ||
             old == key))
            return source;
    }
    return NULL;
}

int
limits_take_bind(struct segment *segment, unsigned slot, struct addr addr,
                 uint64_t max)
{
    struct segment_source *source = source_find(segment, source_key(addr));

    if (source == NULL)
        return -ENOSPC;
    if (source_binds(segment, source) >= max)
        return -EDQUOT; /* before the charge, which has but 16 bits */
    atomic_fetch_add(&source->binds[slot], 1);
    if (source_binds(segment, source) <= max)
        return (int)(source - segment->sources);
    atomic_fetch_sub(&source->binds[slot], 1);
    return -EDQUOT;
}

void
limits_give_bind(struct segment *segment, unsigned slot, int where)
{
    atomic_fetch_sub(&segment->sources[where].binds[slot], 1);
}
