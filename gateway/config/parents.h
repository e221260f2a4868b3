#ifndef GATEWAY_CONFIG_PARENTS_H
#define GATEWAY_CONFIG_PARENTS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `parents`: other gateways, through which rules lead with `via`. */
extern const struct option_type type_parents;
/* The fields of one: its addresses, the USERID or user that it is told. */
extern const struct option_type type_parent_addresses;
extern const struct option_type type_parent_userid, type_parent_user;

/* HOST:PORT: the port into `at`, with the address, or else the length of the
   name in front of it. False: it is neither. */
bool parents_split_address(const char *text, struct endpoint *at,
                           size_t *name_len);

#endif
