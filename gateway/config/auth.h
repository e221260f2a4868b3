#ifndef GATEWAY_CONFIG_AUTH_H
#define GATEWAY_CONFIG_AUTH_H

#include "gateway/config/option.h"
#include "gateway/config/parse.h"

/* The name of a PAM service. Not built yet: nothing but `none'. */
extern const struct option_type type_pam;

/* Once all has been parsed: finds the rules that ask for a password, which need
   auth.users. 0, or -1 with the errors noted. */
int auth_prepare(struct parse *parse);

/* Warns of what is probably not intended (lint.h). */
void auth_warn(struct parse *parse);

#endif
