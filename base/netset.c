#include "base/netset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct addr addr_top = {UINT64_MAX, UINT64_MAX};

void
netset_init(struct netset *set)
{
    memset(set, 0, sizeof(*set));
}

void
netset_fini(struct netset *set)
{
    free(set->ranges);
    netset_init(set);
}

/* Room for `count` ranges in all. */
static int
netset_reserve(struct netset *set, size_t count)
{
    if (count <= set->room)
        return 0;
    size_t room = set->room ? set->room * 2 : 4;
    if (room < count)
        room = count;
    if (room > SIZE_MAX / sizeof(*set->ranges))
        return -ENOMEM;
    void *ranges = realloc(set->ranges, room * sizeof(*set->ranges));
    if (!ranges)
        return -ENOMEM;
    set->ranges = ranges;
    set->room = room;
    return 0;
}

int
netset_add(struct netset *set, struct addr first, struct addr last)
{
    int rc = netset_reserve(set, set->count + 1);

    if (rc == 0)
        set->ranges[set->count++] = (struct netset_range){first, last};
    return rc;
}

int
netset_add_set(struct netset *set, const struct netset *other)
{
    int rc = netset_reserve(set, set->count + other->count);

    if (rc != 0 || other->count == 0)
        return rc;
    memcpy(set->ranges + set->count, other->ranges,
           other->count * sizeof(*set->ranges));
    set->count += other->count;
    return 0;
}

static struct addr
addr_next(struct addr addr)
{
    return (struct addr){addr.hi + (addr.lo == UINT64_MAX), addr.lo + 1};
}

static struct addr
addr_before(struct addr addr)
{
    return (struct addr){addr.hi - (addr.lo == 0), addr.lo - 1};
}

int
netset_remove(struct netset *set, struct addr first, struct addr last)
{
    size_t at = 0;
    size_t end;

    /* Ranges at..end-1 touch first..last. */
    while (at < set->count && addr_cmp(set->ranges[at].last, first) < 0)
        at++;
    for (end = at; end < set->count; end++)
        if (addr_cmp(set->ranges[end].first, last) > 0)
            break;
    if (at == end)
        return 0;

    struct netset_range left = {set->ranges[at].first, addr_before(first)};
    struct netset_range right = {addr_next(last), set->ranges[end - 1].last};
    bool has_left = addr_cmp(set->ranges[at].first, first) < 0;
    bool has_right = addr_cmp(set->ranges[end - 1].last, last) > 0;
    size_t kept = (size_t)has_left + has_right;
    if (netset_reserve(set, set->count + 1) != 0)
        return -ENOMEM;
    memmove(set->ranges + at + kept, set->ranges + end,
            (set->count - end) * sizeof(*set->ranges));
    set->count = set->count - (end - at) + kept;
    if (has_left)
        set->ranges[at++] = left;
    if (has_right)
        set->ranges[at] = right;
    return 0;
}

static int
netset_compare_ranges(const void *a, const void *b)
{
    const struct netset_range *one = a;
    const struct netset_range *two = b;

    return addr_cmp(one->first, two->first);
}

/* Whether a range that begins at `first` overlaps `range` or touches its end.
 */
static bool
netset_ranges_meet(const struct netset_range *range, struct addr first)
{
    if (addr_equal(range->last, addr_top))
        return true;
    return addr_cmp(first, addr_next(range->last)) <= 0;
}

static bool
netset_is_sorted(const struct netset *set)
{
    for (size_t i = 1; i < set->count; i++)
        if (addr_cmp(set->ranges[i - 1].first, set->ranges[i].first) > 0)
            return false;
    return true;
}

void
netset_seal(struct netset *set)
{
    size_t kept = 0;

    if (set->count == 0)
        return;
    if (!netset_is_sorted(set)) /* what a rule takes from a set is */
        qsort(set->ranges, set->count, sizeof(*set->ranges),
              netset_compare_ranges);
    for (size_t i = 1; i < set->count; i++) {
        struct netset_range *end = &set->ranges[kept];
        if (!netset_ranges_meet(end, set->ranges[i].first))
            set->ranges[++kept] = set->ranges[i];
        else if (addr_cmp(set->ranges[i].last, end->last) > 0)
            end->last = set->ranges[i].last;
    }
    set->count = kept + 1;
}

/* The first range that does not end before addr; set->count: there is none. */
static size_t
netset_find(const struct netset *set, struct addr addr)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (addr_cmp(set->ranges[middle].last, addr) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
netset_has(const struct netset *set, struct addr addr)
{
    size_t at = netset_find(set, addr);

    return at < set->count && addr_cmp(set->ranges[at].first, addr) <= 0;
}

bool
netset_covers(const struct netset *set, const struct netset *other)
{
    for (size_t i = 0; i < other->count; i++) {
        size_t at = netset_find(set, other->ranges[i].first);
        if (at == set->count ||
            addr_cmp(set->ranges[at].first, other->ranges[i].first) > 0 ||
            addr_cmp(set->ranges[at].last, other->ranges[i].last) < 0)
            return false;
    }
    return true;
}

bool
netset_meets(const struct netset *set, const struct netset *other)
{
    for (size_t i = 0; i < other->count; i++) {
        size_t at = netset_find(set, other->ranges[i].first);
        if (at < set->count &&
            addr_cmp(set->ranges[at].first, other->ranges[i].last) <= 0)
            return true;
    }
    return false;
}
