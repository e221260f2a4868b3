#ifndef GATEWAY_MONITOR_RESOLVER_LINKS_H
#define GATEWAY_MONITOR_RESOLVER_LINKS_H

#include <stdbool.h>

#include "gateway/config/config.h"
#include "gateway/lookup_proto.h"
#include "gateway/monitor/service.h"

/*
 * What is special to the resolver, as a service: the DNS servers that it is
 * started with, and the links of the workers to it. A link is a pair of
 * sockets: one end for the worker, one for the resolver. What they say there
 * passes by the monitor. After an upgrade links lead to the predecessor until
 * the new resolver is ready; then all lead to that, and the predecessor ends.
 */
struct resolver_links;

/* Gives `fd` (still ours) to worker `slot`. 0, -ENOENT: there is none, or
   another negative errno: not now. */
typedef int resolver_links_pass_fn(struct resolver_links *links, unsigned slot,
                                   int fd);

struct resolver_links {
    struct service service;
    const struct config *config; /* borrowed */
    unsigned workers;
    resolver_links_pass_fn *pass;
    struct endpoint servers[LOOKUP_SERVERS_MAX]; /* it was started with */
    size_t server_count;
    struct timer grace;           /* no session waits for a name by then */
    bool wants[LOOKUP_LINKS_MAX]; /* a worker that has no link yet */
};

/* Fill in config, workers and pass first. Starts a resolver at once, if it is
   needed; what a binary before hands over (or NULL) goes on meanwhile. */
void resolver_links_start(struct resolver_links *links,
                          struct services *services, struct handover *handover);

/* Worker `slot` wants a link: it has just begun, or lost its own. */
void resolver_links_connect(struct resolver_links *links, unsigned slot);

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
