#include "gateway/config/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/section.h"
#include "gateway/config/way_out.h"

static int
rule_check_name(struct parse *parse, const struct node *map,
                const struct rule *rule)
{
    if (strcmp(rule->name, "default") != 0)
        return 0;
    return diag_error(parse, section_value(map, "name"),
                      "name: \"default\" is what records say where no rule "
                      "matched; use another");
}

static bool
rule_has_timeouts(const struct rule *rule)
{
    return rule->timeouts.idle_ms != RULE_TIMEOUT_NONE ||
           rule->timeouts.half_closed_ms != RULE_TIMEOUT_NONE ||
           rule->timeouts.connect_ms != RULE_TIMEOUT_NONE ||
           rule->timeouts.bind_ms != RULE_TIMEOUT_NONE;
}

/* Where clients come through a balancer, the connection is the balancer's: no
   client's identd knows it. */
static int
rule_check_ident(struct parse *parse, const struct node *map,
                 const struct rule *rule)
{
    const struct config *config = parse->config;

    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].proxy_protocol.nets.count > 0 &&
            (rule->listeners == 0 || (rule->listeners >> i & 1)))
            return diag_error(parse, section_value(map, "ident"),
                              "ident: the clients of listener \"%s\" come "
                              "through a balancer (proxy_protocol), whose "
                              "connections their identd does not know; name "
                              "other listeners in the rule's listener, or "
                              "remove ident",
                              config->listeners[i].name);
    return 0;
}

/* What a session has before its rule is known, or has from a parent, none of
   its datagrams can have by theirs. */
static int
rule_check_udp(struct parse *parse, const struct node *map,
               const struct rule *rule)
{
    if (rule->via_count > 0)
        return diag_error(parse, section_value(map, "via"),
                          "via: no datagram goes through a parent; remove udp "
                          "from the rule's command, or via");
    if (rule->ident != RULE_IDENT_OFF)
        return diag_error(parse, section_value(map, "ident"),
                          "ident: it is not asked for datagrams; remove udp "
                          "from the rule's command, or ident");
    if (rule->egress_count > 0)
        return diag_error(parse, section_value(map, "egress"),
                          "egress: all datagrams of a client leave from one "
                          "address; remove udp from the rule's command, or "
                          "egress, for which egress.address stands in");
    return 0;
}

static int
rule_parse(struct parse *parse, const struct node *map, struct rule *rule,
           size_t number)
{
    char name[32];

    if (map->kind != NODE_MAP)
        return diag_error(parse, map,
                          "rules: each is a mapping; write - {action: allow, "
                          "from: [NETWORK], to: [NETWORK]}");
    rule->line = map->line;
    rule->column = map->column;
    if (section_parse(parse, map, map, "rules[].", rule) != 0)
        return -1;
    /* Who denies a network without a word on commands means all of them. */
    if (!rule->allow && section_value(map, "command") == map)
        rule->commands = 1u << RULE_CONNECT | 1u << RULE_BIND | 1u << RULE_UDP;
    if (!rule->allow && rule->ident != RULE_IDENT_OFF)
        return diag_error(parse, section_value(map, "ident"),
                          "ident: a deny rule refuses whatever identd says; "
                          "remove it, or write action: allow");
    if (rule->ident != RULE_IDENT_OFF &&
        rule_check_ident(parse, map, rule) != 0)
        return -1;
    if (!rule->allow && rule->send_proxy != RULE_SEND_PROXY_OFF)
        return diag_error(parse, section_value(map, "send_proxy"),
                          "send_proxy: a deny rule connects nowhere; remove "
                          "it, or write action: allow");
    if (!rule->allow && rule_has_timeouts(rule))
        return diag_error(parse, section_value(map, "timeouts"),
                          "timeouts: a deny rule has no sessions; remove it, "
                          "or write action: allow");
    if (!rule->allow && rule->via_count > 0)
        return diag_error(parse, section_value(map, "via"),
                          "via: a deny rule connects nowhere; remove it, or "
                          "write action: allow");
    if (way_out_prepare(parse, rule) != 0)
        return -1;
    if (!rule->allow && rule->egress_count > 0)
        return diag_error(parse, section_value(map, "egress"),
                          "egress: a deny rule connects nowhere; remove it, or "
                          "write action: allow");
    if (rule->allow && (rule->commands >> RULE_UDP & 1) &&
        rule_check_udp(parse, map, rule) != 0)
        return -1;
    if (rule->name)
        return rule_check_name(parse, map, rule);
    int len = snprintf(name, sizeof(name), "rule-%zu", number);
    rule->name = arena_copy(parse->config->arena, name, (size_t)len);
    return rule->name ? 0 : diag_no_memory(parse);
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

static int
rules_check_names(struct parse *parse, const struct node *list)
{
    const struct policy *policy = &parse->config->policy;
    const struct rule **sorted =
        arena_take(parse->scratch, policy->rule_count, sizeof(*sorted));
    const struct node **maps =
        arena_take(parse->scratch, policy->rule_count, sizeof(*maps));
    size_t count = 0;
    int rc = 0;

    if (!sorted || !maps)
        return diag_no_memory(parse);
    for (const struct node *map = list->first; map; map = map->next) {
        sorted[count] = &policy->rules[count];
        maps[count++] = map;
    }
    qsort(sorted, count, sizeof(*sorted), rule_cmp);
    for (size_t i = 1; i < count; i++) {
        const struct rule *rule = sorted[i];
        if (strcmp(sorted[i - 1]->name, rule->name) == 0)
            rc = diag_error(parse,
                            section_value(maps[rule - policy->rules], "name"),
                            "name: duplicate rule \"%s\", first on line %u; "
                            "use another",
                            rule->name, sorted[i - 1]->line);
    }
    return rc;
}

static int
rules_parse(struct parse *parse, const struct option *option,
            const struct node *list, void *base)
{
    struct config *config = base;
    struct policy *policy = &config->policy;
    int rc = 0;

    if (!list)
        return 0;
    if (diag_expect_list(parse, option, list, "- action: allow ...") != 0)
        return -1;
    if (list->count > PARSE_RULES_MAX)
        return diag_value(parse, option, list, "%zu rules; at most %d",
                          list->count, PARSE_RULES_MAX);
    policy->rules =
        arena_take(config->arena, list->count, sizeof(*policy->rules));
    if (!policy->rules)
        return diag_no_memory(parse);
    for (const struct node *map = list->first; map; map = map->next) {
        struct rule *rule = &policy->rules[policy->rule_count++];
        rc |= rule_parse(parse, map, rule, policy->rule_count);
    }
    return rc == 0 ? rules_check_names(parse, list) : -1;
}

static void
rules_dump(const struct dump *dump, const struct option *option,
           const void *base)
{
    const struct policy *policy = &((const struct config *)base)->policy;

    (void)option;
    fputs(policy->rule_count ? "\n" : " []\n", dump->to);
    for (size_t i = 0; i < policy->rule_count; i++)
        section_dump(dump, "rules[].", &policy->rules[i], "  - ");
}

const struct option_type type_rules = {
    .parse = rules_parse,
    .dump = rules_dump,
    .manual = "list of mappings",
    .nested = true,
};
