#ifndef GATEWAY_CONFIG_INDEX_H
#define GATEWAY_CONFIG_INDEX_H

#include "gateway/config/config.h"

/*
 * Which rules can match at all, by address: so that the cost of a decision
 * follows from the rules that speak of the client or the destination, not
 * from the length of the list.
 *
 * Every rule is in one of two trees: by its `from` or by its `to`, whichever
 * is narrower. A tree cuts the addresses where a range begins or ends; over
 * these leaves stands a binary tree (node 1 is the root, node n has 2n and
 * 2n + 1), and a rule is noted at the few nodes that its ranges consist of.
 * So the rules that hold an address are those on the way from its leaf to
 * the root.
 */
struct rule_tree {
    struct addr *points; /* where leaves begin; the first is 0 */
    size_t leaves;
    uint32_t *starts; /* rules[starts[n]] to rules[starts[n + 1] - 1] are
                         node n's, in order */
    uint32_t *rules;
};

struct rule_index {
    struct rule_tree by_from;
    struct rule_tree by_to;
};

struct parse;

/* Makes config->index, when all rules are there. 0, or -1 with the error. */
int index_build(struct parse *parse);

/* The leaf an address is in, as a node. */
size_t rule_tree_node(const struct rule_tree *tree, struct addr addr);

#endif
