#ifndef GATEWAY_WORKER_WAY_OUT_H
#define GATEWAY_WORKER_WAY_OUT_H

#include "gateway/config/config.h"

/* From which local address the gateway connects for a client. */

/* Which is next, for each rule that has several; rules share a
   place, which only makes the turns less even. */
#define WAY_OUT_TURNS 64
struct way_out_turns {
    uint8_t next[WAY_OUT_TURNS];
};

/* Whether the configuration says it. */
bool way_out_has_source(const struct config *config, const struct rule *rule,
                        struct addr to);

/* The rule's egress that is next in turn, else egress.address, else 0.0.0.0:
   the system chooses. These are of IPv4: to an IPv6 address, from any. */
struct addr way_out_source(struct way_out_turns *turns,
                           const struct config *config, const struct rule *rule,
                           struct addr to);

#endif
