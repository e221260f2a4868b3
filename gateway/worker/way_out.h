#ifndef GATEWAY_WORKER_WAY_OUT_H
#define GATEWAY_WORKER_WAY_OUT_H

#include "gateway/config/config.h"
#include "gateway/worker/stream.h"

/*
 * The way out of a session: what the gateway connects to for a client, and from
 * which local address. Every connection that is made for a client is made here.
 */
struct way_out {
    struct endpoint to;
    struct addr source; /* 0.0.0.0: the system chooses */
};

/* Which local address is next, for each rule that has several; rules share a
   place, which only makes the turns less even. */
#define WAY_OUT_TURNS 64
struct way_out_turns {
    uint8_t next[WAY_OUT_TURNS];
};

/* Whether the configuration says from which address this rule's sessions
   connect. */
bool way_out_has_source(const struct config *config, const struct rule *rule);

/* From the address of the rule that is next in turn, else from
   egress.address. These are of IPv4: to an IPv6 address, from any. */
struct way_out way_out_choose(struct way_out_turns *turns,
                              const struct config *config,
                              const struct rule *rule,
                              const struct endpoint *to);

/* Dials, as stream_dial. */
int way_out_dial(const struct way_out *way, struct stream *stream,
                 struct loop *loop, stream_fn *serve);

#endif
