#ifndef SCENARIO_RESOLVER_H
#define SCENARIO_RESOLVER_H

#include "gateway/worker/lookup.h"

/*
 * The resolver as a worker sees it: it receives queries and cancels
 * (worker/lookup.h). It answers when the script says so.
 */
void resolver_start(void);

/* The next message that no step has looked at yet; NULL: none. */
const struct lookup_query *resolver_next(void);

/* The newest query about a name that resolver_next gave; NULL: none. */
const struct lookup_query *resolver_query(void);

#endif
