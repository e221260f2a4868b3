#ifndef GATEWAY_OBSERVER_HEALTH_H
#define GATEWAY_OBSERVER_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/config/config.h"
#include "gateway/segment.h"

/*
 * Whether the gateway serves, for balancers: /health, and the line for
 * HAProxy's agent-check. Both are computed from the segment.
 */

/* Whether any worker accepts; none does while the gateway drains. */
bool health_is_serving(const struct segment *segment);

/* "ready up 75%\n": the share of limits.sessions that is free, at least 1; or
   "drain\n". Returns its length. */
#define HEALTH_LINE_MAX 32
size_t health_agent_line(const struct segment *segment,
                         const struct config *config,
                         char line[HEALTH_LINE_MAX]);

#endif
