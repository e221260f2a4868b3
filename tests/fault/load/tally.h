#ifndef FAULT_TALLY_H
#define FAULT_TALLY_H

#include <stdint.h>

#include "bench/histogram.h"
#include "tests/fault/load/flow.h"

/* The outcomes of the sessions of one plan. */
enum outcome {
    OUTCOME_EXACT = FLOW_EXACT,
    OUTCOME_SHORT = FLOW_SHORT,
    OUTCOME_FOREIGN = FLOW_FOREIGN,
    OUTCOME_RESET = FLOW_RESET,
    OUTCOME_CLEAN = FLOW_CLEAN,
    OUTCOME_EARLY = FLOW_EARLY,
    OUTCOME_LOST = FLOW_LOST,
    OUTCOME_REFUSED, /* a reply 91 to 93, and an orderly end */
    OUTCOME_CUT,     /* ended in any way before the reply */
    OUTCOME_LATE,    /* not over at the time limit */
    OUTCOMES
};

struct tally {
    uint64_t sessions;
    uint64_t outcomes[OUTCOMES];
    uint64_t octets; /* received and checked */
    int first_errno; /* of the first that was cut */
};

/* The worse of two ends of a session. */
enum outcome outcome_worse(enum outcome one, enum outcome other);

/* `"NAME": {...}` */
void tally_print(const char *name, const struct tally *tally);

/* `"NAME": {"count": N, "p50": ms, "p99": ms, "max": ms}` */
void tally_print_times(const char *name, const struct histogram *histogram);

#endif
