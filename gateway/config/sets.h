#ifndef GATEWAY_CONFIG_SETS_H
#define GATEWAY_CONFIG_SETS_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* `sets`: named lists of networks, names and other sets, or files of them. */
extern const struct option_type type_sets;

/* A list of networks and sets: struct config_networks. */
extern const struct option_type type_networks;

/*
 * Adds the members of a list: a network, a set, or, where names are taken, a
 * name. A set that holds names is refused where they are not. 0, or -1 with the
 * errors noted.
 */
int set_add_list(struct parse *parse, const struct option *option,
                 const struct node *list, struct set_members *members,
                 bool takes_names);

/* A list's members as written, in the snapshot. 0, or -1 with the error noted.
 */
int set_copy_members(struct parse *parse, const struct node *list,
                     struct rule_texts *texts);

#endif
