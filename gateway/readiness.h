#ifndef GATEWAY_READINESS_H
#define GATEWAY_READINESS_H

#include "base/must_check.h"
#include "gateway/confine/confine.h"

/*
 * The last step of every child before it serves: confines it (confine.h)
 * and tells the monitor, CHANNEL_READY with the layers that are missing, or
 * CHANNEL_UNCONFINED with the one that could not be put on.
 *
 * 0, or a negative errno after a line on stderr: then it must end.
 */
MUST_CHECK int readiness_reach(const struct confine_table *table,
                               enum confine_mode mode, uid_t uid, gid_t gid);

#endif
