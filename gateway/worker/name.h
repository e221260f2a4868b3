#ifndef GATEWAY_WORKER_NAME_H
#define GATEWAY_WORKER_NAME_H

#include "gateway/config/config.h"

/*
 * What DOMAIN is: bounded octets that are not looked into [4A-A.2.3-1,
 * 4A-B.6-2], but for one question. An address spelt out is met by the rules
 * on addresses or not at all: only the strict dotted quad is taken for one,
 * and no other spelling reaches a resolver that may know it.
 */

enum name_kind {
    NAME_HOST,    /* for the resolver */
    NAME_ADDRESS, /* a dotted quad: any, 0.0.0.0 too */
    NAME_BAD      /* refused: 91, and nobody is asked */
};

/*
 * `domain` is not terminated. Bad are: nothing at all; more octets than
 * CONFIG_NAME_MAX, a final dot aside; an octet that is no printable ASCII,
 * or a blank; a backslash (resolvers read escapes); a colon or a bracket
 * (IPv6); and what is a number to addr_is_number, but for the dotted quad,
 * whose value goes to *address, in host order. Underscores, empty labels and
 * the like are the resolver's.
 */
enum name_kind name_read(const char *domain, size_t len, uint32_t *address);

#endif
