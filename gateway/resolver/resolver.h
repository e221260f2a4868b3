#ifndef GATEWAY_RESOLVER_RESOLVER_H
#define GATEWAY_RESOLVER_RESOLVER_H

#include "gateway/resolver/link.h"
#include "gateway/resolver/nameservers.h"

/*
 * The resolver without its process: the monitor passes the workers' links on
 * the control channel, and the workers send their queries on these. Neither
 * channel is trusted.
 */
struct resolver {
    struct loop loop;
    struct watch control;
    bool ends; /* to be started again */
    struct nameservers servers;
    struct hosts hosts;
    struct pending pending;
    struct link links[LOOKUP_LINKS_MAX];
};

/* Of zeros. `servers` are in the monitor's own format, from the configuration;
   none: the system's. Opens no file, and so reads nothing. 0 or a negative
   errno. */
MUST_CHECK int resolver_init(struct resolver *resolver, int count,
                             char **servers);

/* Handles the monitor's messages on this channel, and stops the loop where it
   ends or is sent what is not a message. 0 or a negative errno. */
MUST_CHECK int resolver_listen(struct resolver *resolver, int control);

/* Reads the system's files where they have changed. False: the process ends,
   to be started again. */
bool resolver_refresh(struct pending *pending);

#endif
