#ifndef BASE_NETSET_H
#define BASE_NETSET_H

#include "base/addr.h"

/*
 * A set of addresses, as ranges. Once sealed they are disjoint and in order, so
 * that netset_has is a binary search. Owns `ranges` (heap).
 */
struct netset {
    struct netset_range {
        struct addr first;
        struct addr last;
    } * ranges;
    size_t count;
    size_t room;
};

void netset_init(struct netset *set);
void netset_fini(struct netset *set);

/* first..last, both included. 0 or -ENOMEM. */
int netset_add(struct netset *set, struct addr first, struct addr last);
int netset_add_set(struct netset *set, const struct netset *other);

/* Removes first..last from a sealed set, which stays sealed. 0 or -ENOMEM. */
int netset_remove(struct netset *set, struct addr first, struct addr last);

/* Sorts and merges. Call it after the last netset_add and before the first
   netset_has. */
void netset_seal(struct netset *set);

bool netset_has(const struct netset *set, struct addr addr);

/* Of two sealed sets: whether the first has all that the second has; and
   whether they have an address in common. */
bool netset_covers(const struct netset *set, const struct netset *other);
bool netset_meets(const struct netset *set, const struct netset *other);

#endif
