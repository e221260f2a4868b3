#ifndef GATEWAY_POLICY_INDEX_H
#define GATEWAY_POLICY_INDEX_H

#include "gateway/policy/rule.h"

/*
 * Which rules can match at all, by address or name: so that a decision costs
 * what the rules that speak of the client or the destination cost, however long
 * the list is.
 *
 * Every rule is, by its networks, in one of two trees: by its `from` or by its
 * `to`, whichever is narrower. A tree cuts the addresses wherever a range
 * begins or ends. The pieces are its leaves; over them stands a binary tree
 * (node 1 is the root, node n has the children 2n and 2n + 1). A rule is noted
 * at the few nodes that its ranges consist of, so the rules that hold an
 * address are those on the way from its leaf to the root.
 *
 *     rule 0: from 10.1.0.0/16    rule 1: from 10.0.0.0/15    rule 2: from any
 *
 *                             (1) {2}
 *                 ┌──────────────┴──────────────┐
 *                (2)                           (3)
 *          ┌──────┴──────┐              ┌───────┴──────┐
 *         (4)         (5) {1}        (6) {0, 1}       (7)
 *     begins at 0    at 10.0.0.0     at 10.1.0.0    at 10.2.0.0
 *
 * 10.1.2.3 is in leaf 6. On the way to the root are rules 0 and 1 there, none
 * at 3, and rule 2 at the root: these three can match, and the lowest of them
 * whose other terms agree is the first match.
 *
 * Every name in a rule's `to` is in one sorted list beside the trees, whether
 * the rule's networks match or not.
 */
struct rule_tree {
    struct addr *points; /* where leaves begin; the first is 0 */
    size_t leaves;
    uint32_t *starts; /* rules[starts[n]] to rules[starts[n + 1] - 1] are
                         node n's, in order */
    uint32_t *rules;
};

/* In the order of name_cmp, then of rules. */
struct rule_name {
    const struct rule_word *word;
    uint32_t rule;
};

struct rule_index {
    struct rule_tree by_from;
    struct rule_tree by_to;
    struct rule_tree candidates; /* by `from`, those that name some network:
                                    for a name whose addresses are not known
                                    yet */
    struct rule_name *names;
    size_t name_count;
};

struct arena;

/* An index of the rules, in `arena`; `scratch` may be freed afterwards. NULL:
   out of memory. */
struct rule_index *rule_index_build(const struct rule *rules, size_t count,
                                    struct arena *arena, struct arena *scratch);

/* The leaf an address is in, as a node. */
size_t rule_tree_node(const struct rule_tree *tree, struct addr addr);

/* The first of index->names that does not stand before the name. */
size_t rule_names_find(const struct rule_index *index, const char *name,
                       size_t len);

#endif
