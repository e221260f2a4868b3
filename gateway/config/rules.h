#ifndef GATEWAY_CONFIG_RULES_H
#define GATEWAY_CONFIG_RULES_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `rules`: the list of rules, in order. */
extern const struct option_type type_rules;

#endif
