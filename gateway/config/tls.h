#ifndef GATEWAY_CONFIG_TLS_H
#define GATEWAY_CONFIG_TLS_H

#include "gateway/config/option.h"

/* `tls` of a listener: struct config_tls *, NULL where the file says nothing or
   off. */
extern const struct option_type type_tls;
/* The same of a parent; and the name in its certificate, char *. */
extern const struct option_type type_parent_tls;
extern const struct option_type type_tls_name;
/* struct config_file: a path, or `none`, or what the row's default says. */
extern const struct option_type type_file;

#endif
