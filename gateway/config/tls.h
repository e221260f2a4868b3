#ifndef GATEWAY_CONFIG_TLS_H
#define GATEWAY_CONFIG_TLS_H

#include "gateway/config/option.h"

/* `tls` of a listener: struct config_tls *, NULL where the file says nothing or
   off. */
extern const struct option_type type_tls;
/* struct config_file: a path, or `none`. */
extern const struct option_type type_file;

#endif
