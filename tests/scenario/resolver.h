#ifndef SCENARIO_RESOLVER_H
#define SCENARIO_RESOLVER_H

#include "gateway/worker/lookup.h"

/*
 * The resolver as a worker knows it: it hears questions, and that some are
 * not wanted any more (worker/lookup.h). It answers when the script says so.
 */
void resolver_start(void);

/* The worker's way to it; never full. */
int resolver_hear(struct lookups *lookups,
                  const struct lookup_question *question);

/* The next message that nobody has looked at; NULL: none. */
const struct lookup_question *resolver_next(void);

/* The newest question about a name that resolver_next gave; NULL: none. */
const struct lookup_question *resolver_question(void);

#endif
