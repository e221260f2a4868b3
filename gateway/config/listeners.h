#ifndef GATEWAY_CONFIG_LISTENERS_H
#define GATEWAY_CONFIG_LISTENERS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `listen`: where clients are served. */
extern const struct option_type type_listeners;

/* Tells the policy which endpoints are the gateway's own. 0 or -ENOMEM. */
int listeners_publish(struct config *config);

/* The addresses of -l, CONFIG_LISTENERS_MAX at most. 0, or -1 with the error.
 */
int listeners_read_overrides(const char *const *texts, size_t count,
                             struct endpoint *at, struct config_error *error);

/* One of them is 0.0.0.0 or [::], and they are of one family and port: the
   kernel opens no second such socket. */
bool listener_is_covered(struct endpoint one, struct endpoint other);

#endif
