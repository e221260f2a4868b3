#ifndef GATEWAY_OBSERVER_STATUS_H
#define GATEWAY_OBSERVER_STATUS_H

#include <jansson.h>

#include "gateway/observer/observer.h"

/* What `status` answers: from the segment alone. NULL: no memory. */
json_t *status_json(const struct observer *observer);

/* Of `listeners`: rows. */
json_t *status_listeners(const struct observer *observer);

#endif
