#ifndef GATEWAY_MONITOR_LINKS_H
#define GATEWAY_MONITOR_LINKS_H

#include <stdbool.h>

#include "gateway/channel.h"
#include "gateway/monitor/service.h"
#include "gateway/segment.h"

/*
 * The links of the workers to a service. A link is a pair of sockets: one end
 * for the worker, one for the service. What they say there passes by the
 * monitor. After an upgrade links lead to the predecessor until the new process
 * is ready; then all lead to that.
 */
struct links;

/* Gives `fd` (still ours) to worker `slot`. 0, -ENOENT: there is none, or
   another negative errno: not now. */
typedef int links_pass_fn(struct links *links, unsigned slot, int fd);

struct links {
    struct service *service; /* borrowed */
    enum channel_peer peer;
    unsigned workers; /* slots that there are */
    links_pass_fn *pass;
    bool wants[SEGMENT_SLOTS]; /* a worker that has no link yet */
};

/* Each link that is lost is asked for, once the service is ready. */
#define LINKS_RULE                                                             \
    {                                                                          \
        CHANNEL_ASK_LINK, SERVICE_ONCE_READY, 16 * SEGMENT_SLOTS               \
    }

/* Worker `slot` wants a link: it has just begun, or lost its own. */
void links_connect(struct links *links, unsigned slot);
/* All want another one. */
void links_connect_all(struct links *links);

/* The service could not be told of a link: CHANNEL_ASK_LINK. */
void links_on_message(struct links *links,
                      const struct channel_message *message);

/* Makes those that are wanted; for service_ops.send. */
void links_send(struct links *links);

#endif
