#ifndef GATEWAY_TCP_PORTS_H
#define GATEWAY_TCP_PORTS_H

#include "gateway/config/config.h"
#include "gateway/confine/ports.h"

/*
 * The ports that a worker needs for this configuration: those that BINDs listen
 * on, if a rule grants any; to connect those of the rules that grant CONNECT,
 * every port where such a rule names none, those of the parents where a rule
 * has any, and identd's where a rule asks it. The worker confines itself to
 * them when it starts, and the monitor replaces it when a reload needs others.
 */
void tcp_ports_find(const struct config *config, struct confine_tcp *tcp);

/* Whether a worker that was confined to `now` can serve `next`. */
bool tcp_ports_cover(const struct confine_tcp *now,
                     const struct confine_tcp *next);

#endif
