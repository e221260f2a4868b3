#ifndef GATEWAY_MONITOR_RESOLVER_LINKS_H
#define GATEWAY_MONITOR_RESOLVER_LINKS_H

#include <stdbool.h>

#include "gateway/config/config.h"
#include "gateway/lookup_proto.h"
#include "gateway/monitor/links.h"
#include "gateway/monitor/service.h"

/*
 * What is special to the resolver, as a service: the DNS servers that it is
 * started with, and the links of the workers to it.
 */
struct resolver_links {
    struct service service;
    const struct config *config; /* borrowed */
    struct links links;
    struct endpoint servers[LOOKUP_SERVERS_MAX]; /* it was started with */
    size_t server_count;
    struct timer grace; /* no session waits for a name by then */
};

/* Fill in config, links.workers and links.pass first. Starts a resolver at
   once, if it is needed; what a binary before hands over (or NULL) goes on
   meanwhile. */
void resolver_links_start(struct resolver_links *links,
                          struct services *services, struct handover *handover);

/*
 * Another configuration, while the one before is still there; `workers` as
 * many slots there are now. Where names are asked for and were not, a resolver
 * starts. Where the servers are others, it is replaced, and sessions that wait
 * for a name ask the next one. Where names are asked for no more, it goes once
 * every session of the old configuration has its answer.
 */
void resolver_links_reconfigure(struct resolver_links *links,
                                const struct config *config, unsigned workers);

/* Closes everything. */
void resolver_links_fini(struct resolver_links *links);

#endif
