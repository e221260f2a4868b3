#ifndef GATEWAY_CONFIG_SETS_H
#define GATEWAY_CONFIG_SETS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `sets`: named lists of networks and other sets. */
extern const struct option_type type_sets;

/* Adds a member, which must be a network or a set. 0, or -1 with the error
   noted. */
int set_add_member(struct parse *parse, const struct option *option,
                   const struct node *node, struct set_members *members);

/* Whether the text can only be meant as an address or network. */
bool set_is_network(const char *text);

/* A list's members as written, in the snapshot; NULL with the error noted. */
char **set_copy_members(struct parse *parse, const struct node *list);

#endif
