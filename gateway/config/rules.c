#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/parse.h"

static const struct node *
value_of(const struct node *map, const char *key)
{
    for (const struct node *at = map->first; at; at = at->next->next)
        if (strcmp(at->text, key) == 0)
            return at->next;
    return map;
}

static int
rule_check_name(struct parse *parse, const struct node *map,
                const struct rule *rule)
{
    if (strcmp(rule->name, "default") != 0)
        return 0;
    return parse_fail(parse, value_of(map, "name"),
                      "name: \"default\" is what records say where no rule "
                      "matched; use another");
}

static int
rule_parse(struct parse *parse, const struct node *map, struct rule *rule,
           size_t number)
{
    char name[32];

    if (map->kind != NODE_MAP)
        return parse_fail(parse, map,
                          "rules: each is a mapping; write - {action: allow, "
                          "from: [NETWORK], to: [NETWORK]}");
    rule->line = map->line;
    if (parse_section(parse, map, map, "rules[].", rule) != 0)
        return -1;
    if (!rule->allow && rule->ident != RULE_IDENT_OFF)
        return parse_fail(parse, value_of(map, "ident"),
                          "ident: a deny rule refuses whatever identd says; "
                          "remove it, or write action: allow");
    if (rule->name)
        return rule_check_name(parse, map, rule);
    int len = snprintf(name, sizeof(name), "rule-%zu", number);
    rule->name = arena_copy(parse->config->arena, name, (size_t)len);
    return rule->name ? 0 : parse_no_memory(parse);
}

/* By name, then by place. */
static int
rule_cmp(const void *a, const void *b)
{
    const struct rule *const *one = a;
    const struct rule *const *two = b;
    int by_name = strcmp((*one)->name, (*two)->name);

    return by_name ? by_name : (*one > *two) - (*one < *two);
}

static const struct node *
member_at(const struct node *list, size_t i)
{
    const struct node *node = list->first;

    while (i-- > 0)
        node = node->next;
    return node;
}

static int
rules_check_names(struct parse *parse, const struct node *list)
{
    struct config *config = parse->config;
    const struct rule **sorted =
        arena_take(parse->scratch, config->policy.rule_count, sizeof(*sorted));

    if (!sorted)
        return parse_no_memory(parse);
    for (size_t i = 0; i < config->policy.rule_count; i++)
        sorted[i] = &config->policy.rules[i];
    qsort(sorted, config->policy.rule_count, sizeof(*sorted), rule_cmp);
    for (size_t i = 1; i < config->policy.rule_count; i++) {
        const struct rule *rule = sorted[i];
        if (strcmp(sorted[i - 1]->name, rule->name) != 0)
            continue;
        const struct node *map =
            member_at(list, (size_t)(rule - config->policy.rules));
        return parse_fail(parse, value_of(map, "name"),
                          "name: duplicate rule \"%s\", first on line %u; "
                          "use another",
                          rule->name, sorted[i - 1]->line);
    }
    return 0;
}

int
rules_parse(struct parse *parse, const struct option *option,
            const struct node *list, void *base)
{
    struct config *config = base;

    if (!list)
        return 0;
    if (parse_list(parse, option, list, "- action: allow ...") != 0)
        return -1;
    if (list->count > PARSE_RULES_MAX)
        return parse_fail(parse, list, "rules: %zu rules; at most %d",
                          list->count, PARSE_RULES_MAX);
    config->policy.rules =
        arena_take(config->arena, list->count, sizeof(*config->policy.rules));
    if (!config->policy.rules)
        return parse_no_memory(parse);
    for (const struct node *map = list->first; map; map = map->next) {
        struct rule *rule = &config->policy.rules[config->policy.rule_count++];
        if (rule_parse(parse, map, rule, config->policy.rule_count) != 0)
            return -1;
    }
    return rules_check_names(parse, list);
}
