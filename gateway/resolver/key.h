#ifndef GATEWAY_RESOLVER_KEY_H
#define GATEWAY_RESOLVER_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/names.h"

/*
 * A name as it is asked for: lower case, without the final dot. Names that
 * DNS holds equal have one key.
 */
struct key {
    char text[LOOKUP_NAME_MAX + 1];
    uint32_t hash;
};

/*
 * 0; or -EINVAL for what is no host name: an octet that is no letter, digit,
 * '-', '_' or '.' (among them the backslash, which would be an escape
 * further on), an empty label, or what may be taken for an address, however it
 * is spelt [4A-A.2.3-2]. The worker has refused these: here nobody believes it.
 */
int key_make(struct key *key, const char *name, size_t len);

#endif
