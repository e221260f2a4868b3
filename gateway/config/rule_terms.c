#include "gateway/config/rule_terms.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/sets.h"
#include "gateway/config/value.h"

#define EXAMPLE_NETS "[any] or [10.0.0.0/8, loopback]"

/* An array of as many as the list has members; NULL with the error noted. */
static void *
term_room(struct parse *parse, const struct node *list, size_t size)
{
    void *room = arena_take(parse->config->arena, list->count, size);

    if (!room)
        diag_no_memory(parse);
    return room;
}

static int
term_action(struct parse *parse, const struct option *option,
            const struct node *node, void *base)
{
    struct rule *rule = base;
    unsigned chosen;

    if (value_parse_choice(parse, option, node, &chosen) != 0)
        return -1;
    rule->allow = chosen == 1;
    return 0;
}

static void
term_dump_action(const struct dump *dump, const struct option *option,
                 const void *base)
{
    const bool *allow = option_field_of(base, option->at);

    fputs(option->choices[*allow], dump->to);
}

const struct option_type type_action = {
    .parse = term_action,
    .dump = term_dump_action,
};

/* Takes one netset out of what will be given back. */
static struct netset
term_keep(struct netset *set)
{
    struct netset kept = *set;

    netset_init(set);
    return kept;
}

static int
term_from(struct parse *parse, const struct option *option,
          const struct node *list, void *base)
{
    struct rule *rule = base;
    struct set_members members = {0};

    if (diag_expect_members(parse, option, list, EXAMPLE_NETS) != 0)
        return -1;
    int rc = set_add_list(parse, option, list, &members, false);
    rule->from = term_keep(&members.itself);
    rule->from_self = members.self;
    set_fini(&members);
    return rc == 0 ? set_copy_members(parse, list, &rule->from_text) : -1;
}

static void
term_dump_from(const struct dump *dump, const struct option *option,
               const void *base)
{
    const struct rule *rule = base;

    (void)option;
    dump_texts(dump, &rule->from_text);
}

const struct option_type type_from = {
    .parse = term_from,
    .dump = term_dump_from,
    .manual = "list of networks and sets",
};

/* SOCKS 4 carries IPv4 addresses alone. */
static void
term_warn_ipv6(struct parse *parse, const struct node *node)
{
    struct addr first, last;

    if (!config_serves_socks5(parse->config) &&
        addr_parse_cidr(node->text, &first, &last) == 0 && !addr_is_v4(first) &&
        !addr_is_v4(last))
        diag_warn(parse, node,
                  "to: %s never matches: SOCKS 4 carries IPv4 addresses, and "
                  "no listener has socks5: true; remove it",
                  node->text);
}

/* A deny rule means what it says; what an allow rule reaches is less. */
static int
term_keep_to(struct parse *parse, struct rule *rule,
             struct set_members *members)
{
    rule->to_names = arena_take(parse->config->arena, members->name_count,
                                sizeof(*rule->to_names));
    if (!rule->to_names)
        return -ENOMEM;
    for (size_t i = 0; i < members->name_count; i++)
        rule->to_names[rule->to_name_count++] = members->names[i];
    rule->to_self = members->self;
    if (rule->allow) {
        rule->to = term_keep(&members->reach);
        rule->to_hosts = term_keep(&members->hosts);
        rule->to_cut = term_keep(&members->cut);
    } else {
        rule->to = term_keep(&members->itself);
    }
    return 0;
}

static int
term_to(struct parse *parse, const struct option *option,
        const struct node *list, void *base)
{
    struct rule *rule = base;
    struct set_members members = {0};

    if (diag_expect_members(parse, option, list, EXAMPLE_NETS) != 0)
        return -1;
    int rc = set_add_list(parse, option, list, &members, true);
    if (term_keep_to(parse, rule, &members) != 0)
        rc = diag_no_memory(parse);
    set_fini(&members);
    if (rc != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next)
        term_warn_ipv6(parse, node);
    return set_copy_members(parse, list, &rule->to_text);
}

static void
term_dump_to(const struct dump *dump, const struct option *option,
             const void *base)
{
    const struct rule *rule = base;

    (void)option;
    dump_texts(dump, &rule->to_text);
}

const struct option_type type_to = {
    .parse = term_to,
    .dump = term_dump_to,
    .manual = "list of networks and sets",
};

static const char *
term_listener_name_at(const void *names, size_t i)
{
    const struct config *config = names;

    return config->listeners[i].name;
}

static int
term_listeners(struct parse *parse, const struct option *option,
               const struct node *list, void *base)
{
    struct rule *rule = base;
    const struct config *config = parse->config;
    char hint[TEXT_HINT_MAX];
    int rc = 0;

    if (diag_expect_list(parse, option, list, "[NAME]") != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        size_t i = 0;
        if (diag_expect_scalar(parse, option, node, "a listener's name") != 0) {
            rc = -1;
            continue;
        }
        while (i < config->listener_count &&
               strcmp(config->listeners[i].name, node->text) != 0)
            i++;
        if (i < config->listener_count)
            rule->listeners |= UINT64_C(1) << i;
        else
            rc = diag_value(parse, option, node,
                            "unknown listener \"%s\"%s; name it under listen",
                            SHOW(node),
                            text_hint(text_nearest(node->text, config, i,
                                                   term_listener_name_at),
                                      hint));
    }
    return rc;
}

static void
term_dump_listeners(const struct dump *dump, const struct option *option,
                    const void *base)
{
    const struct rule *rule = base;
    const struct config *config = dump->config;
    const char *separator = "";

    (void)option;
    fputc('[', dump->to);
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!(rule->listeners >> i & 1))
            continue;
        fputs(separator, dump->to);
        dump_text(dump, config->listeners[i].name);
        separator = ", ";
    }
    fputc(']', dump->to);
}

const struct option_type type_rule_listeners = {
    .parse = term_listeners,
    .dump = term_dump_listeners,
    .manual = "list of names",
    .empty_is_any = true,
};

static const char *const term_command_names[] = {
    [RULE_CONNECT] = "connect", [RULE_BIND] = "bind", [RULE_UDP] = "udp"};

#define TERM_COMMANDS                                                          \
    (sizeof(term_command_names) / sizeof(term_command_names[0]))

static int
term_commands(struct parse *parse, const struct option *option,
              const struct node *list, void *base)
{
    struct rule *rule = base;
    int rc = 0;

    if (diag_expect_members(parse, option, list, "[connect, bind, udp]") != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        unsigned command = RULE_CONNECT;
        if (diag_expect_scalar(parse, option, node, "connect, bind or udp") !=
            0) {
            rc = -1;
            continue;
        }
        while (command < TERM_COMMANDS &&
               strcmp(node->text, term_command_names[command]) != 0)
            command++;
        if (command < TERM_COMMANDS)
            rule->commands |= 1u << command;
        else
            rc = diag_value(
                parse, option, node,
                "\"%s\" is not a command; write connect, bind or udp",
                SHOW(node));
    }
    return rc;
}

/* The names of the bits that are set. */
static void
term_dump_bits(const struct dump *dump, unsigned bits, const char *const *names)
{
    const char *separator = "";

    fputc('[', dump->to);
    for (unsigned i = 0; bits >> i != 0; i++) {
        if (!(bits >> i & 1))
            continue;
        fprintf(dump->to, "%s%s", separator, names[i]);
        separator = ", ";
    }
    fputc(']', dump->to);
}

static void
term_dump_commands(const struct dump *dump, const struct option *option,
                   const void *base)
{
    const struct rule *rule = base;

    (void)option;
    term_dump_bits(dump, rule->commands, term_command_names);
}

const struct option_type type_commands = {
    .parse = term_commands,
    .dump = term_dump_commands,
    .manual = "list of connect, bind, udp",
};

static int
term_ports(struct parse *parse, const struct option *option,
           const struct node *list, void *base)
{
    struct rule *rule = base;
    int rc = 0;

    if (diag_expect_list(parse, option, list, "[80, 8000-8100]") != 0)
        return -1;
    rule->ports = term_room(parse, list, sizeof(*rule->ports));
    if (!rule->ports)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        struct rule_ports *range = &rule->ports[rule->port_count++];
        rc |=
            value_parse_ports(parse, option, node, &range->first, &range->last);
    }
    return rc;
}

static void
term_dump_ports(const struct dump *dump, const struct option *option,
                const void *base)
{
    const struct rule *rule = base;

    (void)option;
    fputc('[', dump->to);
    for (size_t i = 0; i < rule->port_count; i++) {
        fputs(i ? ", " : "", dump->to);
        value_dump_ports(dump, rule->ports[i].first, rule->ports[i].last);
    }
    fputc(']', dump->to);
}

const struct option_type type_rule_ports = {
    .parse = term_ports,
    .dump = term_dump_ports,
    .manual = "list of ports and ranges",
    .empty_is_any = true,
};

static int
term_userids(struct parse *parse, const struct option *option,
             const struct node *list, void *base)
{
    struct rule *rule = base;
    int rc = 0;

    if (diag_expect_list(parse, option, list, "[ann, \"ftp*\"]") != 0)
        return -1;
    rule->users = term_room(parse, list, sizeof(*rule->users));
    if (!rule->users)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        struct rule_word *word = &rule->users[rule->user_count++];
        if (diag_expect_scalar(parse, option, node, "a USERID") != 0) {
            rc = -1;
            continue;
        }
        word->prefix = node->len > 0 && node->text[node->len - 1] == '*';
        word->len = node->len - word->prefix;
        if (memchr(node->text, '*', word->len))
            diag_warn(parse, node,
                      "user: only a * at the end stands for any octets; \"%s\" "
                      "has one that stands for itself",
                      SHOW(node));
        if (word->len > UINT16_MAX)
            rc = diag_value(parse, option, node,
                            "longer than any USERID can be");
        word->text = arena_copy(parse->config->arena, node->text, word->len);
        if (!word->text)
            return diag_no_memory(parse);
    }
    return rc;
}

static void
term_dump_words(const struct dump *dump, const struct rule_word *words,
                size_t count)
{
    fputc('[', dump->to);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", \"" : "\"", dump->to);
        dump_octets(dump, words[i].text, words[i].len);
        fputs(words[i].prefix ? "*\"" : "\"", dump->to);
    }
    fputc(']', dump->to);
}

static void
term_dump_userids(const struct dump *dump, const struct option *option,
                  const void *base)
{
    const struct rule *rule = base;

    (void)option;
    term_dump_words(dump, rule->users, rule->user_count);
}

const struct option_type type_userids = {
    .parse = term_userids,
    .dump = term_dump_userids,
    .manual = "list of USERIDs",
    .empty_is_any = true,
};

/* As openssl writes the kinds of names; no name begins so. */
static void
term_warn_prefix(struct parse *parse, const struct node *node)
{
    static const char *const prefixes[] = {
        "CN=", "/CN=", "DNS:", "email:", "URI:", "IP:"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t len = strlen(prefixes[i]);
        if (strncmp(node->text, prefixes[i], len) == 0)
            diag_warn(parse, node,
                      "certificate: \"%s\" matches nothing: %s is no part of "
                      "the name; write %s",
                      SHOW(node), prefixes[i], SHOW_FROM(node, len));
    }
}

static int
term_certificate(struct parse *parse, const struct option *option,
                 const struct node *node, struct rule *rule)
{
    struct rule_word *word = &rule->certificates[rule->certificate_count];

    if (diag_expect_scalar(parse, option, node,
                           "a name, .suffix, a beginning with * behind it, or "
                           "any") != 0)
        return -1;
    if (strcmp(node->text, "any") == 0) {
        rule->certificate_any = true;
        return 0;
    }
    word->prefix = node->len > 0 && node->text[node->len - 1] == '*';
    word->len = node->len - word->prefix;
    if (node->len == 0 || word->len > UINT16_MAX)
        return diag_value(parse, option, node,
                          "\"%s\" is not a name that a certificate can have",
                          SHOW(node));
    if (memchr(node->text, '*', word->len))
        diag_warn(parse, node,
                  "certificate: only a * at the end stands for any octets; "
                  "\"%s\" has one that stands for itself; for all names below "
                  "a domain write .domain",
                  SHOW(node));
    term_warn_prefix(parse, node);
    word->text = arena_copy(parse->config->arena, node->text, word->len);
    if (!word->text)
        return diag_no_memory(parse);
    rule->certificate_count++;
    return 0;
}

static int
term_certificates(struct parse *parse, const struct option *option,
                  const struct node *list, void *base)
{
    struct rule *rule = base;
    int rc = 0;

    if (diag_expect_list(parse, option, list, "[ann.example, \"ftp*\"]") != 0)
        return -1;
    rule->certificates = term_room(parse, list, sizeof(*rule->certificates));
    if (!rule->certificates)
        return -1;
    for (const struct node *node = list->first; node; node = node->next)
        rc |= term_certificate(parse, option, node, rule);
    if (rc == 0 && rule->certificate_any && rule->certificate_count > 0)
        rc = diag_value(parse, option, list,
                        "\"any\" is every verified certificate; remove the "
                        "names beside it, or \"any\"");
    return rc;
}

static void
term_dump_certificates(const struct dump *dump, const struct option *option,
                       const void *base)
{
    const struct rule *rule = base;

    (void)option;
    if (rule->certificate_any)
        fputs("[any]", dump->to);
    else
        term_dump_words(dump, rule->certificates, rule->certificate_count);
}

const struct option_type type_certificates = {
    .parse = term_certificates,
    .dump = term_dump_certificates,
    .manual = "list of names",
    .empty_is_any = true,
};

static int
term_choices(struct parse *parse, const struct option *option,
             const struct node *list, void *base)
{
    unsigned *bits = option_field(base, option->at);
    char example[32];
    int rc = 0;

    snprintf(example, sizeof(example), "[%s]", option->choices[1]);
    if (diag_expect_list(parse, option, list, example) != 0)
        return -1;
    for (const struct node *node = list->first; node; node = node->next) {
        unsigned chosen;
        if (value_parse_choice(parse, option, node, &chosen) != 0)
            rc = -1;
        else
            *bits |= 1u << chosen;
    }
    return rc;
}

static void
term_dump_choices(const struct dump *dump, const struct option *option,
                  const void *base)
{
    const unsigned *bits = option_field_of(base, option->at);

    term_dump_bits(dump, *bits, option->choices);
}

const struct option_type type_auth = {
    .parse = term_choices,
    .dump = term_dump_choices,
    .manual = "list of none, password, certificate",
    .empty_is_any = true,
};

const struct option_type type_versions = {
    .parse = term_choices,
    .dump = term_dump_choices,
    .manual = "list of 4, 4a, 5",
    .empty_is_any = true,
};

static int
term_peer(struct parse *parse, const struct option *option,
          const struct node *list, void *base)
{
    struct rule *rule = base;
    struct set_members members = {0};
    unsigned chosen;

    if (list->kind == NODE_SCALAR) {
        if (value_parse_choice(parse, option, list, &chosen) != 0)
            return -1;
        rule->peer = (enum rule_peer)chosen;
        return 0;
    }
    if (diag_expect_members(parse, option, list,
                            "exact, any or [10.0.0.0/8]") != 0)
        return -1;
    int rc = set_add_list(parse, option, list, &members, false);
    rule->peers = term_keep(&members.itself);
    set_fini(&members);
    if (rc == 0 && members.self)
        rc = diag_value(parse, option, list,
                        "the set \"self\" cannot be the peer; write this "
                        "machine's addresses");
    if (rc != 0)
        return -1;
    rule->peer = RULE_PEER_NETS;
    return set_copy_members(parse, list, &rule->peer_text);
}

static void
term_dump_peer(const struct dump *dump, const struct option *option,
               const void *base)
{
    const struct rule *rule = base;

    if (rule->peer == RULE_PEER_NETS)
        dump_texts(dump, &rule->peer_text);
    else
        fputs(option->choices[rule->peer], dump->to);
}

const struct option_type type_peer = {
    .parse = term_peer,
    .dump = term_dump_peer,
    .manual = "exact, any or list of networks and sets",
};
