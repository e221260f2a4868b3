#ifndef GATEWAY_OBSERVER_FIGURES_H
#define GATEWAY_OBSERVER_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/config/config.h"
#include "gateway/segment.h"

/*
 * The figures of the gateway, read from the segment and the configuration. Each
 * function adds up what the workers have counted, those that have ended
 * included. Nothing in the segment is relied on: a worker that was taken over
 * may have written it.
 */
struct figures {
    const struct segment *segment; /* borrowed, as all of these */
    const struct config *config;   /* in force */
    const char *config_id;         /* as in the log */
    const char *config_sha256;     /* of the effective text */
};

/* Sessions now in a state, of a listener by number (series.h). */
uint64_t figures_live(const struct figures *figures, unsigned listener,
                      enum session_state state);
/* Of all listeners. */
uint64_t figures_state(const struct figures *figures, enum session_state state);

/* How many came out so. Where several verdicts have one name, the first of them
   stands for all. */
struct figures_outcome {
    uint32_t key;      /* of the rest */
    unsigned listener; /* its number */
    unsigned verdict;  /* enum verdict, or SERIES_VERDICT_OTHER */
    unsigned code;
    unsigned version; /* enum request_version, or more */
    uint64_t count;
};
/* All outcomes that have come up, each once, in the order of their keys: an
   array to be freed, of *count. NULL: no memory. */
struct figures_outcome *figures_outcomes(const struct figures *figures,
                                         size_t *count);
/* Its name. */
const char *figures_verdict(unsigned verdict);
/* Whether it is a refusal; not so where nothing was asked. */
bool figures_is_refusal(unsigned verdict);

/* Requests that a rule has decided: of a version, of all. */
struct figures_decided {
    uint64_t count;
    uint32_t last_s; /* wall clock, since 1970 */
};
struct figures_decided figures_decided(const struct figures *figures,
                                       unsigned rule,
                                       enum request_version version);
uint64_t figures_rule(const struct figures *figures, unsigned rule);
/* What speakers.h has no room for. */
uint64_t figures_forgotten(const struct figures *figures, bool granted);
uint64_t figures_handshakes(const struct figures *figures,
                            enum handshake result);
uint64_t figures_datagrams(const struct figures *figures,
                           enum datagram outcome);
uint64_t figures_limited(const struct figures *figures, enum limit limit);

/* Not cumulative; the last count is of all above the last bound. */
struct figures_histogram {
    uint64_t counts[SERIES_BUCKETS + 1];
    uint64_t count, sum_ms;
};
void figures_phase(const struct figures *figures, enum phase phase,
                   struct figures_histogram *histogram);
void figures_parent(const struct figures *figures, unsigned parent,
                    struct figures_histogram *histogram);
/* Whether the last session that tried it had an answer, or none has tried. */
bool figures_parent_is_up(const struct figures *figures, unsigned parent);

/* A limit, and how much of it is used. */
#define FIGURES_LIMITS(X)                                                      \
    X(SESSIONS, "sessions")                                                    \
    X(PENDING, "pending")                                                      \
    X(MEMORY, "memory")                                                        \
    X(STALLED, "stalled-memory")                                               \
    X(DESCRIPTORS, "descriptors")                                              \
    X(PIPES, "pipes")

enum figures_limit {
#define X(symbol, name) FIGURES_##symbol,
    FIGURES_LIMITS(X)
#undef X
        FIGURES_LIMIT_COUNT
};

extern const char *const figures_limit_names[FIGURES_LIMIT_COUNT];

struct figures_limited {
    uint64_t most, used;
};
struct figures_limited figures_limit(const struct figures *figures,
                                     enum figures_limit limit);

#endif
