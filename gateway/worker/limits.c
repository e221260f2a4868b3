#include "gateway/worker/limits.h"

#include <errno.h>

#include "base/sys.h"
#include "gateway/worker/sources.h"

/* Between two lines about one limit. */
#define QUIET_MS 1000

/* ---- Lines of the log ---- */

static const char *const limit_names[LIMIT_COUNT] = {
#define X(symbol, name) name,
    LIMITS(X)
#undef X
};

static bool
limits_write(struct complaint *complaint)
{
    struct limits *limits = complaint->limits;
    char source[ADDR_TEXT_MAX];
    struct log_line line;

    record_begin(limits->records, &line, "limit", LOG_LEVEL_WARNING);
    log_number(&line, "worker", limits->slot);
    log_text(&line, "limit", limit_names[complaint - limits->complaints]);
    log_number(&line, "count", complaint->count);
    if (complaint->source.hi != 0 || complaint->source.lo != 0)
        log_text(&line, "source", addr_format(complaint->source, source));
    return record_say(limits->records, &line);
}

/* If the log has no room, the count goes into the next line. */
static void
limits_say(struct complaint *complaint)
{
    if (limits_write(complaint))
        complaint->count = 0;
    loop_start_timer(complaint->limits->loop, &complaint->quiet, QUIET_MS);
}

static void
limits_say_again(struct timer *timer)
{
    struct complaint *complaint = container_of(timer, struct complaint, quiet);

    if (complaint->count > 0)
        limits_say(complaint);
}

void
limits_complain(struct limits *limits, enum limit limit, struct addr source)
{
    struct complaint *complaint = &limits->complaints[limit];

    series_add(&limits->segment->series[limits->slot].limited[limit], 1);
    complaint->count++;
    complaint->source = source;
    if (!timer_running(&complaint->quiet))
        limits_say(complaint);
}

/* ---- Beginning and end ---- */

void
limits_init(struct limits *limits, struct loop *loop, struct segment *segment,
            unsigned slot, struct record_log *records,
            const struct config *config)
{
    limits->loop = loop;
    limits->segment = segment;
    limits->column = &segment->columns[slot];
    limits->slot = slot;
    limits->records = records;
    limits_set(limits, config);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        struct complaint *complaint = &limits->complaints[i];
        complaint->limits = limits;
        complaint->count = 0;
        timer_init(&complaint->quiet, limits_say_again);
    }
}

void
limits_set(struct limits *limits, const struct config *config)
{
    limits->sessions = config_sessions(config);
    limits->pending = config_pending(config);
    limits->memory = config_memory(config);
    limits->source_pending = config->limits.per_source.pending;
    limits->source_sessions = config->limits.per_source.sessions;
    limits->source_rate = config->limits.per_source.rate;
    limits->auto_sessions = config_source_sessions(config);
}

void
limits_fini(struct limits *limits)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        struct complaint *complaint = &limits->complaints[i];
        if (complaint->count > 0)
            limits_write(complaint);
        loop_cancel_timer(limits->loop, &complaint->quiet);
    }
}

/* ---- One source ---- */

/* With `auto` this machine, which is all of its users, has no limit of its
   own. */
static uint64_t
limits_or_auto(uint64_t limit, uint64_t automatic, struct addr source)
{
    if (limit != CONFIG_AUTO)
        return limit;
    return addr_is_loopback(source) ? UINT64_MAX : automatic;
}

static void
limits_take_pending(struct limits *limits, int source_index)
{
    if (source_index >= 0)
        sources_take(limits->segment, limits->slot, source_index,
                     SEGMENT_CHARGE_pending, UINT64_MAX);
}

bool
limits_on_time(struct limits *limits, struct addr source, int source_index)
{
    uint64_t rate =
        limits_or_auto(limits->source_rate, CONFIG_SOURCE_RATE, source);

    return source_index < 0 || rate == UINT64_MAX ||
           sources_on_time(limits->segment, source_index, rate,
                           limits->loop->now_us * 1000);
}

static enum limit
limits_of_source(struct limits *limits, struct addr source, int source_index)
{
    struct segment *segment = limits->segment;
    uint64_t sessions =
        limits_or_auto(limits->source_sessions, limits->auto_sessions, source);

    if (source_index < 0)
        return LIMIT_NONE;
    if (!limits_on_time(limits, source, source_index))
        return LIMIT_RATE;
    if (sources_sum(segment, source_index, SEGMENT_CHARGE_sessions) > sessions)
        return LIMIT_SOURCE_SESSIONS;
    limits_take_pending(limits, source_index);
    if (sources_sum(segment, source_index, SEGMENT_CHARGE_pending) >
        limits->source_pending)
        return LIMIT_SOURCE_PENDING;
    return LIMIT_NONE;
}

/* ---- In all ---- */

/* What a limit leaves to a source: all of it to one that had nothing, to
   others nineteen in twenty, rounded up. */
static uint64_t
limits_share(uint64_t max, bool newcomer)
{
    return newcomer ? max : max - max / 20;
}

static enum limit
limits_in_all(struct limits *limits, bool newcomer)
{
    struct segment *segment = limits->segment;
    uint64_t live = segment_served_sum(segment, SEGMENT_GAUGE_live);
    uint64_t pending = segment_served_sum(segment, SEGMENT_GAUGE_pending);
    uint64_t held = segment_served_sum(segment, SEGMENT_GAUGE_held) +
                    segment_served_sum(segment, SEGMENT_GAUGE_queued);

    if (live > limits_share(limits->sessions, newcomer))
        return LIMIT_SESSIONS;
    if (pending > limits_share(limits->pending, newcomer))
        return LIMIT_PENDING;
    if (live * CONFIG_SESSION_OCTETS + held > limits->memory)
        return LIMIT_MEMORY;
    return LIMIT_NONE;
}

/* Enters a source: its session is charged, unless the limit does not shed. */
static enum limit
limits_enter_source(struct limits *limits, struct addr source,
                    int *source_index)
{
    *source_index = sources_enter(limits->segment, limits->slot, source,
                                  limits->loop->now_us * 1000);
    enum limit limit = limits_of_source(limits, source, *source_index);
    if (limit == LIMIT_NONE || limit == LIMIT_SOURCE_PENDING)
        return limit;
    sources_leave(limits->segment, limits->slot, *source_index);
    *source_index = -ENOENT;
    return limit;
}

enum limit
limits_enter(struct limits *limits, struct addr source, bool balancer,
             int *source_index)
{
    enum limit limit = LIMIT_NONE;

    if (balancer) {
        *source_index = sources_enter(limits->segment, limits->slot, source,
                                      limits->loop->now_us * 1000);
        limits_take_pending(limits, *source_index);
    } else {
        limit = limits_enter_source(limits, source, source_index);
    }
    if (limit != LIMIT_NONE && limit != LIMIT_SOURCE_PENDING)
        return limit;
    segment_charge(limits->column, SEGMENT_GAUGE_live, 1);
    segment_charge(limits->column, SEGMENT_GAUGE_pending, 1);
    if (limit != LIMIT_NONE)
        return limit;
    return limits_in_all(limits,
                         balancer || limits_newcomer(limits, *source_index));
}

enum limit
limits_move(struct limits *limits, struct addr source, int *source_index)
{
    if (*source_index >= 0) {
        sources_give(limits->segment, limits->slot, *source_index,
                     SEGMENT_CHARGE_pending);
        sources_leave(limits->segment, limits->slot, *source_index);
    }
    enum limit limit = limits_enter_source(limits, source, source_index);
    if (limit != LIMIT_NONE)
        return limit;
    return limits_in_all(limits, limits_newcomer(limits, *source_index));
}

uint64_t
limits_connect_ms(const struct limits *limits, uint64_t full_ms)
{
    uint64_t pending =
        segment_served_sum(limits->segment, SEGMENT_GAUGE_pending);
    uint64_t free = limits->pending - limits->pending / 2;
    uint64_t left = pending < limits->pending ? limits->pending - pending : 0;

    if (full_ms <= LIMITS_CONNECT_MS || left >= free)
        return full_ms;
    return LIMITS_CONNECT_MS + (full_ms - LIMITS_CONNECT_MS) * left / free;
}

bool
limits_newcomer(struct limits *limits, int source_index)
{
    return source_index < 0 || sources_sum(limits->segment, source_index,
                                           SEGMENT_CHARGE_sessions) == 1;
}

void
limits_settle(struct limits *limits, int source_index)
{
    segment_charge(limits->column, SEGMENT_GAUGE_pending, -1);
    if (source_index >= 0)
        sources_give(limits->segment, limits->slot, source_index,
                     SEGMENT_CHARGE_pending);
}

void
limits_leave(struct limits *limits, int source_index)
{
    segment_charge(limits->column, SEGMENT_GAUGE_live, -1);
    if (source_index >= 0)
        sources_leave(limits->segment, limits->slot, source_index);
}

/* ---- BINDs and associations ---- */

int
limits_take_port(struct limits *limits, int source_index,
                 enum segment_charge which, uint64_t max)
{
    if (source_index < 0)
        return source_index;
    int error =
        sources_take(limits->segment, limits->slot, source_index, which, max);
    return error < 0 ? error : source_index;
}

void
limits_give_port(struct limits *limits, int source_index,
                 enum segment_charge which)
{
    if (source_index >= 0)
        sources_give(limits->segment, limits->slot, source_index, which);
}
