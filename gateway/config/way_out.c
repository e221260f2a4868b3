#include "gateway/config/way_out.h"

#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/value.h"
#include "gateway/policy/sets.h"

/* --- via ----------------------------------------------------------------- */

static const char *
way_out_parent_at(const void *names, size_t i)
{
    const struct config *config = names;

    return config->parents[i].name;
}

static int
way_out_add_parent(struct parse *parse, const struct option *option,
                   const struct node *node, struct rule *rule)
{
    struct config *config = parse->config;
    char hint[TEXT_HINT_MAX];
    size_t i = 0;

    if (diag_expect_scalar(parse, option, node, "a parent's name") != 0)
        return -1;
    while (i < config->parent_count &&
           strcmp(config->parents[i].name, node->text) != 0)
        i++;
    if (i == config->parent_count)
        return diag_value(
            parse, option, node,
            "unknown parent \"%s\"%s; name it under parents", SHOW(node),
            text_hint(text_nearest(node->text, config, i, way_out_parent_at),
                      hint));
    if (memchr(rule->via, (int)i, rule->via_count))
        return diag_value(parse, option, node,
                          "the parent \"%s\" is named twice; remove one",
                          SHOW(node));
    config->parents[i].used = true;
    rule->via[rule->via_count++] = (uint8_t)i;
    return 0;
}

static int
way_out_parse_via(struct parse *parse, const struct option *option,
                  const struct node *list, void *base)
{
    struct rule *rule = base;
    int rc = 0;

    if (diag_expect_list(parse, option, list, "[NAME]") != 0)
        return -1;
    if (list->count > RULE_VIA_MAX)
        return diag_value(parse, option, list, "%zu parents; at most %d",
                          list->count, RULE_VIA_MAX);
    rule->via = arena_take(parse->config->arena, RULE_VIA_MAX, 1);
    if (!rule->via)
        return diag_no_memory(parse);
    for (const struct node *node = list->first; node && rc == 0;
         node = node->next)
        rc = way_out_add_parent(parse, option, node, rule);
    return rc;
}

static void
way_out_dump_via(const struct dump *dump, const struct option *option,
                 const void *base)
{
    const struct rule *rule = base;

    (void)option;
    fputc('[', dump->to);
    for (size_t i = 0; i < rule->via_count; i++) {
        fputs(i ? ", " : "", dump->to);
        dump_text(dump, dump->config->parents[rule->via[i]].name);
    }
    fputc(']', dump->to);
}

const struct option_type type_rule_via = {
    .parse = way_out_parse_via,
    .dump = way_out_dump_via,
    .manual = "list of names",
};

/* Whether all of its parents are told names. A BIND that needs a CONNECT beside
   it is compared by address, and a PROXY header has the server's address. */
static bool
way_out_passes_names(const struct config *config, const struct rule *rule)
{
    for (size_t i = 0; i < rule->via_count; i++) {
        const struct config_parent *parent = &config->parents[rule->via[i]];
        if (parent->names == CONFIG_PARENT_RESOLVE ||
            parent->protocol == CONFIG_PARENT_SOCKS4)
            return false;
    }
    return rule->via_count > 0 && !rule->require_connect &&
           rule->send_proxy == RULE_SEND_PROXY_OFF;
}

/* Whether `to' has all of the set `any' that a name's addresses can be, which
   are of IPv4. */
static int
way_out_find_any(struct rule *rule)
{
    static const struct addr below = {0, UINT64_C(0xfffeffffffff)};
    static const struct addr above = {0, UINT64_C(0x1000000000000)};
    static const struct addr last = {UINT64_MAX, UINT64_MAX};
    struct set_members any = {0};

    int error = set_add_builtin(&any, "any");
    set_seal(&any);
    if (error == 0)
        error = netset_remove(&any.reach, (struct addr){0}, below);
    if (error == 0)
        error = netset_remove(&any.reach, above, last);
    if (error == 0)
        rule->to_any = netset_covers(&rule->to, &any.reach);
    set_fini(&any);
    return error;
}

int
way_out_prepare(struct parse *parse, struct rule *rule)
{
    rule->passes_names = way_out_passes_names(parse->config, rule);
    if (rule->passes_names && way_out_find_any(rule) != 0)
        return diag_no_memory(parse);
    return 0;
}

/* --- egress -------------------------------------------------------------- */

#define EXAMPLE_EGRESS "auto, 192.0.2.1 or [192.0.2.1, 192.0.2.2]"

static int
way_out_address(struct parse *parse, const struct option *option,
                const struct node *node, uint32_t *ip)
{
    struct addr addr;

    if (diag_expect_scalar(parse, option, node, "an IPv4 address") != 0)
        return -1;
    if (addr_parse(node->text, &addr) != 0 || !addr_is_v4(addr) ||
        strchr(node->text, ':'))
        return diag_value(
            parse, option, node,
            "\"%s\" is not an IPv4 address; write " EXAMPLE_EGRESS, SHOW(node));
    if (addr_is_any(addr))
        return diag_value(parse, option, node,
                          "0.0.0.0 is not an address of a machine; write auto");
    *ip = addr_to_v4(addr);
    return 0;
}

/* One address may stand without a list. */
static int
way_out_parse_egress(struct parse *parse, const struct option *option,
                     const struct node *node, void *base)
{
    struct rule *rule = base;
    bool list = node->kind == NODE_LIST;
    size_t count = list ? node->count : 1;

    if (node->kind == NODE_SCALAR && strcmp(node->text, option->fallback) == 0)
        return 0;
    if (list && diag_expect_members(parse, option, node, EXAMPLE_EGRESS) != 0)
        return -1;
    if (count > RULE_EGRESS_MAX)
        return diag_value(parse, option, node, "%zu addresses; at most %d",
                          count, RULE_EGRESS_MAX);
    rule->egress =
        arena_take(parse->config->arena, count, sizeof(*rule->egress));
    if (!rule->egress)
        return diag_no_memory(parse);
    int rc = 0;
    for (const struct node *at = list ? node->first : node;
         at && rule->egress_count < count; at = at->next)
        rc |= way_out_address(parse, option, at,
                              &rule->egress[rule->egress_count++]);
    return rc;
}

static void
way_out_dump_egress(const struct dump *dump, const struct option *option,
                    const void *base)
{
    const struct rule *rule = base;
    char text[ADDR_TEXT_MAX];

    if (rule->egress_count == 0) {
        fputs(option->fallback, dump->to);
        return;
    }
    for (size_t i = 0; i < rule->egress_count; i++)
        fprintf(dump->to, "%s%s", i ? ", " : "[",
                addr_format(addr_v4(rule->egress[i]), text));
    fputc(']', dump->to);
}

const struct option_type type_rule_egress = {
    .parse = way_out_parse_egress,
    .dump = way_out_dump_egress,
    .manual = "auto, IPv4 address or list of them",
};
