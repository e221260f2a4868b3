#ifndef GATEWAY_OBSERVER_HISTORY_H
#define GATEWAY_OBSERVER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the page plots: a point a second of the last ten minutes, and a point a
 * minute of the last day. The observer adds a sample of the counters each
 * second; a point is what has changed since the sample before.
 *
 * All that it knows stands in struct history_kept, without pointers, which may
 * outlive the process (CHANNEL_FD_KEPT): the next one goes on with it, whatever
 * the former has left there.
 */
#define HISTORY_SECONDS 600
#define HISTORY_MINUTES 1440
#define HISTORY_BUCKETS 32 /* of a histogram, at most */

struct history_sample {
    uint64_t sessions; /* live */
    /* Counters. */
    uint64_t accepted;
    uint64_t up;
    uint64_t down;
    uint64_t connects[HISTORY_BUCKETS]; /* how many took so long, by bucket */
};

/* Of a time of which nothing is known all are NAN, and the percentiles of one
   in which nothing was connected. */
struct history_point {
    double sessions;    /* at its end; of a minute: the most */
    double connections; /* a second, as all below */
    double up;
    double down;
    double p50; /* seconds to connect */
    double p99;
};

struct history_kept {
    uint64_t samples; /* added; 0: nothing below is valid */
    uint64_t second;  /* of the newest one; monotonic */
    struct history_sample newest;
    uint64_t minute_second;       /* when the present minute began */
    struct history_sample minute; /* the sample then */
    double minute_sessions;       /* the most in it */
    uint64_t seconds_pushed, minutes_pushed;
    struct history_point seconds[HISTORY_SECONDS];
    struct history_point minutes[HISTORY_MINUTES];
};

/* The newest point stands before `pushed`, modulo `room`. */
struct history_ring {
    struct history_point
        *points; /* borrowed, as `pushed` is: of what is kept */
    size_t room;
    uint64_t *pushed;
};

struct history {
    const double *bounds; /* borrowed; seconds, ascending: the upper ends of the
                             buckets, but for the last one, which has none */
    size_t buckets;
    struct history_kept *kept; /* borrowed */
    struct history_ring seconds, minutes;
};

/* `kept` is zero, or what a history before has left, maybe in the middle of
   something, which goes on. One that would be of after `second`, which is now,
   begins anew. */
void history_init(struct history *history, struct history_kept *kept,
                  const double *bounds, size_t buckets, uint64_t second);

/* `second` counts on and never back: of the second of the newest sample nothing
   is added. Seconds that were missed become points of which nothing is
   known. */
void history_add(struct history *history, uint64_t second,
                 const struct history_sample *sample);

/* How many points there are; and the index-th, the oldest being 0. */
size_t history_count(const struct history_ring *ring);
const struct history_point *history_at(const struct history_ring *ring,
                                       size_t index);

/* The newest of the seconds; nothing is known where there is none. */
const struct history_point *history_newest(const struct history *history);

/* The figures of a point, in the order that browsers are told. */
#define HISTORY_VALUES 6
void history_values(const struct history_point *point,
                    double values[HISTORY_VALUES]);

/*
 * The time within which `share` of what the buckets count were done: linear
 * within a bucket, as Prometheus has it. What is in the last bucket counts as
 * its lower end. NAN: they count nothing.
 */
double history_quantile(const double *bounds, const uint64_t *counts,
                        size_t buckets, double share);

/* Both rings as the object that /history answers (page.js), with the time of
   day of the newest point, and its second. A string to be freed, or NULL: no
   memory. */
char *history_print(const struct history *history, int64_t end);

#endif
