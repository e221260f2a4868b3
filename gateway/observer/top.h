#ifndef GATEWAY_OBSERVER_TOP_H
#define GATEWAY_OBSERVER_TOP_H

#include <jansson.h>

#include "gateway/observer/workers.h"

/*
 * Who has most: all sessions added up by client, destination, rule, USERID or
 * certificate: {"by":"client","rows":[{"client":"10.0.0.1","sessions":3,
 * "up":…,"down":…,"rate_up":…,"rate_down":…}],"total":N,"more":N}. Those that
 * move most come first, then those that have most sessions.
 */
struct top;

typedef void top_done_fn(void *context, json_t *answer);

/* As listing_start; `by`: enum observer_by. Something is kept of `most`
   sessions, those that there may be; were there more, they are counted. */
struct top *top_start(struct workers *workers, enum observer_by by,
                      uint64_t most, top_done_fn *done, void *context);
void top_cancel(struct top *top);

/* The most that one of them takes. */
size_t top_octets(uint64_t sessions);

/* OBSERVER_BY_COUNT: there is no such word. */
enum observer_by top_find(const char *word);

#endif
