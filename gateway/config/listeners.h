#ifndef GATEWAY_CONFIG_LISTENERS_H
#define GATEWAY_CONFIG_LISTENERS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `listen`: where clients are served. */
extern const struct option_type type_listeners;

/* Tells the policy which endpoints are the gateway's own. 0 or -ENOMEM. */
int listeners_publish(struct config *config);

/* Whether -l may have this address. 0, or -1 with the error. */
int listeners_check_override(const char *text, struct config_error *error);

#endif
