#ifndef GATEWAY_MONITOR_AUTHENTICATOR_LINKS_H
#define GATEWAY_MONITOR_AUTHENTICATOR_LINKS_H

#include <stdbool.h>

#include "gateway/config/config.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/links.h"
#include "gateway/monitor/service.h"

/*
 * What is special to the authenticator, as a service: the users file that it is
 * given, and the links of the workers to it. An authenticator that is started
 * anew gets the file in force, whatever has become of the one on the disk.
 */
struct authenticator_links {
    struct service service;
    struct links links;
    const struct config *config; /* borrowed; in force */
    int users;                   /* owned, -1 */
    uint64_t len;
    bool sent; /* the current process has it */
    struct timer grace;
};

/* Fill in links.workers and links.pass first. Starts an authenticator at once,
   if it is needed, with the users file of `config_version`, which is taken;
   that of a binary before (or NULL) goes on meanwhile. */
void authenticator_links_start(struct authenticator_links *links,
                               struct services *services,
                               struct config_version *config_version,
                               struct handover *handover);

/* Another configuration, whose users file is taken: it reaches the
   authenticator before any worker is told of the configuration. */
void authenticator_links_reconfigure(struct authenticator_links *links,
                                     struct config_version *config_version);

/* What the next binary needs besides the service. */
void authenticator_links_hand_over(const struct authenticator_links *links,
                                   struct handover *handover);

/* Closes everything. */
void authenticator_links_fini(struct authenticator_links *links);

#endif
