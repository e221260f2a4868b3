#include "gateway/observer/figures.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/worker/verdict.h"

/* Slots that have series. */
static unsigned
figures_slots(const struct figures *figures)
{
    unsigned slots =
        atomic_load_explicit(&figures->segment->counted, memory_order_relaxed);

    return slots < SEGMENT_SLOTS ? slots : SEGMENT_SLOTS;
}

static uint64_t
figures_load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- sessions ------------------------------------------------------------ */

uint64_t
figures_live(const struct figures *figures, unsigned listener,
             enum session_state state)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < figures_slots(figures); i++)
        sum += atomic_load_explicit(
            &figures->segment->lives[i].count[listener][state],
            memory_order_relaxed);
    return sum;
}

uint64_t
figures_state(const struct figures *figures, enum session_state state)
{
    unsigned end = series_names_end(&figures->segment->names, SERIES_LISTENER);
    uint64_t sum = 0;

    for (unsigned i = 0; i < end; i++)
        sum += figures_live(figures, i, state);
    return sum;
}

const char *
figures_verdict(unsigned verdict)
{
    return verdict < VERDICT_COUNT ? verdict_rows[verdict].name : "(other)";
}

bool
figures_is_refusal(unsigned verdict)
{
    if (verdict >= VERDICT_COUNT)
        return false;
    const struct verdict_row *row = &verdict_rows[verdict];
    return row->class == VERDICT_REFUSED ||
           (row->class == VERDICT_EARLY && row->level < LOG_LEVEL_INFO);
}

static unsigned
figures_first_verdict(unsigned verdict)
{
    unsigned first = 0;

    if (verdict >= VERDICT_COUNT)
        return SERIES_VERDICT_OTHER;
    while (strcmp(verdict_rows[first].name, verdict_rows[verdict].name) != 0)
        first++;
    return first;
}

static void
figures_take_outcome(struct figures_outcome *outcome, uint32_t key,
                     uint64_t count)
{
    *outcome = (struct figures_outcome){
        .listener = series_key_listener(key),
        .verdict = figures_first_verdict(series_key_verdict(key)),
        .code = series_key_code(key),
        .version = series_key_version(key),
        .count = count,
    };
    outcome->key = series_key(outcome->listener, outcome->verdict,
                              outcome->code, outcome->version);
}

static int
figures_order(const void *a, const void *b)
{
    uint32_t one = ((const struct figures_outcome *)a)->key;
    uint32_t other = ((const struct figures_outcome *)b)->key;

    return (one > other) - (one < other);
}

/* Into `outcomes`, if it is not NULL; how many there are in all slots. */
static size_t
figures_find_outcomes(const struct figures *figures, size_t most,
                      struct figures_outcome *outcomes)
{
    size_t found = 0;

    for (unsigned i = 0; i < figures_slots(figures); i++) {
        const struct series *series = &figures->segment->series[i];
        for (unsigned j = 0; j < SERIES_OUTCOMES; j++) {
            uint32_t key =
                atomic_load_explicit(&series->keys[j], memory_order_acquire);
            if (key == 0)
                break;
            if (outcomes != NULL && found < most)
                figures_take_outcome(&outcomes[found], key,
                                     figures_load(&series->outcomes[j]));
            found++;
        }
    }
    return outcomes != NULL && found > most ? most : found;
}

struct figures_outcome *
figures_outcomes(const struct figures *figures, size_t *count)
{
    size_t found = figures_find_outcomes(figures, 0, NULL), kept = 0;
    struct figures_outcome *outcomes = calloc(found + 1, sizeof(*outcomes));

    if (outcomes == NULL)
        return NULL;
    found = figures_find_outcomes(figures, found, outcomes);
    qsort(outcomes, found, sizeof(*outcomes), figures_order);
    for (size_t i = 1; i < found; i++)
        if (outcomes[i].key == outcomes[kept].key)
            outcomes[kept].count += outcomes[i].count;
        else
            outcomes[++kept] = outcomes[i];
    *count = found > 0 ? kept + 1 : 0;
    return outcomes;
}

/* --- counters ------------------------------------------------------------ */

/* A counter, given as it is in the first series, over all of them. */
static uint64_t
figures_sum(const struct figures *figures, const _Atomic uint64_t *first)
{
    const char *at = (const char *)first;
    uint64_t sum = 0;

    for (unsigned i = 0; i < figures_slots(figures); i++) {
        sum += figures_load((const _Atomic uint64_t *)at);
        at += sizeof(figures->segment->series[0]);
    }
    return sum;
}

struct figures_decided
figures_decided(const struct figures *figures, unsigned rule,
                enum request_version version)
{
    const struct series *series = figures->segment->series;
    struct figures_decided decided = {
        .count =
            figures_sum(figures, &series[0].rules[rule].count[version - 1])};

    for (unsigned i = 0; decided.count > 0 && i < figures_slots(figures); i++) {
        uint32_t last_s = atomic_load_explicit(
            &series[i].rules[rule].last_s[version - 1], memory_order_relaxed);
        if (last_s > decided.last_s)
            decided.last_s = last_s;
    }
    return decided;
}

uint64_t
figures_rule(const struct figures *figures, unsigned rule)
{
    const struct series_rule *its = &figures->segment->series[0].rules[rule];
    uint64_t sum = 0;

    for (unsigned i = 0; i < SERIES_VERSIONS; i++)
        sum += figures_sum(figures, &its->count[i]);
    return sum;
}

uint64_t
figures_forgotten(const struct figures *figures, bool granted)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < figures_slots(figures); i++) {
        const struct speakers *speakers = &figures->segment->speakers[i];
        sum += figures_load(granted ? &speakers->forgotten
                                    : &speakers->forgotten_refused);
    }
    return sum;
}

uint64_t
figures_handshakes(const struct figures *figures, enum handshake result)
{
    return figures_sum(figures,
                       &figures->segment->series[0].handshakes[result]);
}

uint64_t
figures_datagrams(const struct figures *figures, enum datagram outcome)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < figures_slots(figures); i++)
        sum += figures_load(&figures->segment->series[i].datagrams[outcome]);
    return sum;
}

uint64_t
figures_limited(const struct figures *figures, enum limit limit)
{
    return figures_sum(figures, &figures->segment->series[0].limited[limit]);
}

/* --- histograms ---------------------------------------------------------- */

static void
figures_add(struct figures_histogram *sum,
            const struct series_histogram *histogram)
{
    for (unsigned i = 0; i <= SERIES_BUCKETS; i++) {
        uint64_t count = figures_load(&histogram->counts[i]);
        sum->counts[i] += count;
        sum->count += count;
    }
    sum->sum_ms += figures_load(&histogram->sum_ms);
}

void
figures_phase(const struct figures *figures, enum phase phase,
              struct figures_histogram *histogram)
{
    *histogram = (struct figures_histogram){0};
    for (unsigned i = 0; i < figures_slots(figures); i++)
        figures_add(histogram, &figures->segment->series[i].phases[phase]);
}

void
figures_parent(const struct figures *figures, unsigned parent,
               struct figures_histogram *histogram)
{
    *histogram = (struct figures_histogram){0};
    for (unsigned i = 0; i < figures_slots(figures); i++)
        figures_add(histogram, &figures->segment->series[i].parents[parent]);
}

bool
figures_parent_is_up(const struct figures *figures, unsigned parent)
{
    uint64_t answered_us = 0, failed_us = 0;

    for (unsigned i = 0; i < figures_slots(figures); i++) {
        const struct series *series = &figures->segment->series[i];
        uint64_t answered = figures_load(&series->parent_answered_us[parent]);
        uint64_t failed = figures_load(&series->parent_failed_us[parent]);
        answered_us = answered > answered_us ? answered : answered_us;
        failed_us = failed > failed_us ? failed : failed_us;
    }
    return answered_us >= failed_us;
}

/* --- limits -------------------------------------------------------------- */

const char *const figures_limit_names[FIGURES_LIMIT_COUNT] = {
#define X(symbol, name) name,
    FIGURES_LIMITS(X)
#undef X
};

/* Those of limits.c and sizing.c; of what workers divide among themselves, all
   of them together. */
struct figures_limited
figures_limit(const struct figures *figures, enum figures_limit limit)
{
    const struct segment *segment = figures->segment;
    const struct config *config = figures->config;
    struct config_budget budget = config_budget(config);
    uint64_t workers = config_workers(config);
    uint64_t live = segment_gauge_sum(segment, SEGMENT_GAUGE_live);
    uint64_t queued = segment_gauge_sum(segment, SEGMENT_GAUGE_queued);
    uint64_t pipes = segment_gauge_sum(segment, SEGMENT_GAUGE_pipes);

    switch (limit) {
    case FIGURES_SESSIONS:
        return (struct figures_limited){config_sessions(config), live};
    case FIGURES_PENDING:
        return (struct figures_limited){
            config_pending(config),
            segment_gauge_sum(segment, SEGMENT_GAUGE_pending)};
    case FIGURES_MEMORY:
        return (struct figures_limited){
            config_memory(config),
            live * CONFIG_SESSION_OCTETS + queued +
                segment_gauge_sum(segment, SEGMENT_GAUGE_held)};
    case FIGURES_STALLED:
        return (struct figures_limited){budget.queued * workers, queued};
    case FIGURES_DESCRIPTORS:
        return (struct figures_limited){budget.descriptors * workers,
                                        budget.fixed * workers +
                                            budget.session * live + 2 * pipes};
    case FIGURES_PIPES:
        return (struct figures_limited){budget.pipes * workers, pipes};
    case FIGURES_LIMIT_COUNT:
        break;
    }
    return (struct figures_limited){0};
}
