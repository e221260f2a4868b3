#ifndef GATEWAY_OBSERVER_STATUS_H
#define GATEWAY_OBSERVER_STATUS_H

#include <jansson.h>

#include "gateway/observer/observer.h"

/* What `status` answers: from the segment alone. NULL: no memory. */
json_t *status_json(const struct observer *observer);

/* A parent's addresses in their order, with `between` between them. */
#define STATUS_ADDRESSES_MAX (CONFIG_PARENT_ADDRESSES_MAX * 300)
void status_addresses(const struct config_parent *parent, const char *between,
                      char text[STATUS_ADDRESSES_MAX]);

/* Of `listeners`, `limits` and `parents`: rows. */
json_t *status_listeners(const struct observer *observer);
json_t *status_limits(const struct observer *observer);
json_t *status_parents(const struct observer *observer);

#endif
