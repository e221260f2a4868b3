#ifndef GATEWAY_POLICY_SETS_H
#define GATEWAY_POLICY_SETS_H

#include "base/netset.h"

/*
 * What networks and the built-in sets mean. Each has two meanings: by itself,
 * as `from` and `peer` take it; and its reach, as `to` takes it, where a
 * special range is met only by a network that lies wholly inside it: a rule
 * for anywhere opens no way to this machine or its link [4A-B.3-2].
 */

/* Adds first..last, a network as written, to both (each may be NULL). 0 or
   -ENOMEM. */
int set_add_network(struct netset *self, struct netset *reach,
                    struct addr first, struct addr last);

/* The same for a built-in set; -ENOENT: there is none of this name. */
int set_add_builtin(struct netset *self, struct netset *reach,
                    const char *name);

/* The names of the built-in sets, by number. */
#define SET_BUILTINS 7
const char *set_builtin_name(size_t number);
bool set_is_builtin(const char *name);

/* Whether the address is in a special range; and whether no rule can grant a
   CONNECT to it: 0/8 is this host, 224/4, 240/4 and ff00::/8 are nobody
   [4A-B.3-1]. */
bool set_is_special(struct addr addr);
bool set_is_unreachable(struct addr addr);

#endif
