#ifndef GATEWAY_CONFIG_OPEN_PROXY_H
#define GATEWAY_CONFIG_OPEN_PROXY_H

#include "gateway/config/parse.h"

/*
 * Warns of the first rule by which anyone, from anywhere, may connect to
 * anywhere: such gateways are found within hours and used for attacks on
 * others. Called when all is parsed.
 */
void open_proxy_warn(struct parse *parse);

#endif
