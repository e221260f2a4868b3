#ifndef TOOLS_SOCKS4CTL_MERGE_H
#define TOOLS_SOCKS4CTL_MERGE_H

#include <jansson.h>
#include <stdbool.h>

/*
 * The answers of several gateways as one. Rows stand below each other, each
 * with its `host`; those of `top` are added up by what they are about; what was
 * killed is added up; of anything else there is a list of `gateways`, and
 * where they have a configuration, `configs`: the hosts with each.
 */

/* Adds that of `host` (NULL: there is one gateway), which is taken; `merged`
   NULL: it is the first. */
json_t *merge_answer(json_t *merged, json_t *answer, const char *host);

/* The rows in order. */
void merge_finish(json_t *merged);

#endif
