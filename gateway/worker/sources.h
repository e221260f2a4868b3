#ifndef GATEWAY_WORKER_SOURCES_H
#define GATEWAY_WORKER_SOURCES_H

#include <stdbool.h>

#include "base/addr.h"
#include "gateway/segment.h"

/*
 * The table of sources in the shared segment, which all workers share: what
 * each source has taken, and at what rate it connects. A source is an IPv4
 * address or an IPv6 /64. The table has a fixed size: a source that has no
 * session and is on time loses its place to the next source, and a source
 * without a place is not limited by itself.
 *
 * A source keeps its place (source_index) from sources_enter to the last
 * sources_leave, and all other charges are made in between: a place never
 * changes hands while it is charged.
 */

/* A number for each source, the same in all workers. It does not give away the
   address without the segment's secret. */
uint64_t source_hash(const struct segment *segment, struct addr source);

/* What counts as one source with this address: itself, or its /64. */
struct addr source_block(struct addr address);

/*
 * Charges one session: the source's place (>= 0) in the table, or -ENOSPC
 * if there is none, and nothing is charged. `now_ns` is monotonic.
 */
int sources_enter(struct segment *segment, unsigned slot, struct addr source,
                  uint64_t now_ns);
void sources_leave(struct segment *segment, unsigned slot, int source_index);

/* Charges one more of `which`: 0, or -EDQUOT if there are `max` already, in
   all workers together. */
int sources_take(struct segment *segment, unsigned slot, int source_index,
                 enum segment_charge which, uint64_t max);
void sources_give(struct segment *segment, unsigned slot, int source_index,
                  enum segment_charge which);

uint64_t sources_sum(struct segment *segment, int source_index,
                     enum segment_charge which);

/*
 * Whether one more connection now is within `rate` a second: the generic
 * cell rate algorithm, exact over all workers. A second's worth may come at
 * once; then one each 1/rate s. What is refused does not count.
 */
bool sources_on_time(struct segment *segment, int source_index, uint64_t rate,
                     uint64_t now_ns);

/* Counts a refusal: how many the source has had in this second, in all
   workers, with this one. */
uint32_t sources_refused(struct segment *segment, int source_index,
                         uint64_t now_ns);

#endif
