#ifndef GATEWAY_POLICY_NAME_H
#define GATEWAY_POLICY_NAME_H

#include "gateway/policy/rule.h"

/*
 * Names, as requests and rules have them. What DOMAIN holds is bounded octets
 * that are not looked into [4A-A.2.3-1, 4A-B.6-2], but for one question: an
 * address spelt out is decided by the rules on addresses or refused. Only the
 * strict dotted quad is taken for an address, and no other spelling reaches a
 * resolver that may know it.
 */

/* Octets of a name, without a final dot: RFC 1035's 255 on the wire. */
#define NAME_OCTETS_MAX 253

enum name_kind {
    NAME_HOST,    /* for the resolver */
    NAME_ADDRESS, /* a dotted quad: any, 0.0.0.0 too */
    NAME_BAD      /* refused: 91, and the resolver is not asked */
};

/*
 * `domain` is not terminated. Bad are: an empty name; more octets than
 * NAME_OCTETS_MAX, a final dot aside; an octet that is not printable ASCII,
 * or a blank; a backslash (resolvers read escapes); a colon or a bracket
 * (IPv6); and what is a number to addr_is_number, but for the dotted quad,
 * whose value goes to *address. Underscores, empty labels and the like are the
 * resolver's.
 */
enum name_kind name_read(const char *domain, size_t len, struct addr *address);

/*
 * Whether `term`, terminated, may stand in a rule: labels of 1 to 63 letters,
 * digits, hyphens and underscores, a dot before the first allowed, the last one
 * not a number. name_read takes more, but such a term is a mistake ("10.0.0.*",
 * "a.test,b.test"), and in a deny rule one that would match nothing.
 */
bool name_is_term(const char *term);

/* A term against a name or the end of one, without regard to case: -1, 0, 1. */
int name_cmp(const struct rule_word *term, const char *name, size_t len);

#endif
