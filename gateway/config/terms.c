/* The terms of a rule: what it takes for the rule to match. */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config/sets.h"
#include "gateway/policy/name.h"
#include "socks4/codec.h"

#define EXAMPLE_NETS "[any] or [10.0.0.0/8, loopback]"

/* An array of as many as the list has members; NULL with the error noted. */
static void *
list_room(struct parse *parse, const struct node *list, size_t size)
{
    void *room = arena_take(parse->config->arena, list->count, size);

    if (!room)
        parse_no_memory(parse);
    return room;
}

static int
list_demand(struct parse *parse, const struct option *option,
            const struct node *list, const char *example)
{
    if (parse_list(parse, option, list, example) != 0)
        return -1;
    if (list->count > 0)
        return 0;
    return parse_fail(parse, list, "%s: names nothing; write %s",
                      option_label(option), example);
}

static int
term_action(struct parse *parse, const struct option *option,
            const struct node *node, struct rule *rule)
{
    unsigned chosen;

    if (parse_choice(parse, option, node, &chosen) != 0)
        return -1;
    rule->allow = chosen == 1;
    return 0;
}

static int
term_from(struct parse *parse, const struct option *option,
          const struct node *list, struct rule *rule)
{
    if (list_demand(parse, option, list, EXAMPLE_NETS) != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next)
        if (set_add_member(parse, option, node, &rule->from, NULL) != 0)
            return -1;
    netset_seal(&rule->from);
    rule->from_text_count = list->count;
    rule->from_text = set_copy_members(parse, list);
    return rule->from_text ? 0 : -1;
}

/* A name is whatever has a dot and is no network: a bare word is a set,
   a host without a domain is written with a final dot. */
static bool
is_name(const struct node *node)
{
    return node->kind == NODE_SCALAR && strchr(node->text, '.') &&
           !set_is_network(node->text);
}

/* Case and a final dot do not matter. */
static int
term_name(struct parse *parse, const struct option *option,
          const struct node *node, struct rule_word *word)
{
    size_t len = node->len;

    if (len > 1 && node->text[len - 1] == '.')
        len--;
    word->text = arena_copy(parse->config->arena, node->text, len);
    word->len = len;
    if (!word->text)
        return parse_no_memory(parse);
    for (size_t i = 0; i < len; i++)
        word->text[i] = (char)tolower((unsigned char)word->text[i]);
    if (len > NAME_OCTETS_MAX || !name_is_term(word->text))
        return parse_fail(parse, node,
                          "%s: \"%s\" is no name; write one such as "
                          "ftp.example.org or .example.org",
                          option_label(option), SHOW(node));
    return 0;
}

static int
term_to(struct parse *parse, const struct option *option,
        const struct node *list, struct rule *rule)
{
    int rc = 0;

    if (list_demand(parse, option, list, EXAMPLE_NETS) != 0)
        return -1;
    rule->to_names = list_room(parse, list, sizeof(*rule->to_names));
    if (!rule->to_names)
        return -1;
    for (const struct node *node = list->first; node && rc == 0;
         node = node->next) {
        if (is_name(node))
            rc = term_name(parse, option, node,
                           &rule->to_names[rule->to_name_count++]);
        else
            rc = set_add_member(parse, option, node, NULL, &rule->to);
    }
    if (rc != 0)
        return -1;
    netset_seal(&rule->to);
    rule->to_text_count = list->count;
    rule->to_text = set_copy_members(parse, list);
    return rule->to_text ? 0 : -1;
}

static const char *
listener_name_at(const void *names, size_t i)
{
    const struct config *config = names;

    return config->listeners[i].name;
}

static int
term_listeners(struct parse *parse, const struct option *option,
               const struct node *list, struct rule *rule)
{
    const struct config *config = parse->config;
    char hint[PARSE_HINT_MAX];

    if (parse_list(parse, option, list, "[NAME]") != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        size_t i = 0;
        if (parse_scalar(parse, option, node, "a listener's name") != 0)
            return -1;
        while (i < config->listener_count &&
               strcmp(config->listeners[i].name, node->text) != 0)
            i++;
        if (i == config->listener_count)
            return parse_fail(parse, node,
                              "%s: unknown listener \"%s\"%s; name it under "
                              "listen",
                              option_label(option), SHOW(node),
                              parse_hint(text_nearest(node->text, config, i,
                                                      listener_name_at),
                                         hint));
        rule->listeners |= UINT64_C(1) << i;
    }
    return 0;
}

static const char *const commands[] = {
    [SOCKS4_CONNECT] = "connect", [SOCKS4_BIND] = "bind"};

static int
term_commands(struct parse *parse, const struct option *option,
              const struct node *list, struct rule *rule)
{
    if (list_demand(parse, option, list, "[connect, bind]") != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        if (parse_scalar(parse, option, node, "connect or bind") != 0)
            return -1;
        if (strcmp(node->text, commands[SOCKS4_CONNECT]) == 0)
            rule->commands |= 1u << SOCKS4_CONNECT;
        else if (strcmp(node->text, commands[SOCKS4_BIND]) == 0)
            rule->commands |= 1u << SOCKS4_BIND;
        else
            return parse_fail(parse, node,
                              "%s: \"%s\" is no command; write connect or "
                              "bind",
                              option_label(option), SHOW(node));
    }
    return 0;
}

int
parse_ports(struct parse *parse, const struct option *option,
            const struct node *node, uint16_t *first, uint16_t *last)
{
    char head[8] = "";
    uint64_t low, high;

    if (parse_scalar(parse, option, node, "80 or 8000-8100") != 0)
        return -1;
    const char *dash = strchr(node->text, '-');
    size_t len = dash ? (size_t)(dash - node->text) : node->len;
    if (len < sizeof(head))
        memcpy(head, node->text, len);
    if (text_number(head, &low) != 0 || low > UINT16_MAX ||
        text_number(dash ? dash + 1 : head, &high) != 0 || high > UINT16_MAX)
        return parse_fail(parse, node,
                          "%s: \"%s\" is no port (0 to 65535) and no range; "
                          "write 80 or 8000-8100",
                          option_label(option), SHOW(node));
    if (high < low)
        return parse_fail(
            parse, node, "%s: the range %s is reversed; write %u-%u",
            option_label(option), node->text, (unsigned)high, (unsigned)low);
    *first = (uint16_t)low;
    *last = (uint16_t)high;
    return 0;
}

static int
term_ports(struct parse *parse, const struct option *option,
           const struct node *list, struct rule *rule)
{
    if (parse_list(parse, option, list, "[80, 8000-8100]") != 0)
        return -1;
    rule->ports = list_room(parse, list, sizeof(*rule->ports));
    if (!rule->ports)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        struct rule_ports *range = &rule->ports[rule->port_count++];
        if (parse_ports(parse, option, node, &range->first, &range->last) != 0)
            return -1;
    }
    return 0;
}

static int
term_userids(struct parse *parse, const struct option *option,
             const struct node *list, struct rule *rule)
{
    if (parse_list(parse, option, list, "[ann, \"ftp*\"]") != 0)
        return -1;
    rule->users = list_room(parse, list, sizeof(*rule->users));
    if (!rule->users)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        struct rule_word *word = &rule->users[rule->user_count++];
        if (parse_scalar(parse, option, node, "a USERID") != 0)
            return -1;
        word->prefix = node->len > 0 && node->text[node->len - 1] == '*';
        word->len = node->len - word->prefix;
        if (word->len > UINT16_MAX)
            return parse_fail(parse, node, "%s: longer than any USERID can be",
                              option_label(option));
        word->text = arena_copy(parse->config->arena, node->text, word->len);
        if (!word->text)
            return parse_no_memory(parse);
    }
    return 0;
}

static int
term_peer(struct parse *parse, const struct option *option,
          const struct node *list, struct rule *rule)
{
    unsigned chosen;

    if (list->kind == NODE_SCALAR) {
        if (parse_choice(parse, option, list, &chosen) != 0)
            return -1;
        rule->peer = (enum rule_peer)chosen;
        return 0;
    }
    if (list_demand(parse, option, list, "exact, any or [10.0.0.0/8]") != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next)
        if (set_add_member(parse, option, node, &rule->peers, NULL) != 0)
            return -1;
    netset_seal(&rule->peers);
    rule->peer = RULE_PEER_NETS;
    rule->peer_text_count = list->count;
    rule->peer_text = set_copy_members(parse, list);
    return rule->peer_text ? 0 : -1;
}

typedef int term_fn(struct parse *parse, const struct option *option,
                    const struct node *node, struct rule *rule);

static term_fn *const term_fns[OPTION_KINDS] = {
    [OPTION_ACTION] = term_action,
    [OPTION_FROM] = term_from,
    [OPTION_TO] = term_to,
    [OPTION_RULE_LISTENERS] = term_listeners,
    [OPTION_COMMANDS] = term_commands,
    [OPTION_RULE_PORTS] = term_ports,
    [OPTION_USERIDS] = term_userids,
    [OPTION_PEER] = term_peer,
};

int
terms_parse(struct parse *parse, const struct option *option,
            const struct node *node, void *base)
{
    return term_fns[option->kind](parse, option, node, base);
}
