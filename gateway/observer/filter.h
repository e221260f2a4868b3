#ifndef GATEWAY_OBSERVER_FILTER_H
#define GATEWAY_OBSERVER_FILTER_H

#include <stddef.h>

#include "base/must_check.h"
#include "gateway/observer_proto.h"

/*
 * Which sessions an operator means: terms as key=value, or up>N, down>N. All of
 * them must match.
 */
#define FILTER_WHY_MAX 320

/* Adds a term. 0, or -1 and why, with the remedy. */
MUST_CHECK int filter_add(struct observer_filter *filter, const char *term,
                          char why[FILTER_WHY_MAX]);

/* Adds the number of a session, of at most OBSERVER_IDS_MAX. 0, or -1: there
   are more. */
MUST_CHECK int filter_add_id(struct observer_filter *filter, uint64_t id);

#endif
