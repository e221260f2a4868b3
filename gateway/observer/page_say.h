#ifndef GATEWAY_OBSERVER_PAGE_SAY_H
#define GATEWAY_OBSERVER_PAGE_SAY_H

#include <jansson.h>

#include "gateway/observer/page.h"

/* What /events says of the gateway now, but for sessions: page.h. NULL: no
   memory. */
json_t *page_say(const struct page *page);

/* The samples that the page keeps. */
void page_say_sample(const struct page *page, struct history_sample *sample);
void page_say_refused(const struct page *page,
                      uint64_t counts[REFUSED_REASONS]);

#endif
