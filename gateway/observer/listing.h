#ifndef GATEWAY_OBSERVER_LISTING_H
#define GATEWAY_OBSERVER_LISTING_H

#include <jansson.h>

#include "gateway/observer/workers.h"

/*
 * Sessions as rows, the oldest first: {"rows":[…],"total":N,"more":N}, and
 * "unanswered":N if so many workers did not answer in time. Asked twice, a
 * moment apart, since a rate is a difference.
 */
struct listing;

/* The answer is the callee's; NULL: no memory. The listing is freed
   afterwards. */
typedef void listing_done_fn(void *context, json_t *answer);

/* NULL: no memory. */
struct listing *listing_start(struct workers *workers,
                              const struct observer_filter *filter,
                              listing_done_fn *done, void *context);
/* No answer is wanted any more. */
void listing_cancel(struct listing *listing);

#endif
