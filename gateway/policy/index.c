#include "gateway/policy/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "gateway/policy/name.h"

/* What one index is built from, and where. */
struct index_build {
    const struct rule *rules;
    size_t count;
    struct arena *arena;
    struct arena *scratch;
};

/* How many addresses a set holds, roughly: the binary logarithm of its
   largest range, 128 at most. */
static unsigned
index_width(const struct netset *set)
{
    unsigned widest = 0;

    for (size_t i = 0; i < set->count; i++) {
        uint64_t hi = set->ranges[i].last.hi - set->ranges[i].first.hi;
        uint64_t lo = set->ranges[i].last.lo - set->ranges[i].first.lo;
        unsigned bits = hi   ? 128 - (unsigned)__builtin_clzll(hi)
                        : lo ? 64 - (unsigned)__builtin_clzll(lo)
                             : 0;
        widest = bits > widest ? bits : widest;
    }
    return widest;
}

/* A BIND to 0.0.0.0 meets `peer: any` whatever `to` says, and which addresses
   are this machine's is known only later: by the other side, then. */
static bool
index_is_by_from(const struct rule *rule)
{
    if (rule->peer == RULE_PEER_ANY || rule->to_self)
        return true;
    return !rule->from_self &&
           index_width(&rule->from) < index_width(&rule->to);
}

enum index_tree { TREE_BY_FROM, TREE_BY_TO, TREE_CANDIDATES };

/* The ranges a rule has in the tree; none if it is not in it. */
static const struct netset *
index_ranges(const struct rule *rule, enum index_tree kind)
{
    static struct netset_range everything = {{0, 0}, {UINT64_MAX, UINT64_MAX}};
    static const struct netset none = {0};
    static const struct netset all = {.ranges = &everything, .count = 1};
    bool within = false;

    switch (kind) {
    case TREE_BY_FROM:
        within = index_is_by_from(rule);
        break;
    case TREE_BY_TO:
        within = !index_is_by_from(rule);
        break;
    case TREE_CANDIDATES:
        within = rule->allow && (rule->to.count > 0 || rule->to_cut.count > 0 ||
                                 rule->to_self);
        break;
    }
    if (!within)
        return &none;
    if (kind == TREE_BY_TO)
        return &rule->to;
    return rule->from_self ? &all : &rule->from;
}

static int
index_point_cmp(const void *a, const void *b)
{
    const struct addr *one = a;
    const struct addr *two = b;

    return addr_cmp(*one, *two);
}

static size_t
index_unique_points(struct addr *points, size_t count)
{
    size_t kept = 1, sorted = 1;

    /* The points of one rule are in order, however many they are. */
    while (sorted < count && addr_cmp(points[sorted - 1], points[sorted]) <= 0)
        sorted++;
    if (sorted < count)
        qsort(points, count, sizeof(*points), index_point_cmp);
    for (size_t i = 1; i < count; i++)
        if (!addr_equal(points[kept - 1], points[i]))
            points[kept++] = points[i];
    return kept;
}

/* Cuts before each range and behind it. */
static int
index_cut(const struct index_build *build, struct rule_tree *tree,
          enum index_tree kind)
{
    size_t ranges = 0, count = 1;

    for (size_t i = 0; i < build->count; i++)
        ranges += index_ranges(&build->rules[i], kind)->count;
    struct addr *points =
        arena_take(build->scratch, 1 + 2 * ranges, sizeof(*points));
    if (!points)
        return -ENOMEM;
    for (size_t i = 0; i < build->count; i++) {
        const struct netset *set = index_ranges(&build->rules[i], kind);
        for (size_t j = 0; j < set->count; j++) {
            struct addr last = set->ranges[j].last;
            points[count++] = set->ranges[j].first;
            /* Behind the last address of all this is 0, a point anyway. */
            points[count++] =
                (struct addr){last.hi + (last.lo == UINT64_MAX), last.lo + 1};
        }
    }
    tree->leaves = index_unique_points(points, count);
    tree->points =
        arena_take(build->arena, tree->leaves, sizeof(*tree->points));
    if (!tree->points)
        return -ENOMEM;
    memcpy(tree->points, points, tree->leaves * sizeof(*points));
    return 0;
}

size_t
rule_tree_node(const struct rule_tree *tree, struct addr addr)
{
    size_t low = 0;
    size_t high = tree->leaves;

    /* The last point that is not behind addr; the first is before all. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (addr_cmp(tree->points[middle], addr) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low + tree->leaves;
}

/* The leaf of an address, which is `node` or behind it: a step or two, from one
   range of a set to the next. */
static size_t
index_leaf_from(const struct rule_tree *tree, size_t node, struct addr addr)
{
    size_t leaf = node - tree->leaves;

    for (int steps = 0; steps < 4; steps++, leaf++)
        if (leaf + 1 == tree->leaves ||
            addr_cmp(tree->points[leaf + 1], addr) > 0)
            return leaf + tree->leaves;
    return rule_tree_node(tree, addr);
}

/* At each node of the range: counts[node]++, and where `rules` is not NULL
   the rule's number goes to where the count points. No part of it is before the
   leaf `from`; returns its last one. */
static size_t
index_note_range(const struct rule_tree *tree, const struct netset_range *range,
                 size_t from, uint32_t *counts, uint32_t *rules,
                 uint32_t number)
{
    size_t low = index_leaf_from(tree, from, range->first);
    size_t high = index_leaf_from(tree, low, range->last) + 1;
    size_t last = high - 1;

    for (; low < high; low /= 2, high /= 2) {
        size_t nodes[] = {low, high - 1};
        bool taken[] = {low & 1, high & 1};
        for (int i = 0; i < 2; i++) {
            if (!taken[i])
                continue;
            if (rules)
                rules[counts[nodes[i]]] = number;
            counts[nodes[i]]++;
        }
        low += taken[0];
        high -= taken[1];
    }
    return last;
}

static void
index_note_rules(const struct index_build *build, const struct rule_tree *tree,
                 enum index_tree kind, uint32_t *counts, uint32_t *rules)
{
    for (size_t i = 0; i < build->count; i++) {
        const struct netset *set = index_ranges(&build->rules[i], kind);
        size_t leaf = tree->leaves;
        for (size_t j = 0; j < set->count; j++)
            leaf = index_note_range(tree, &set->ranges[j], leaf, counts, rules,
                                    (uint32_t)i);
    }
}

/* Once to count, once to write. */
static int
index_build_tree(const struct index_build *build, struct rule_tree *tree,
                 enum index_tree kind)
{

    if (index_cut(build, tree, kind) != 0)
        return -1;
    size_t nodes = 2 * tree->leaves;
    uint32_t *counts = arena_take(build->scratch, nodes, sizeof(*counts));
    tree->starts = arena_take(build->arena, nodes + 1, sizeof(*tree->starts));
    if (!counts || !tree->starts)
        return -ENOMEM;
    index_note_rules(build, tree, kind, counts, NULL);
    for (size_t i = 0; i < nodes; i++)
        tree->starts[i + 1] = tree->starts[i] + counts[i];
    tree->rules =
        arena_take(build->arena, tree->starts[nodes], sizeof(*tree->rules));
    if (!tree->rules)
        return -ENOMEM;
    memcpy(counts, tree->starts, nodes * sizeof(*counts));
    index_note_rules(build, tree, kind, counts, tree->rules);
    return 0;
}

size_t
rule_names_find(const struct rule_index *index, const char *name, size_t len)
{
    size_t low = 0;
    size_t high = index->name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (name_cmp(index->names[middle].word, name, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int
index_name_cmp(const void *a, const void *b)
{
    const struct rule_name *one = a;
    const struct rule_name *two = b;
    int by_name = name_cmp(one->word, two->word->text, two->word->len);

    return by_name ? by_name
                   : (one->rule > two->rule) - (one->rule < two->rule);
}

static int
index_build_names(const struct index_build *build, struct rule_index *index)
{
    size_t count = 0;

    for (size_t i = 0; i < build->count; i++)
        count += build->rules[i].to_name_count;
    index->names = arena_take(build->arena, count, sizeof(*index->names));
    if (!index->names)
        return -ENOMEM;
    for (size_t i = 0; i < build->count; i++)
        for (size_t j = 0; j < build->rules[i].to_name_count; j++)
            index->names[index->name_count++] = (struct rule_name){
                .word = &build->rules[i].to_names[j], .rule = (uint32_t)i};
    qsort(index->names, count, sizeof(*index->names), index_name_cmp);
    return 0;
}

struct rule_index *
rule_index_build(const struct rule *rules, size_t count, struct arena *arena,
                 struct arena *scratch)
{
    const struct index_build build = {
        .rules = rules, .count = count, .arena = arena, .scratch = scratch};
    struct rule_index *index = arena_take(arena, 1, sizeof(*index));

    if (!index || index_build_tree(&build, &index->by_from, TREE_BY_FROM) < 0 ||
        index_build_tree(&build, &index->by_to, TREE_BY_TO) < 0 ||
        index_build_tree(&build, &index->candidates, TREE_CANDIDATES) < 0 ||
        index_build_names(&build, index) < 0)
        return NULL;
    return index;
}
