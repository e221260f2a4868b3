#ifndef GATEWAY_RESOLVER_CACHE_H
#define GATEWAY_RESOLVER_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/resolver/key.h"

/*
 * Answers, kept as long as their TTL says, in a table of fixed size, for each
 * family by itself. A name may stand in four entries; where all are taken it
 * replaces the one that expires first.
 */
#define CACHE_WAYS 4
#define CACHE_SETS 256

/* No answer is kept longer, whatever its TTL. CACHE_NONE_S: how long the cache
   knows that there is no such name. */
#define CACHE_LONGEST_S 300
#define CACHE_NONE_S 5

struct answer {
    enum lookup_outcome outcome;
    uint32_t count;
    struct addr addresses[LOOKUP_ADDRESSES_MAX];
    uint32_t ttl_s; /* 0: not kept */
    bool no_name;   /* NXDOMAIN: not of the other family either (RFC 8020) */
};

struct cache_entry {
    struct key key;
    enum lookup_family family;
    struct answer answer;
    uint64_t until_ms; /* 0: empty */
};

/* Starts as zeros. */
struct cache {
    struct cache_entry entries[CACHE_SETS][CACHE_WAYS];
};

/* NULL: not known. Else borrowed until the next cache_put. */
const struct answer *cache_find(const struct cache *cache,
                                const struct key *key,
                                enum lookup_family family, uint64_t now_ms);

/* A failure is never kept. */
void cache_put(struct cache *cache, const struct key *key,
               enum lookup_family family, const struct answer *answer,
               uint64_t now_ms);

#endif
