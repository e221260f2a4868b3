#ifndef GATEWAY_CONFIG_SECTION_H
#define GATEWAY_CONFIG_SECTION_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* A mapping of further rows: `timeouts`, `limits.per_source`. */
extern const struct option_type type_section;
/* The same, or `off`: the bool at `also`. */
extern const struct option_type type_section_or_off;

/*
 * The members of the mapping `map` (NULL: the file says nothing) by the rows
 * whose path is `prefix` and one more name; `at` is where a missing key is
 * missed, `base` the struct that those rows' offsets are counted in. 0, or -1
 * with the errors noted.
 */
int section_parse(struct parse *parse, const struct node *map,
                  const struct node *at, const char *prefix, void *base);

/* The same rows as YAML. `indent` "  - " begins a list's member. */
void section_dump(const struct dump *dump, const char *prefix, const void *base,
                  const char *indent);

/* The value of `key` in the mapping; the mapping where it has none. */
const struct node *section_value(const struct node *map, const char *key);

#endif
