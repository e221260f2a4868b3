#ifndef GATEWAY_CONFIG_STUB_H
#define GATEWAY_CONFIG_STUB_H

#include "gateway/config/config.h"

/*
 * What --to asks for, as a configuration: the listeners of -l, or the built-in
 * one, with names, and everything through one parent. NULL with a whole line in
 * `error`.
 */
struct config *stub_open(const struct config_source *source,
                         struct config_error *error, FILE *warnings);

#endif
