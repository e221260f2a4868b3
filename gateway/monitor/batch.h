#ifndef GATEWAY_MONITOR_BATCH_H
#define GATEWAY_MONITOR_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/*
 * Lines of the log as they come from a child. The child may have been taken
 * over, and programs read the log: a line is written as it is only where it is
 * well formed (base/line.h), in text or JSON, and begins with
 *
 *   time    now, give or take BATCH_TIME_MS
 *   event   one that its role may write (role.h)
 *   worker  its own number, the third or fourth field
 *
 * and has these fields once. What an honest worker writes always is; what is
 * left to one that was taken over is to lie about its own sessions.
 */
#define BATCH_TIME_MS 5000

struct batch_origin {
    const char *const *events; /* NULL behind the last; borrowed */
    char number[12];           /* of the worker */
    char now[LOG_TIME_MAX];
    char earliest[LOG_TIME_MAX], latest[LOG_TIME_MAX];
};

void batch_origin_init(struct batch_origin *origin, const char *const *events,
                       unsigned number, uint64_t wall_ms);

/* What the lines of a worker account for, as the counters of its column do. */
struct batch_tally {
    uint64_t records;
    uint64_t suppressed; /* refusals, by records_suppressed */
    uint64_t limited;    /* connections limited or shed, by limit */
};

/* Whether a line, `len` octets and a newline behind them, is such a line. A
   time that is too far from now becomes now: a worker that stood still sends
   late. What it accounts for is added to `tally`. */
bool batch_check_line(char *line, size_t len, const struct batch_origin *origin,
                      struct batch_tally *tally);

#endif
