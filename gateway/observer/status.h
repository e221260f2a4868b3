#ifndef GATEWAY_OBSERVER_STATUS_H
#define GATEWAY_OBSERVER_STATUS_H

#include <jansson.h>

#include "gateway/observer/observer.h"

/* What `status` answers: from the segment alone. NULL: no memory. */
json_t *status_json(const struct observer *observer);

/* Of `listeners`, `limits` and `parents`: rows. */
json_t *status_listeners(const struct observer *observer);
json_t *status_limits(const struct observer *observer);
json_t *status_parents(const struct observer *observer);

#endif
