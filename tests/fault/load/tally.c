#include "tests/fault/load/tally.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[OUTCOMES] = {
    [OUTCOME_EXACT] = "exact",     [OUTCOME_SHORT] = "short",
    [OUTCOME_FOREIGN] = "foreign", [OUTCOME_RESET] = "reset",
    [OUTCOME_CLEAN] = "clean",     [OUTCOME_EARLY] = "early",
    [OUTCOME_LOST] = "lost",       [OUTCOME_REFUSED] = "refused",
    [OUTCOME_CUT] = "cut",         [OUTCOME_LATE] = "late",
};

enum outcome
outcome_worse(enum outcome one, enum outcome other)
{
    return one == OUTCOME_EXACT ? other : one;
}

void
tally_print(const char *name, const struct tally *tally)
{
    printf("\"%s\": {\"sessions\": %" PRIu64, name, tally->sessions);
    for (int i = 0; i < OUTCOMES; i++)
        printf(", \"%s\": %" PRIu64, names[i], tally->outcomes[i]);
    printf(", \"octets\": %" PRIu64 ", \"errno\": %d}", tally->octets,
           tally->first_errno);
}

void
tally_print_times(const char *name, const struct histogram *histogram)
{
    printf("\"%s\": {\"count\": %" PRIu64
           ", \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}",
           name, histogram->count, (double)histogram_at(histogram, 0.5) / 1e6,
           (double)histogram_at(histogram, 0.99) / 1e6,
           (double)histogram->max_ns / 1e6);
}
