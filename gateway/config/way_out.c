#include "gateway/config/way_out.h"

#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/value.h"

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
