#include "gateway/observer/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct history_point history_unknown = {NAN, NAN, NAN,
                                                     NAN, NAN, NAN};

void
history_init(struct history *history, struct history_kept *kept,
             const double *bounds, size_t buckets, uint64_t second)
{
    if (kept->second > second || kept->minute_second > kept->second)
        memset(kept, 0, sizeof(*kept));
    *history = (struct history){
        .bounds = bounds,
        .buckets = buckets < HISTORY_BUCKETS ? buckets : HISTORY_BUCKETS,
        .kept = kept,
        .seconds = {kept->seconds, HISTORY_SECONDS, &kept->seconds_pushed},
        .minutes = {kept->minutes, HISTORY_MINUTES, &kept->minutes_pushed},
    };
}

static void
history_push(struct history_ring *ring, const struct history_point *point)
{
    ring->points[*ring->pushed % ring->room] = *point;
    ++*ring->pushed;
}

size_t
history_count(const struct history_ring *ring)
{
    return *ring->pushed < ring->room ? (size_t)*ring->pushed : ring->room;
}

const struct history_point *
history_at(const struct history_ring *ring, size_t index)
{
    uint64_t oldest = *ring->pushed - history_count(ring);
    return &ring->points[(oldest + index) % ring->room];
}

const struct history_point *
history_newest(const struct history *history)
{
    size_t count = history_count(&history->seconds);

    return count > 0 ? history_at(&history->seconds, count - 1)
                     : &history_unknown;
}

void
history_values(const struct history_point *point, double values[HISTORY_VALUES])
{
    values[0] = point->sessions;
    values[1] = point->connections;
    values[2] = point->up;
    values[3] = point->down;
    values[4] = point->p50;
    values[5] = point->p99;
}

double
history_quantile(const double *bounds, const uint64_t *counts, size_t buckets,
                 double share)
{
    uint64_t all = 0;
    for (size_t i = 0; i < buckets; i++)
        all += counts[i];
    if (all == 0)
        return NAN;
    double rank = share * (double)all, below = 0;
    for (size_t i = 0; i + 1 < buckets; i++) {
        double here = (double)counts[i];
        if (here > 0 && below + here >= rank) {
            double from = i == 0 ? 0 : bounds[i - 1];
            return from + (bounds[i] - from) * (rank - below) / here;
        }
        below += here;
    }
    return buckets < 2 ? 0 : bounds[buckets - 2];
}

/* A counter that went back is another gateway's: an upgrade that could not
   keep the segment. */
static uint64_t
history_grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static struct history_point
history_between(const struct history *history,
                const struct history_sample *before,
                const struct history_sample *now, uint64_t seconds)
{
    uint64_t connects[HISTORY_BUCKETS];
    for (size_t i = 0; i < history->buckets; i++)
        connects[i] = history_grown(now->connects[i], before->connects[i]);
    double s = (double)seconds;
    return (struct history_point){
        .sessions = (double)now->sessions,
        .connections =
            (double)history_grown(now->accepted, before->accepted) / s,
        .up = (double)history_grown(now->up, before->up) / s,
        .down = (double)history_grown(now->down, before->down) / s,
        .p50 =
            history_quantile(history->bounds, connects, history->buckets, .5),
        .p99 =
            history_quantile(history->bounds, connects, history->buckets, .99),
    };
}

static void
history_begin_minute(struct history_kept *kept, uint64_t second,
                     const struct history_sample *sample)
{
    kept->minute_second = second;
    kept->minute = *sample;
    kept->minute_sessions = 0;
}

/* A minute is whole 60 s after it began, or later if nothing was heard. */
static void
history_end_minute(struct history *history, uint64_t second,
                   const struct history_sample *sample)
{
    struct history_kept *kept = history->kept;
    uint64_t seconds = second - kept->minute_second;
    if (seconds < 60)
        return;
    struct history_point point =
        history_between(history, &kept->minute, sample, seconds);
    point.sessions = kept->minute_sessions;
    uint64_t missed = seconds / 60 - 1;
    if (missed > HISTORY_MINUTES)
        missed = HISTORY_MINUTES;
    for (uint64_t i = 0; i < missed; i++)
        history_push(&history->minutes, &history_unknown);
    history_push(&history->minutes, &point);
    history_begin_minute(kept, second, sample);
}

void
history_add(struct history *history, uint64_t second,
            const struct history_sample *sample)
{
    struct history_kept *kept = history->kept;
    if (kept->samples == 0) {
        history_begin_minute(kept, second, sample);
    } else if (second <= kept->second) {
        return;
    } else {
        uint64_t seconds = second - kept->second;
        struct history_point point =
            history_between(history, &kept->newest, sample, seconds);
        uint64_t missed = seconds - 1;
        if (missed > HISTORY_SECONDS)
            missed = HISTORY_SECONDS;
        for (uint64_t i = 0; i < missed; i++)
            history_push(&history->seconds, &history_unknown);
        history_push(&history->seconds, &point);
        kept->minute_sessions = fmax(kept->minute_sessions, point.sessions);
        history_end_minute(history, second, sample);
    }
    kept->second = second;
    kept->newest = *sample;
    kept->samples++;
}

static void
history_print_ring(FILE *out, const char *name, const struct history_ring *ring)
{
    fprintf(out, ",\"%s\":[", name);
    size_t count = history_count(ring);
    for (size_t i = 0; i < count; i++) {
        double values[HISTORY_VALUES];
        history_values(history_at(ring, i), values);
        fputs(i == 0 ? "[" : ",[", out);
        for (size_t j = 0; j < HISTORY_VALUES; j++) {
            if (j != 0)
                fputc(',', out);
            if (isfinite(values[j]))
                fprintf(out, "%.6g", values[j]);
            else
                fputs("null", out);
        }
        fputc(']', out);
    }
    fputc(']', out);
}

char *
history_print(const struct history *history, int64_t end)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return NULL;
    fprintf(out, "{\"second\":%llu,\"end\":%lld",
            (unsigned long long)history->kept->second, (long long)end);
    history_print_ring(out, "seconds", &history->seconds);
    history_print_ring(out, "minutes", &history->minutes);
    fputs("}\n", out);
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
