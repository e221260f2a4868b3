#ifndef GATEWAY_READINESS_H
#define GATEWAY_READINESS_H

#include <stdint.h>

#include "base/must_check.h"
#include "gateway/confine/ports.h"
#include "gateway/role.h"

/*
 * The last step of every child before it serves: confines the process as its
 * role, argv (role.h) and `ports` (table.h) say, and sends the monitor
 * CHANNEL_READY with the layers that are missing, or CHANNEL_UNCONFINED with
 * the layer that could not be put on.
 *
 * 0, or a negative errno after a line on stderr: then the process must end.
 */
MUST_CHECK int readiness_reach(const struct role *role, char **argv,
                               const struct confine_tcp *ports);

/* The same where the role's ceiling of memory depends on the configuration. */
MUST_CHECK int readiness_reach_within(const struct role *role, char **argv,
                                      uint64_t mib);

#endif
