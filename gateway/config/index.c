#include "gateway/config/index.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/config/parse.h"

/* How many addresses a set holds, roughly: the binary logarithm of its
   largest range, 128 at most. */
static unsigned
width(const struct netset *set)
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

/* A BIND to 0.0.0.0 meets `peer: any` whatever `to` says: by `from`, then. */
static bool
is_by_from(const struct config_rule *rule)
{
    return rule->peer == CONFIG_PEER_ANY ||
           width(&rule->from) < width(&rule->to);
}

/* The ranges a rule has in the tree; none if it is in the other one. */
static const struct netset *
ranges_of(const struct config_rule *rule, bool by_from)
{
    static const struct netset none = {0};

    if (is_by_from(rule) != by_from)
        return &none;
    return by_from ? &rule->from : &rule->to;
}

static int
point_cmp(const void *a, const void *b)
{
    const struct addr *one = a;
    const struct addr *two = b;

    return addr_cmp(*one, *two);
}

static size_t
points_unique(struct addr *points, size_t count)
{
    size_t kept = 1;

    qsort(points, count, sizeof(*points), point_cmp);
    for (size_t i = 1; i < count; i++)
        if (!addr_equal(points[kept - 1], points[i]))
            points[kept++] = points[i];
    return kept;
}

/* Cuts before each range and behind it. */
static int
tree_cut(struct parse *parse, struct rule_tree *tree, bool by_from)
{
    const struct config *config = parse->config;
    size_t ranges = 0, count = 1;

    for (size_t i = 0; i < config->rule_count; i++)
        ranges += ranges_of(&config->rules[i], by_from)->count;
    struct addr *points =
        arena_take(parse->scratch, 1 + 2 * ranges, sizeof(*points));
    if (!points)
        return parse_no_memory(parse);
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct netset *set = ranges_of(&config->rules[i], by_from);
        for (size_t j = 0; j < set->count; j++) {
            struct addr last = set->ranges[j].last;
            points[count++] = set->ranges[j].first;
            /* Behind the last address of all this is 0, a point anyway. */
            points[count++] =
                (struct addr){last.hi + (last.lo == UINT64_MAX), last.lo + 1};
        }
    }
    tree->leaves = points_unique(points, count);
    tree->points =
        arena_take(parse->config->arena, tree->leaves, sizeof(*tree->points));
    if (!tree->points)
        return parse_no_memory(parse);
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

/* At each node of the range: counts[node]++, and where `rules` is not NULL
   the rule's number goes to where the count points. */
static void
range_note(const struct rule_tree *tree, const struct netset_range *range,
           uint32_t *counts, uint32_t *rules, uint32_t number)
{
    size_t low = rule_tree_node(tree, range->first);
    size_t high = rule_tree_node(tree, range->last) + 1;

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
}

static void
rules_note(const struct config *config, const struct rule_tree *tree,
           bool by_from, uint32_t *counts, uint32_t *rules)
{
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct netset *set = ranges_of(&config->rules[i], by_from);
        for (size_t j = 0; j < set->count; j++)
            range_note(tree, &set->ranges[j], counts, rules, (uint32_t)i);
    }
}

/* Once to count, once to write. */
static int
tree_build(struct parse *parse, struct rule_tree *tree, bool by_from)
{
    struct config *config = parse->config;

    if (tree_cut(parse, tree, by_from) != 0)
        return -1;
    size_t nodes = 2 * tree->leaves;
    uint32_t *counts = arena_take(parse->scratch, nodes, sizeof(*counts));
    tree->starts = arena_take(config->arena, nodes + 1, sizeof(*tree->starts));
    if (!counts || !tree->starts)
        return parse_no_memory(parse);
    rules_note(config, tree, by_from, counts, NULL);
    for (size_t i = 0; i < nodes; i++)
        tree->starts[i + 1] = tree->starts[i] + counts[i];
    tree->rules =
        arena_take(config->arena, tree->starts[nodes], sizeof(*tree->rules));
    if (!tree->rules)
        return parse_no_memory(parse);
    memcpy(counts, tree->starts, nodes * sizeof(*counts));
    rules_note(config, tree, by_from, counts, tree->rules);
    return 0;
}

/* ASCII alone: what else there may be in a name is nobody's letter. */
static int
lower(char octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet - 'A' + 'a'
                                        : (unsigned char)octet;
}

int
rule_name_cmp(const struct config_word *word, const char *name, size_t len)
{
    for (size_t i = 0; i < len && i < word->len; i++) {
        int differ = lower(word->text[i]) - lower(name[i]);
        if (differ != 0)
            return differ < 0 ? -1 : 1;
    }
    return (word->len > len) - (word->len < len);
}

size_t
rule_names_find(const struct rule_index *index, const char *name, size_t len)
{
    size_t low = 0;
    size_t high = index->name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rule_name_cmp(index->names[middle].word, name, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int
named_cmp(const void *a, const void *b)
{
    const struct rule_name *one = a;
    const struct rule_name *two = b;
    int by_name = rule_name_cmp(one->word, two->word->text, two->word->len);

    return by_name ? by_name
                   : (one->rule > two->rule) - (one->rule < two->rule);
}

static int
names_build(struct parse *parse, struct rule_index *index)
{
    const struct config *config = parse->config;
    size_t count = 0;

    for (size_t i = 0; i < config->rule_count; i++)
        count += config->rules[i].to_name_count;
    index->names = arena_take(config->arena, count, sizeof(*index->names));
    if (!index->names)
        return parse_no_memory(parse);
    for (size_t i = 0; i < config->rule_count; i++)
        for (size_t j = 0; j < config->rules[i].to_name_count; j++)
            index->names[index->name_count++] = (struct rule_name){
                .word = &config->rules[i].to_names[j], .rule = (uint32_t)i};
    qsort(index->names, count, sizeof(*index->names), named_cmp);
    return 0;
}

int
index_build(struct parse *parse)
{
    struct rule_index *index =
        arena_take(parse->config->arena, 1, sizeof(*index));

    if (!index)
        return parse_no_memory(parse);
    if (tree_build(parse, &index->by_from, true) != 0 ||
        tree_build(parse, &index->by_to, false) != 0 ||
        names_build(parse, index) != 0)
        return -1;
    parse->config->index = index;
    return 0;
}
