#include "gateway/worker/sources.h"

#include <errno.h>

#include "base/siphash.h"

#define SECOND_NS UINT64_C(1000000000)

/* Places a source may stand in, from where its hash points. */
#define PROBES 8

/* Times the place just found may be lost to another worker. */
#define TRIES 4

/* Times it is looked at while another worker changes whose it is, until that
   one counts as dead; and how often it may be another one's turn then. */
#define LOOKS 1000
#define TURNS 8

/* In place of a key while the worker of a slot changes whose the place is: of
   a network of multicast, which is no source. */
#define CHANGING (UINT64_MAX - SEGMENT_SLOTS)

/* Never 0, which marks a free place, and never CHANGING or more. */
static uint64_t
source_key(struct addr source)
{
    uint64_t key =
        addr_is_v4(source) ? 0xffff00000000u | addr_to_v4(source) : source.hi;
    if (key == 0)
        return 1;
    return key < CHANGING ? key : CHANGING - 1;
}

uint64_t
source_hash(const struct segment *segment, struct addr source)
{
    return siphash(segment->secret, source_key(source));
}

struct addr
source_block(struct addr address)
{
    if (!addr_is_v4(address))
        address.lo = 0;
    return address;
}

static _Atomic uint32_t *
sources_charge(struct segment *segment, unsigned slot, int source_index,
               enum segment_charge which)
{
    return &segment->charges[slot][source_index].count[which];
}

uint64_t
sources_sum(struct segment *segment, int source_index,
            enum segment_charge which)
{
    uint32_t slots = atomic_load(&segment->slots);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < slots && i < SEGMENT_SLOTS; i++)
        sum += atomic_load(sources_charge(segment, i, source_index, which));
    return sum;
}

/* ---- Places ---- */

/*
 * When a source's next connection is due. It is never more than a second
 * ahead, and workers' clocks are some milliseconds apart: a time beyond that
 * was written by a worker that was taken over, and counts as now.
 */
static uint64_t
sources_due_ns(uint64_t due_ns, uint64_t now_ns)
{
    return due_ns > now_ns + 2 * SECOND_NS ? now_ns : due_ns;
}

/* Whether the source in this place has no session and is on time: nothing is
   lost when it is forgotten. */
static bool
sources_rests(struct segment *segment, int source_index, uint64_t now_ns)
{
    uint64_t due_ns = atomic_load(&segment->sources[source_index].due_ns);

    return sources_due_ns(due_ns, now_ns) <= now_ns &&
           sources_sum(segment, source_index, SEGMENT_CHARGE_sessions) == 0;
}

/*
 * Gives the place of a source that rests to `wanted`. In between it has the
 * mark of this worker: only this one takes it from there, so that no other can
 * have given the place away and back meanwhile. The former source may enter at
 * the same time: sources_enter looks at the key after its charge, and this
 * function at the charges after the key is gone, so that one of the two sees
 * the other. The mark of a worker that dies in between is replaced as a key is.
 */
static bool
sources_change(struct segment *segment, unsigned slot, int source_index,
               uint64_t old, uint64_t wanted)
{
    _Atomic uint64_t *key = &segment->sources[source_index].key;
    uint64_t mark = CHANGING + slot;
    uint64_t own = mark;

    if (old != mark && !atomic_compare_exchange_strong(key, &old, mark))
        return false;
    if (sources_sum(segment, source_index, SEGMENT_CHARGE_sessions) == 0)
        return atomic_compare_exchange_strong(key, &own, wanted);
    if (old != mark)
        atomic_compare_exchange_strong(key, &own, old);
    return false;
}

/* Whether the place belongs to `wanted` now: another worker may have claimed it
   first, for the same source or for another. Whose it will be is awaited, or
   one source could get two places; but not for ever, since that worker may have
   died. */
static bool
sources_claim(struct segment *segment, unsigned slot, int source_index,
              uint64_t wanted, uint64_t now_ns)
{
    struct segment_source *source = &segment->sources[source_index];

    for (int looks = 1; looks <= LOOKS * TURNS; looks++) {
        uint64_t old = atomic_load(&source->key);
        if (old == wanted)
            return true;
        if (old >= CHANGING && looks % LOOKS != 0)
            continue;
        if (!sources_rests(segment, source_index, now_ns))
            break;
        if (sources_change(segment, slot, source_index, old, wanted))
            atomic_store(&source->refused, 0);
    }
    return atomic_load(&source->key) == wanted;
}

static int
sources_find(struct segment *segment, unsigned slot, uint64_t key,
             uint64_t now_ns)
{
    uint64_t at = siphash(segment->secret, key);

    for (uint64_t i = 0; i < PROBES; i++) {
        int source_index = (int)((at + i) % SEGMENT_SOURCES);
        if (atomic_load(&segment->sources[source_index].key) == key)
            return source_index;
    }
    for (uint64_t i = 0; i < PROBES; i++) {
        int source_index = (int)((at + i) % SEGMENT_SOURCES);
        if (sources_claim(segment, slot, source_index, key, now_ns))
            return source_index;
    }
    return -ENOSPC;
}

/* ---- Charges ---- */

int
sources_enter(struct segment *segment, unsigned slot, struct addr source,
              uint64_t now_ns)
{
    uint64_t key = source_key(source);

    for (int tries = 0; tries < TRIES; tries++) {
        int source_index = sources_find(segment, slot, key, now_ns);
        if (source_index < 0)
            return source_index;
        atomic_fetch_add(sources_charge(segment, slot, source_index,
                                        SEGMENT_CHARGE_sessions),
                         1);
        if (atomic_load(&segment->sources[source_index].key) == key)
            return source_index;
        sources_leave(segment, slot, source_index);
    }
    return -ENOSPC;
}

void
sources_leave(struct segment *segment, unsigned slot, int source_index)
{
    sources_give(segment, slot, source_index, SEGMENT_CHARGE_sessions);
}

/* Charged first and looked at then: two workers at once may both be refused
   the last one, but never both get it. */
int
sources_take(struct segment *segment, unsigned slot, int source_index,
             enum segment_charge which, uint64_t max)
{
    atomic_fetch_add(sources_charge(segment, slot, source_index, which), 1);
    if (sources_sum(segment, source_index, which) <= max)
        return 0;
    sources_give(segment, slot, source_index, which);
    return -EDQUOT;
}

void
sources_give(struct segment *segment, unsigned slot, int source_index,
             enum segment_charge which)
{
    atomic_fetch_sub(sources_charge(segment, slot, source_index, which), 1);
}

/* ---- Rate ---- */

bool
sources_on_time(struct segment *segment, int source_index, uint64_t rate,
                uint64_t now_ns)
{
    _Atomic uint64_t *due = &segment->sources[source_index].due_ns;
    uint64_t each_ns = SECOND_NS / rate;
    uint64_t ahead_ns = each_ns * (rate - 1);
    uint64_t old_ns = atomic_load(due);
    uint64_t from_ns;

    do {
        uint64_t due_ns = sources_due_ns(old_ns, now_ns);
        from_ns = due_ns > now_ns ? due_ns : now_ns;
        if (from_ns - now_ns > ahead_ns)
            return false;
    } while (!atomic_compare_exchange_weak(due, &old_ns, from_ns + each_ns));
    return true;
}

/* ---- Refusals ---- */

/* Where another worker has written nonsense, it is of another second. */
uint32_t
sources_refused(struct segment *segment, int source_index, uint64_t now_ns)
{
    _Atomic uint64_t *refused = &segment->sources[source_index].refused;
    uint64_t second = (now_ns / SECOND_NS) << 32;
    uint64_t old = atomic_load(refused), new;

    do {
        new = old >> 32 == second >> 32 && (uint32_t)old < UINT32_MAX
                  ? old + 1
                  : second + 1;
    } while (!atomic_compare_exchange_weak(refused, &old, new));
    return (uint32_t) new;
}
