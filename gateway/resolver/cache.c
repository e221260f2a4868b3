#include "gateway/resolver/cache.h"

#include <string.h>

static bool
cache_entry_is_of(const struct cache_entry *entry, const struct key *key,
                  enum lookup_family family)
{
    return entry->until_ms != 0 && entry->key.hash == key->hash &&
           entry->family == family && strcmp(entry->key.text, key->text) == 0;
}

const struct answer *
cache_find(const struct cache *cache, const struct key *key,
           enum lookup_family family, uint64_t now_ms)
{
    const struct cache_entry *set = cache->entries[key->hash % CACHE_SETS];

    for (size_t i = 0; i < CACHE_WAYS; i++)
        if (cache_entry_is_of(&set[i], key, family) && now_ms < set[i].until_ms)
            return &set[i].answer;
    return NULL;
}

/* The key's own entry, or the one that expires first. */
static struct cache_entry *
cache_choose(struct cache_entry *set, const struct key *key,
             enum lookup_family family)
{
    struct cache_entry *chosen = &set[0];

    for (size_t i = 0; i < CACHE_WAYS; i++) {
        if (cache_entry_is_of(&set[i], key, family))
            return &set[i];
        if (set[i].until_ms < chosen->until_ms)
            chosen = &set[i];
    }
    return chosen;
}

static uint32_t
cache_lifetime_s(const struct answer *answer)
{
    if (answer->outcome == LOOKUP_NO_SUCH_NAME)
        return CACHE_NONE_S;
    if (answer->outcome != LOOKUP_FOUND)
        return 0;
    return answer->ttl_s < CACHE_LONGEST_S ? answer->ttl_s : CACHE_LONGEST_S;
}

void
cache_put(struct cache *cache, const struct key *key, enum lookup_family family,
          const struct answer *answer, uint64_t now_ms)
{
    uint64_t lives_s = cache_lifetime_s(answer);

    if (lives_s == 0)
        return;
    struct cache_entry *entry =
        cache_choose(cache->entries[key->hash % CACHE_SETS], key, family);
    entry->key = *key;
    entry->family = family;
    entry->answer = *answer;
    entry->until_ms = now_ms + lives_s * 1000;
}
