#ifndef GATEWAY_CONFIG_PARENTS_H
#define GATEWAY_CONFIG_PARENTS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `parents`: other gateways, through which rules lead with `via`. */
extern const struct option_type type_parents;
/* The fields of one: its addresses, the USERID that it is told. */
extern const struct option_type type_parent_addresses;
extern const struct option_type type_parent_userid;

#endif
