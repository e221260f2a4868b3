#include "gateway/policy/sets.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const set_special[] = {
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
    "::1",       "fe80::/10",   "ff00::/8",       "::",          NULL};

static const char *const set_private[] = {
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", NULL};

/* The sets that exist always: their networks, or all but `without`. */
struct set_builtin {
    const char *name;
    const char *const *nets;
    const char *const *without;
};

static const struct set_builtin set_builtins[SET_BUILTINS] = {
    {"any", NULL, NULL},
    {"public", NULL, set_private},
    {"private", set_private, NULL},
    {"loopback", LIST("127.0.0.0/8", "::1"), NULL},
    {"link-local", LIST("169.254.0.0/16", "fe80::/10"), NULL},
    {"multicast", LIST("224.0.0.0/4", "ff00::/8"), NULL},
    {"this-network", LIST("0.0.0.0/8"), NULL},
};

static const struct netset_range set_everything = {{0, 0},
                                                   {UINT64_MAX, UINT64_MAX}};
static const struct netset_range set_all_v4 = {{0, UINT64_C(0xffff00000000)},
                                               {0, UINT64_C(0xffffffffffff)}};

static struct netset_range
set_range_of(const char *cidr)
{
    struct netset_range range;
    int rc = addr_parse_cidr(cidr, &range.first, &range.last);

    assert(rc == 0);
    return range;
}

static bool
set_range_inside(const struct netset_range *range,
                 const struct netset_range *wide)
{
    return addr_cmp(range->first, wide->first) >= 0 &&
           addr_cmp(range->last, wide->last) <= 0;
}

static int
set_remove(struct netset *set, const char *const *cidrs)
{
    for (; cidrs && *cidrs; cidrs++) {
        struct netset_range range = set_range_of(*cidrs);
        if (netset_remove(set, range.first, range.last) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* Adds the range without the special ones, and without `without`. */
static int
set_add_without(struct netset *set, const struct netset_range *range,
                const char *const *without)
{
    struct netset rest;
    int rc;

    netset_init(&rest);
    rc = netset_add(&rest, range->first, range->last);
    if (rc == 0)
        rc = set_remove(&rest, set_special);
    if (rc == 0)
        rc = set_remove(&rest, without);
    if (rc == 0)
        rc = netset_add_set(set, &rest);
    netset_fini(&rest);
    return rc;
}

/* Networks nest or are apart: one that is not inside a special range may hold
   some, and then means what lies around them. */
static int
set_add_reach(struct netset *reach, const struct netset_range *range)
{
    for (size_t i = 0; set_special[i]; i++) {
        struct netset_range wide = set_range_of(set_special[i]);
        if (set_range_inside(range, &wide))
            return netset_add(reach, range->first, range->last);
    }
    return set_add_without(reach, range, NULL);
}

static int
set_add_range(struct netset *self, struct netset *reach,
              const struct netset_range *range)
{
    if (self && netset_add(self, range->first, range->last) != 0)
        return -ENOMEM;
    return reach ? set_add_reach(reach, range) : 0;
}

/* An IPv6 network never means IPv4, though IPv4 is held within it here. */
int
set_add_network(struct netset *self, struct netset *reach, struct addr first,
                struct addr last)
{
    struct netset_range range = {first, last};
    struct netset_range below = {first, {0, set_all_v4.first.lo - 1}};
    struct netset_range above = {{0, set_all_v4.last.lo + 1}, last};

    if (!set_range_inside(&set_all_v4, &range) ||
        set_range_inside(&range, &set_all_v4))
        return set_add_range(self, reach, &range);
    if (set_add_range(self, reach, &below) != 0)
        return -ENOMEM;
    return set_add_range(self, reach, &above);
}

int
set_add_builtin(struct netset *self, struct netset *reach, const char *name)
{
    const struct set_builtin *set = set_builtins;
    int rc = 0;

    while (strcmp(set->name, name) != 0)
        if (++set == set_builtins + SET_BUILTINS)
            return -ENOENT;
    for (const char *const *net = set->nets; net && *net && rc == 0; net++) {
        struct netset_range range = set_range_of(*net);
        rc = set_add_range(self, reach, &range);
    }
    if (set->nets)
        return rc;
    if (self && !set->without)
        rc = netset_add(self, set_everything.first, set_everything.last);
    else if (self)
        rc = set_add_without(self, &set_everything, set->without);
    if (rc == 0 && reach)
        rc = set_add_without(reach, &set_everything, set->without);
    return rc;
}

const char *
set_builtin_name(size_t number)
{
    return set_builtins[number].name;
}

bool
set_is_builtin(const char *name)
{
    for (size_t i = 0; i < SET_BUILTINS; i++)
        if (strcmp(set_builtins[i].name, name) == 0)
            return true;
    return false;
}

bool
set_is_unreachable(struct addr addr)
{
    if (!addr_is_v4(addr))
        return (addr.hi == 0 && addr.lo == 0) || addr.hi >> 56 == 0xff;
    uint32_t ip = addr_to_v4(addr);
    return ip >> 24 == 0 || ip >> 28 >= 14;
}

bool
set_is_special(struct addr addr)
{
    if (set_is_unreachable(addr))
        return true;
    if (!addr_is_v4(addr))
        return (addr.hi == 0 && addr.lo == 1) || addr.hi >> 54 == 0x3fa;
    uint32_t ip = addr_to_v4(addr);
    return ip >> 24 == 127 || ip >> 16 == 0xa9fe;
}
