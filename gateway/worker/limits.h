#ifndef GATEWAY_WORKER_LIMITS_H
#define GATEWAY_WORKER_LIMITS_H

#include "base/addr.h"
#include "gateway/segment.h"

/*
 * What one source may take [V4-B.2-7, V4-C.4-1]: charges in the shared
 * segment's table of sources, seen by all workers, each charge in the
 * worker's own column. A source is an IPv4 address or an IPv6 /64. The
 * table has a fixed size: a source that finds no place is not limited.
 */

/*
 * Charges one waiting BIND. Returns where (>= 0, for limits_give_bind),
 * -EDQUOT if the source has `max` of them already, or -ENOSPC: there is no
 * place for this source, nothing is charged.
 */
int limits_take_bind(struct segment *segment, unsigned slot, struct addr source,
                     uint64_t max);
void limits_give_bind(struct segment *segment, unsigned slot, int where);

#endif
