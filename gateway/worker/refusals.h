#ifndef GATEWAY_WORKER_REFUSALS_H
#define GATEWAY_WORKER_REFUSALS_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/segment.h"
#include "gateway/worker/record.h"
#include "gateway/worker/verdict.h"

/*
 * Refusals that have no record of their own. Of the refusals of one source, in
 * all workers, the first REFUSALS_RECORDED of a second have records. This
 * worker counts the others by source and verdict, and a second after the first
 * of them writes a line for each source and verdict:
 *
 *   event=records_suppressed level=notice worker=0 source=10.0.0.7
 *       verdict=denied-by-rule count=412 since=2026-11-23T20:31:00.123Z
 *
 * The table has a fixed size. A refusal that finds no room in it has a record.
 */
#define REFUSALS_RECORDED 100
#define REFUSALS_ROWS 64

struct refusals_row {
    struct addr source;
    enum verdict verdict;
    enum log_level level;
    uint64_t count;
    uint64_t since_ms; /* wall clock: the first */
};

struct refusals {
    struct loop *loop; /* borrowed, like all up to records */
    struct segment *segment;
    unsigned slot;
    struct record_log *records;
    struct timer due; /* while there are rows: when they are written */
    size_t count;
    struct refusals_row rows[REFUSALS_ROWS];
};

void refusals_init(struct refusals *refusals, struct loop *loop,
                   struct segment *segment, unsigned slot,
                   struct record_log *records);
/* Writes the lines that are still due. */
void refusals_fini(struct refusals *refusals);

/* A refusal whose record would have this level, and be written. True: it is
   counted, and has no record. `source_index` is where its source is charged,
   negative: nowhere; then it always has one. */
bool refusals_suppress(struct refusals *refusals, int source_index,
                       struct addr client, enum verdict verdict,
                       enum log_level level);

#endif
