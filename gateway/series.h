#ifndef GATEWAY_SERIES_H
#define GATEWAY_SERIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/labels.h"

/*
 * What metrics count by label: parts of the shared segment. A worker counts in
 * the series of its slot, which no other process writes to, so that counting
 * is a plain addition; readers add the slots up. What was counted stays when
 * the worker ends, and the next worker of the slot counts on.
 *
 * A rule, listener or parent is counted by its name, whatever has become of it
 * in a reload: the monitor gives each name a number for as long as the segment
 * lives, and the worker looks the number up when it takes a configuration.
 */

/* --- names --------------------------------------------------------------- */

/* kind, how many places: a power of two. Three quarters of them are for names,
   and that is more than a configuration may have. */
#define SERIES_KINDS(X)                                                        \
    X(LISTENER, 128)                                                           \
    X(PARENT, 32)                                                              \
    X(RULE, 16384)

enum series_kind {
#define X(kind, places) SERIES_##kind,
    SERIES_KINDS(X)
#undef X
        SERIES_KIND_COUNT
};

enum {
#define X(kind, places) SERIES_##kind##_PLACES = (places),
    SERIES_KINDS(X)
#undef X
#define X(kind, places) +(places)
        SERIES_PLACES = SERIES_KINDS(X)
#undef X
};

#define SERIES_NAME_MAX 65 /* with its NUL: a name has at most 64 octets */

/* Kind after kind: where a name's number stands is found by its hash, and its
   text by its number. */
struct series_names {
    _Atomic uint32_t count[SERIES_KIND_COUNT]; /* numbers in use, 0 included */
    _Atomic uint32_t places[SERIES_PLACES];    /* 0: free */
    char texts[SERIES_PLACES][SERIES_NAME_MAX];
};

/* The number of all names for which there was no room. */
#define SERIES_OTHER 0

/* A name's number, or SERIES_OTHER. */
unsigned series_names_find(const struct series_names *names,
                           enum series_kind kind, const char *text);
/* The same; one that is not there gets the next number. Only the monitor calls
   it. */
unsigned series_names_add(struct series_names *names, enum series_kind kind,
                          const char *text);
/* All numbers in use are below it. */
unsigned series_names_end(const struct series_names *names,
                          enum series_kind kind);
/* The name with that number, "" for SERIES_OTHER. What a worker that was taken
   over has written is a name like any other. */
const char *series_names_text(const struct series_names *names,
                              enum series_kind kind, unsigned number,
                              char text[SERIES_NAME_MAX]);

/* --- histograms ---------------------------------------------------------- */

/* Upper bounds, in milliseconds. A time is in the first bucket whose bound is
   above it, for times are rounded down to milliseconds. */
#define SERIES_BOUNDS_MS                                                       \
    {                                                                          \
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000,    \
            60000, 300000, 3600000                                             \
    }
#define SERIES_BUCKETS 17

extern const uint32_t series_bounds_ms[SERIES_BUCKETS];

struct series_histogram {
    _Atomic uint64_t counts[SERIES_BUCKETS + 1]; /* the last has no bound */
    _Atomic uint64_t sum_ms;
};

/* --- sessions ------------------------------------------------------------ */

/* How sessions came out: by listener, verdict, code of the reply and version
   in one key, in the order in which they first came up. */
#define SERIES_OUTCOMES 2048

#define SERIES_KEY_USED (UINT32_C(1) << 31)

static inline uint32_t
series_key(unsigned listener, unsigned verdict, unsigned code, unsigned version)
{
    return SERIES_KEY_USED | (uint32_t)(listener & 0x7f) << 20 |
           (uint32_t)(verdict & 0xff) << 12 | (uint32_t)(code & 0xff) << 4 |
           (uint32_t)(version & 0xf);
}

static inline unsigned
series_key_listener(uint32_t key)
{
    return key >> 20 & 0x7f;
}

static inline unsigned
series_key_verdict(uint32_t key)
{
    return key >> 12 & 0xff;
}

static inline unsigned
series_key_code(uint32_t key)
{
    return key >> 4 & 0xff;
}

static inline unsigned
series_key_version(uint32_t key)
{
    return key & 0xf;
}

/* Of the last place, where all further outcomes are counted. */
#define SERIES_VERDICT_OTHER 0xff

/* --- decisions ----------------------------------------------------------- */

#define SERIES_VERSIONS (REQUEST_VERSION_COUNT - 1)

/* What a rule has decided, by request_version, less 1. */
struct series_rule {
    _Atomic uint64_t count[SERIES_VERSIONS];
    _Atomic uint32_t last_s[SERIES_VERSIONS]; /* wall clock, since 1970 */
};

/* --- the series of a slot ------------------------------------------------ */

struct series {
    _Alignas(64) _Atomic uint32_t keys[SERIES_OUTCOMES]; /* 0: none behind it */
    _Atomic uint64_t outcomes[SERIES_OUTCOMES];
    struct series_histogram phases[PHASE_COUNT];
    _Atomic uint64_t handshakes[HANDSHAKE_COUNT];
    _Atomic uint64_t datagrams[DATAGRAM_COUNT];
    _Atomic uint64_t limited[LIMIT_COUNT]; /* connections and sessions that met
                                              it; of descriptors: pauses */
    struct series_histogram parents[SERIES_PARENT_PLACES]; /* to the reply */
    /* When a parent last answered, and when the last of its addresses that did
       not rest failed; monotonic; 0: never. */
    _Atomic uint64_t parent_answered_us[SERIES_PARENT_PLACES];
    _Atomic uint64_t parent_failed_us[SERIES_PARENT_PLACES];
    struct series_rule rules[SERIES_RULE_PLACES];
};

/* Gauges: sessions of a slot by listener and state. They are zeroed when its
   worker is dead. */
struct series_live {
    _Atomic uint32_t count[SERIES_LISTENER_PLACES][SESSION_STATE_COUNT];
};

/* Nobody else writes to it: no locked instruction is needed. */
static inline void
series_add(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
        memory_order_relaxed);
}

static inline void
series_live_add(_Atomic uint32_t *gauge, int by)
{
    atomic_store_explicit(
        gauge, atomic_load_explicit(gauge, memory_order_relaxed) + (uint32_t)by,
        memory_order_relaxed);
}

static inline void
series_observe(struct series_histogram *histogram, uint32_t ms)
{
    unsigned bucket = 0;

    while (bucket < SERIES_BUCKETS && ms >= series_bounds_ms[bucket])
        bucket++;
    series_add(&histogram->counts[bucket], 1);
    series_add(&histogram->sum_ms, ms);
}

/* The rule has decided a request of that version, which is known. */
static inline void
series_decided(struct series_rule *rule, unsigned version, uint32_t now_s)
{
    series_add(&rule->count[version - 1], 1);
    atomic_store_explicit(&rule->last_s[version - 1], now_s,
                          memory_order_relaxed);
}

/* A session came out so: series_key. */
void series_count(struct series *series, uint32_t key);

#endif
