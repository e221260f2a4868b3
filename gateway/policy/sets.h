#ifndef GATEWAY_POLICY_SETS_H
#define GATEWAY_POLICY_SETS_H

#include "gateway/policy/rule.h"

/*
 * What networks and the built-in sets mean. Each has two meanings: by itself,
 * as `from`, `peer` and a deny rule take it; and its reach, as `to` of an allow
 * rule takes it. A special range is reached only by a network that lies wholly
 * inside it: a rule for anywhere opens no way to this machine or its link
 * [4A-B.3-2]. An address of this machine is reached only by itself, or by the
 * set `self'. Which addresses those are is not known here: policy.c asks.
 */
struct set_members {
    struct netset itself;
    struct netset reach;
    struct netset hosts;     /* of the reach, what was written as one address */
    struct netset cut;       /* special ranges that the reach leaves out */
    bool self;               /* `self' is a member */
    struct rule_word *names; /* owned, but not their texts */
    size_t name_count, name_room;
};

void set_fini(struct set_members *members);

/* Sorts and merges, when all is added. */
void set_seal(struct set_members *members);

/* Address ranges in all. */
size_t set_count(const struct set_members *members);

/* Adds first..last, as written; 0 or -ENOMEM. */
int set_add_network(struct set_members *members, struct addr first,
                    struct addr last);

/* The same for a built-in set; -ENOENT: there is none of this name. */
int set_add_builtin(struct set_members *members, const char *name);

/* The same for a name, whose text must outlive the members. */
int set_add_name(struct set_members *members, const struct rule_word *name);

/* The same for what another one has, sealed or not. */
int set_add_members(struct set_members *members,
                    const struct set_members *other);

/* The names of the built-in sets, by number. */
#define SET_BUILTINS 8
const char *set_builtin_name(size_t number);
bool set_is_builtin(const char *name);

/* Whether the address is in a special range; and whether no rule can grant a
   CONNECT to it: 0/8 is this host, 224/4, 240/4 and ff00::/8 are nobody
   [4A-B.3-1]. */
bool set_is_special(struct addr addr);
bool set_is_unreachable(struct addr addr);

/* The address that is decided about where this one is asked for: of
   64:ff9b::/96 and ::ffff:0:0:0/96, by which a router that translates is asked
   for an IPv4 address, that address (RFC 6052, 2.1; RFC 2765, 2.1). */
struct addr set_meant(struct addr addr);

/* Whether it is in one of these two sets. */
bool set_is_loopback(struct addr addr);
bool set_is_link_local(struct addr addr);

#endif
