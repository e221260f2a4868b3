#ifndef GATEWAY_CONFIG_INDEX_H
#define GATEWAY_CONFIG_INDEX_H

#include "gateway/config/config.h"

/*
 * Which rules can match at all, by address or name: so that the cost of a
 * decision follows from the rules that speak of the client or the
 * destination, not from the length of the list.
 *
 * Every rule is, by its networks, in one of two trees: by its `from` or by its
 * `to`, whichever is narrower. A tree cuts the addresses where a range begins
 * or ends; over these leaves stands a binary tree (node 1 is the root, node n
 * has 2n and 2n + 1), and a rule is noted at the few nodes that its ranges
 * consist of. So the rules that hold an address are those on the way from its
 * leaf to the root.
 */
struct rule_tree {
    struct addr *points; /* where leaves begin; the first is 0 */
    size_t leaves;
    uint32_t *starts; /* rules[starts[n]] to rules[starts[n + 1] - 1] are
                         node n's, in order */
    uint32_t *rules;
};

/* And every name in a rule's `to` is here, in the order of rule_name_cmp,
   then of rules: whether the rule's networks match or not. */
struct rule_name {
    const struct config_word *word;
    uint32_t rule;
};

struct rule_index {
    struct rule_tree by_from;
    struct rule_tree by_to;
    struct rule_name *names;
    size_t name_count;
};

struct parse;

/* Makes config->index, when all rules are there. 0, or -1 with the error. */
int index_build(struct parse *parse);

/* The leaf an address is in, as a node. */
size_t rule_tree_node(const struct rule_tree *tree, struct addr addr);

/* A term against a name or the end of one, without regard to case: -1, 0, 1. */
int rule_name_cmp(const struct config_word *word, const char *name, size_t len);

/* The first of index->names that does not stand before the name. */
size_t rule_names_find(const struct rule_index *index, const char *name,
                       size_t len);

#endif
