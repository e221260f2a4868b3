#include "gateway/speakers.h"

#include <string.h>

#include "gateway/series.h"

struct speaker_key
speaker_key(struct addr client, const char *user, size_t len, unsigned rule)
{
    struct speaker_key key = {.client = client, .rule = rule};

    key.user_whole = (uint16_t)len;
    key.user_len = (uint8_t)(len < SPEAKER_USER_MAX ? len : SPEAKER_USER_MAX);
    if (key.user_len > 0)
        memcpy(key.user, user, key.user_len);
    return key;
}

static bool
speaker_is(const struct speaker *speaker, const struct speaker_key *key)
{
    return addr_equal(speaker->key.client, key->client) &&
           speaker->key.rule == key->rule &&
           speaker->key.user_whole == key->user_whole &&
           memcmp(speaker->key.user, key->user, key->user_len) == 0;
}

/* As source_block() has it. */
static bool
speaker_is_neighbour(struct addr a, struct addr b)
{
    return addr_is_v4(a) || addr_is_v4(b) ? addr_equal(a, b) : a.hi == b.hi;
}

/* FNV-1a. Whoever chooses users with one tag makes the search in its own set
   longer, by a comparison for each. */
static uint16_t
speaker_tag(const struct speaker_key *key)
{
    uint32_t sum = UINT32_C(0x811c9dc5) ^ key->rule ^ (uint32_t)key->client.lo;

    for (unsigned i = 0; i < key->user_len; i++)
        sum = (sum ^ (unsigned char)key->user[i]) * UINT32_C(0x01000193);
    sum ^= sum >> 16;
    return (uint16_t)sum != 0 ? (uint16_t)sum : 1;
}

/* One that its worker has left half written is as good as free. */
static bool
speaker_is_free(const struct speaker_set *set, unsigned way)
{
    return set->tags[way] == 0 ||
           (atomic_load_explicit(&set->entries[way].turns,
                                 memory_order_relaxed) &
            1);
}

static int
speakers_find(const struct speaker_set *set, const struct speaker_key *key,
              uint16_t tag)
{
    for (unsigned i = 0; i < SPEAKERS_WAYS; i++)
        if (set->tags[i] == tag && !speaker_is_free(set, i) &&
            speaker_is(&set->entries[i], key))
            return (int)i;
    return -1;
}

/* Which of the two goes: what was refused first. `b` -1: there is none. */
static int
speakers_sooner(const struct speaker_set *set, int a, int b)
{
    const struct speaker *one = &set->entries[a];
    const struct speaker *other = &set->entries[b < 0 ? a : b];

    if (b < 0 || one->granted != other->granted)
        return b < 0 || !one->granted ? a : b;
    return one->last_s < other->last_s ? a : b;
}

/* The entry that the newcomer gets; -1: none. */
static int
speakers_choose(const struct speaker_set *set, struct addr client, bool granted)
{
    int victim = -1, own_victim = -1;
    unsigned own = 0;

    for (unsigned i = 0; i < SPEAKERS_WAYS; i++) {
        const struct speaker *speaker = &set->entries[i];
        bool is_own = speaker_is_neighbour(speaker->key.client, client);
        if (speaker_is_free(set, i))
            return (int)i;
        own += is_own;
        if (speaker->granted != 0 && !granted)
            continue;
        victim = speakers_sooner(set, (int)i, victim);
        if (is_own)
            own_victim = speakers_sooner(set, (int)i, own_victim);
    }
    return own >= SPEAKERS_SHARE ? own_victim : victim;
}

static void
speaker_turn(struct speaker *speaker)
{
    uint32_t turns =
        atomic_load_explicit(&speaker->turns, memory_order_relaxed) + 1;

    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&speaker->turns, turns, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void
speakers_forget(struct speakers *speakers, bool granted)
{
    series_add(granted ? &speakers->forgotten : &speakers->forgotten_refused,
               1);
}

void
speakers_note(struct speakers *speakers, uint64_t source,
              const struct speaker_key *key, enum request_version version,
              bool granted, uint32_t now_s)
{
    struct speaker_set *set = &speakers->sets[source % SPEAKERS_SETS];
    uint16_t tag = speaker_tag(key);
    int way = speakers_find(set, key, tag);
    bool known = way >= 0;

    if (version == REQUEST_UNKNOWN)
        return;
    if (!known)
        way = speakers_choose(set, key->client, granted);
    if (way < 0) {
        speakers_forget(speakers, granted);
        return;
    }
    struct speaker *speaker = &set->entries[way];
    if (!known && !speaker_is_free(set, (unsigned)way))
        speakers_forget(speakers, speaker->granted != 0);
    if (!(atomic_load_explicit(&speaker->turns, memory_order_relaxed) & 1))
        speaker_turn(speaker);
    if (!known) {
        speaker->key = *key;
        speaker->granted = 0;
        memset(speaker->seen, 0, sizeof(speaker->seen));
        set->tags[way] = tag;
    }
    struct speaker_seen *seen = &speaker->seen[version - 1];
    if (seen->count++ == 0)
        seen->first_s = now_s;
    seen->last_s = speaker->last_s = now_s;
    speaker->granted |= granted;
    speaker_turn(speaker);
}

bool
speakers_read(const struct speakers *speakers, unsigned index,
              struct speaker *copy)
{
    const struct speaker_set *set = &speakers->sets[index / SPEAKERS_WAYS];
    const struct speaker *speaker = &set->entries[index % SPEAKERS_WAYS];
    uint32_t turns =
        atomic_load_explicit(&speaker->turns, memory_order_acquire);

    if (set->tags[index % SPEAKERS_WAYS] == 0 || (turns & 1))
        return false;
    memcpy(copy, speaker, sizeof(*copy));
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&speaker->turns, memory_order_relaxed) != turns)
        return false;
    if (copy->key.user_len > SPEAKER_USER_MAX)
        copy->key.user_len = SPEAKER_USER_MAX;
    copy->granted = copy->granted != 0;
    if (copy->key.rule >= SERIES_RULE_PLACES)
        copy->key.rule = SERIES_OTHER;
    return true;
}
