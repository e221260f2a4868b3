#ifndef GATEWAY_CONFIG_LINT_H
#define GATEWAY_CONFIG_LINT_H

#include "gateway/config/parse.h"

/*
 * What is not an error, but probably not intended: a rule that can never match,
 * one that grants what a reader would believe denied, a set that no rule uses.
 * Called when all is parsed and the index is built.
 */
void lint_config(struct parse *parse);

#endif
