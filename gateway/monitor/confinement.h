#ifndef GATEWAY_MONITOR_CONFINEMENT_H
#define GATEWAY_MONITOR_CONFINEMENT_H

#include "gateway/channel.h"
#include "gateway/monitor/sink.h"

/* The confinement of the children, as lines of the log. */

/* The layers that some of them do without; nothing where none is missing.
   `user` is the configured one, NULL: auto. */
void confinement_report(struct sink *sink, unsigned missing, const char *user);

/* A child that could not be confined as it must be, and says so. */
void confinement_report_failure(struct sink *sink,
                                const struct channel_message *unconfined);

/* The same for the starting user: on stderr, with the remedy. */
void confinement_refuse(const struct channel_message *unconfined);

#endif
