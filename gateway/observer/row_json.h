#ifndef GATEWAY_OBSERVER_ROW_JSON_H
#define GATEWAY_OBSERVER_ROW_JSON_H

#include <jansson.h>

#include "gateway/observer_proto.h"

/*
 * A worker's row as JSON, with the keys of the record in their order, and
 * `state`, `age` in seconds, `rate_up`, `rate_down` in octets a second (null:
 * not known). An octet outside 0x20 to 0x7e is the character of that number, as
 * in a record. NULL: no memory.
 */
json_t *row_json(const struct observer_row *row, unsigned worker,
                 const uint64_t rates[2]);

/* The octets alone; and of a text, null where it is empty. */
json_t *row_json_octets(const char *octets, size_t len);
json_t *row_json_text(const struct observer_text *text);

#endif
