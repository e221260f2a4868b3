#ifndef GATEWAY_CONFIG_SETS_H
#define GATEWAY_CONFIG_SETS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `sets`: named lists of networks, names and other sets, or files of them. */
extern const struct option_type type_sets;

/* A list of networks and sets: struct config_networks. */
extern const struct option_type type_networks;

/*
 * Adds a member: a network, a set, or, where names are taken, a name. A set
 * that holds names is refused where they are not. 0, or -1 with the error
 * noted.
 */
int set_add_member(struct parse *parse, const struct option *option,
                   const struct node *node, struct set_members *members,
                   bool takes_names);

/* A list's members as written, in the snapshot; NULL with the error noted. */
char **set_copy_members(struct parse *parse, const struct node *list);

#endif
