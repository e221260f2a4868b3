#ifndef GATEWAY_OBSERVER_MIGRATION_H
#define GATEWAY_OBSERVER_MIGRATION_H

#include <jansson.h>

#include "gateway/observer_proto.h"
#include "gateway/segment.h"

/* Terms of a filter that rows have. */
#define MIGRATION_TERMS                                                        \
    (OBSERVER_CLIENT | OBSERVER_USERID | OBSERVER_RULE | OBSERVER_VERSION)

/* Rows that are shown. */
#define MIGRATION_ROWS_MAX 2000

/*
 * Who has spoken which version, and when last, from the segment (speakers.h):
 *
 *     {"rows":[{"client","userid","rule","granted","versions":
 *       {"4":{"count","first","last","age"},…}},…],"total","more","since",
 *       "forgotten","forgotten_refused"}
 *
 * Those of version 4 or 4a come first, the last seen before the others. With
 * `version' a row is there that has been seen in one of these. NULL: no memory.
 */
json_t *migration_json(const struct segment *segment,
                       const struct observer_filter *filter);

#endif
