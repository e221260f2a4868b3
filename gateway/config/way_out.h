#ifndef GATEWAY_CONFIG_WAY_OUT_H
#define GATEWAY_CONFIG_WAY_OUT_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* How a rule's sessions leave: fields of struct rule. */
extern const struct option_type type_rule_via;
extern const struct option_type type_rule_egress;

/* What `via' and `to' mean for names. 0, or -1 with the error noted. */
int way_out_prepare(struct parse *parse, struct rule *rule);

#endif
