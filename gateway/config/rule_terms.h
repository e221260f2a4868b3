#ifndef GATEWAY_CONFIG_RULE_TERMS_H
#define GATEWAY_CONFIG_RULE_TERMS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* The terms of a rule, fields of struct rule: what it takes for the rule to
   match. */
extern const struct option_type type_action;
extern const struct option_type type_from;
extern const struct option_type type_to;
extern const struct option_type type_rule_listeners;
extern const struct option_type type_commands;
extern const struct option_type type_rule_ports;
extern const struct option_type type_userids;
extern const struct option_type type_certificates;
extern const struct option_type type_auth;
extern const struct option_type type_versions;
extern const struct option_type type_peer;

#endif
