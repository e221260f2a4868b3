#ifndef GATEWAY_RESOLVER_KEY_H
#define GATEWAY_RESOLVER_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/must_check.h"
#include "gateway/lookup_proto.h"

/*
 * A name in the form it is looked up in: lower case, without the final dot.
 * Names that are equal in DNS have the same key.
 */
struct key {
    char text[LOOKUP_NAME_MAX + 1];
    uint32_t hash;
};

/*
 * 0; or -EINVAL for what is not a host name: an octet other than a letter, a
 * digit, '-', '_' and '.' (the backslash would be an escape further on), an
 * empty label, or what some C library takes for an address, however it is spelt
 * [4A-A.2.3-2]. The worker refuses these too, but is not trusted here.
 */
MUST_CHECK int key_make(struct key *key, const char *name, size_t len);

#endif
