#include "gateway/policy/sets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

#define V4(ip) (UINT64_C(0xffff00000000) + (ip))
#define TOP(bits) (UINT64_C(bits) << 48)
#define NAT64 UINT64_C(0x0064ff9b00000000)
#define SIIT UINT64_C(0xffff0000) /* ::ffff:0:0:0/96: its second quarter */
#define NAT64_LOCAL UINT64_C(0x0064ff9b00010000)

/* Compared with each network of a set, however many those are. */
/* clang-format off */
static const struct netset_range set_special[] = {
    {{0, V4(0x00000000)}, {0, V4(0x00ffffff)}},             /* 0.0.0.0/8 */
    {{0, V4(0x7f000000)}, {0, V4(0x7fffffff)}},             /* 127.0.0.0/8 */
    {{0, V4(0xa9fe0000)}, {0, V4(0xa9feffff)}},             /* 169.254.0.0/16 */
    {{0, V4(0xe0000000)}, {0, V4(0xefffffff)}},             /* 224.0.0.0/4 */
    {{0, V4(0xf0000000)}, {0, V4(0xffffffff)}},             /* 240.0.0.0/4 */
    {{0, 1}, {0, 1}},                                       /* ::1 */
    {{TOP(0xfe80), 0}, {TOP(0xfec0) - 1, UINT64_MAX}},      /* fe80::/10 */
    {{TOP(0xff00), 0}, {UINT64_MAX, UINT64_MAX}},           /* ff00::/8 */
    {{0, 0}, {0, 0}},                                       /* :: */
    /* An IPv4 address is inside, to which a router or tunnel may pass it on: a
       rule for anywhere does not mean that one. */
    {{0, 2}, {0, UINT32_MAX}},                              /* ::/96 */
    {{TOP(0x2002), 0}, {TOP(0x2003) - 1, UINT64_MAX}},      /* 2002::/16 */
    {{TOP(0x2001), 0}, {TOP(0x2001) + UINT32_MAX, UINT64_MAX}}, /* 2001::/32 */
    {{NAT64_LOCAL, 0}, {NAT64_LOCAL + UINT16_MAX, UINT64_MAX}},
                                                            /* 64:ff9b:1::/48 */
};
/* clang-format on */
#define SPECIAL_COUNT (sizeof(set_special) / sizeof(set_special[0]))
#define SPECIAL_SOURCES 9 /* the first: no client on the Internet has one */

static const char *const set_private[] = {"10.0.0.0/8",
                                          "172.16.0.0/12",
                                          "192.168.0.0/16",
                                          "100.64.0.0/10",
                                          "fc00::/7",
                                          "fec0::/10",
                                          NULL};

/* The sets that exist always: their networks, or all but `without`. */
struct set_builtin {
    const char *name;
    const char *const *nets;
    const char *const *without;
    bool is_self; /* the addresses of this machine */
};

static const struct set_builtin set_builtins[SET_BUILTINS] = {
    {"any", NULL, NULL, false},
    {"public", NULL, set_private, false},
    {"private", set_private, NULL, false},
    {"loopback", LIST("127.0.0.0/8", "::1"), NULL, false},
    {"link-local", LIST("169.254.0.0/16", "fe80::/10"), NULL, false},
    {"multicast", LIST("224.0.0.0/4", "ff00::/8"), NULL, false},
    {"this-network", LIST("0.0.0.0/8"), NULL, false},
    {"self", NULL, NULL, true},
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

/* Adds what of the range lies within the special ones. */
static int
set_add_cut(struct netset *cut, const struct netset_range *range)
{
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        struct netset_range part = set_special[i];
        if (addr_cmp(part.first, range->first) < 0)
            part.first = range->first;
        if (addr_cmp(part.last, range->last) > 0)
            part.last = range->last;
        if (addr_cmp(part.first, part.last) <= 0 &&
            netset_add(cut, part.first, part.last) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* Adds the range without the first special ones, and without `without`. */
static int
set_add_without(struct netset *set, const struct netset_range *range,
                size_t special, const char *const *without)
{
    struct netset rest;
    int rc;

    netset_init(&rest);
    rc = netset_add(&rest, range->first, range->last);
    for (size_t i = 0; i < special && rc == 0; i++)
        rc = netset_remove(&rest, set_special[i].first, set_special[i].last);
    for (; without && *without && rc == 0; without++) {
        struct netset_range apart = set_range_of(*without);
        rc = netset_remove(&rest, apart.first, apart.last);
    }
    if (rc == 0)
        rc = netset_add_set(set, &rest);
    netset_fini(&rest);
    return rc;
}

/* What is not wholly inside a special range means what lies around them. Most
   ranges are far from any. */
static int
set_add_range(struct set_members *members, const struct netset_range *range)
{
    bool apart = true;

    if (netset_add(&members->itself, range->first, range->last) != 0)
        return -ENOMEM;
    if (addr_equal(range->first, range->last) &&
        netset_add(&members->hosts, range->first, range->last) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        if (set_range_inside(range, &set_special[i]))
            return netset_add(&members->reach, range->first, range->last);
        apart &= addr_cmp(range->last, set_special[i].first) < 0 ||
                 addr_cmp(range->first, set_special[i].last) > 0;
    }
    if (apart)
        return netset_add(&members->reach, range->first, range->last);
    int rc = set_add_cut(&members->cut, range);
    return rc == 0
               ? set_add_without(&members->reach, range, SPECIAL_COUNT, NULL)
               : rc;
}

/* An IPv6 network never means IPv4, though IPv4 is held within it here. */
int
set_add_network(struct set_members *members, struct addr first,
                struct addr last)
{
    struct netset_range range = {first, last};
    struct netset_range below = {first, {0, set_all_v4.first.lo - 1}};
    struct netset_range above = {{0, set_all_v4.last.lo + 1}, last};

    if (!set_range_inside(&set_all_v4, &range) ||
        set_range_inside(&range, &set_all_v4))
        return set_add_range(members, &range);
    if (set_add_range(members, &below) != 0)
        return -ENOMEM;
    return set_add_range(members, &above);
}

/* `any' is everything and reaches around special ranges; `public' lies around
   them by itself. */
static int
set_add_all_but(struct set_members *members, const char *const *without)
{
    struct netset *itself = &members->itself;
    int rc = set_add_without(&members->reach, &set_everything, SPECIAL_COUNT,
                             without);

    if (rc == 0)
        rc = set_add_cut(&members->cut, &set_everything);
    if (rc == 0 && without)
        return set_add_without(itself, &set_everything, SPECIAL_SOURCES,
                               without);
    return rc == 0
               ? netset_add(itself, set_everything.first, set_everything.last)
               : rc;
}

int
set_add_builtin(struct set_members *members, const char *name)
{
    const struct set_builtin *set = set_builtins;
    int rc = 0;

    while (strcmp(set->name, name) != 0)
        if (++set == set_builtins + SET_BUILTINS)
            return -ENOENT;
    if (set->is_self)
        members->self = true;
    else if (!set->nets)
        rc = set_add_all_but(members, set->without);
    for (const char *const *net = set->nets; net && *net && rc == 0; net++) {
        struct netset_range range = set_range_of(*net);
        rc = set_add_range(members, &range);
    }
    return rc;
}

int
set_add_name(struct set_members *members, const struct rule_word *name)
{
    if (members->name_count == members->name_room) {
        size_t room = members->name_room ? members->name_room * 2 : 8;
        void *names = realloc(members->names, room * sizeof(*members->names));
        if (!names)
            return -ENOMEM;
        members->names = names;
        members->name_room = room;
    }
    members->names[members->name_count++] = *name;
    return 0;
}

int
set_add_members(struct set_members *members, const struct set_members *other)
{
    members->self |= other->self;
    for (size_t i = 0; i < other->name_count; i++)
        if (set_add_name(members, &other->names[i]) != 0)
            return -ENOMEM;
    if (netset_add_set(&members->itself, &other->itself) != 0 ||
        netset_add_set(&members->reach, &other->reach) != 0 ||
        netset_add_set(&members->hosts, &other->hosts) != 0)
        return -ENOMEM;
    return netset_add_set(&members->cut, &other->cut);
}

void
set_fini(struct set_members *members)
{
    netset_fini(&members->itself);
    netset_fini(&members->reach);
    netset_fini(&members->hosts);
    netset_fini(&members->cut);
    free(members->names);
    members->names = NULL;
    members->name_count = members->name_room = 0;
}

static bool
set_is_same(const struct netset *a, const struct netset *b)
{
    return a->count == b->count && a->count > 0 &&
           memcmp(a->ranges, b->ranges, a->count * sizeof(*a->ranges)) == 0;
}

void
set_seal(struct set_members *members)
{
    struct netset *like[] = {&members->reach, &members->hosts};

    /* A large set has the same in all three, and is sorted once. */
    for (size_t i = 0; i < 2; i++)
        if (!set_is_same(&members->itself, like[i])) {
            netset_seal(like[i]);
            like[i] = NULL;
        }
    netset_seal(&members->itself);
    for (size_t i = 0; i < 2; i++)
        if (like[i]) {
            memcpy(like[i]->ranges, members->itself.ranges,
                   members->itself.count * sizeof(*members->itself.ranges));
            like[i]->count = members->itself.count;
        }
    netset_seal(&members->cut);
}

size_t
set_count(const struct set_members *members)
{
    return members->itself.count + members->reach.count + members->hosts.count +
           members->cut.count;
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
set_is_loopback(struct addr addr)
{
    if (!addr_is_v4(addr))
        return addr.hi == 0 && addr.lo == 1;
    return addr_to_v4(addr) >> 24 == 127;
}

bool
set_is_link_local(struct addr addr)
{
    if (!addr_is_v4(addr))
        return addr.hi >> 54 == 0x3fa;
    return addr_to_v4(addr) >> 16 == 0xa9fe;
}

/* 6to4, Teredo, a network's own NAT64, and IPv4-compatible addresses. */
static bool
set_is_translated(struct addr addr)
{
    return addr.hi >> 48 == 0x2002 || addr.hi >> 32 == 0x20010000 ||
           addr.hi >> 16 == NAT64_LOCAL >> 16 ||
           (addr.hi == 0 && addr.lo >> 32 == 0);
}

bool
set_is_special(struct addr addr)
{
    return set_is_unreachable(addr) || set_is_loopback(addr) ||
           set_is_link_local(addr) ||
           (!addr_is_v4(addr) && set_is_translated(addr));
}

struct addr
set_meant(struct addr addr)
{
    bool nat64 = addr.hi == NAT64 && addr.lo >> 32 == 0;
    bool siit = addr.hi == 0 && addr.lo >> 32 == SIIT;

    return nat64 || siit ? addr_v4((uint32_t)addr.lo) : addr;
}
