#include "gateway/config/parents.h"

#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/section.h"
#include "gateway/policy/name.h"
#include "gateway/policy/sets.h"

#define EXAMPLE_ADDRESS                                                        \
    "gw.example:1080 or [192.0.2.1:1080, \"[2001:db8::1]:1080\"]"

/* --- its addresses ------------------------------------------------------- */

bool
parents_split_address(const char *text, struct endpoint *at, size_t *name_len)
{
    const char *colon = strrchr(text, ':');
    struct addr addr;
    uint64_t port;

    *name_len = 0;
    if (endpoint_parse(text, at) == 0 && at->port != 0 &&
        !addr_is_any(at->addr))
        return true;
    *at = (struct endpoint){0};
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (len == 0 || name_read(text, len, &addr) != NAME_HOST ||
        text_number(colon + 1, &port) != 0 || port == 0 || port > UINT16_MAX)
        return false;
    at->port = (uint16_t)port;
    *name_len = len;
    return true;
}

static int
parent_read_address(struct parse *parse, const struct option *option,
                    const struct node *node,
                    struct config_parent_address *address)
{
    if (diag_expect_scalar(parse, option, node, EXAMPLE_ADDRESS) != 0)
        return -1;
    address->number = parse->config->parent_address_count++;
    if (!parents_split_address(node->text, &address->at, &address->name_len))
        return diag_value(parse, option, node,
                          "\"%s\" is not the address and port of a host; "
                          "write " EXAMPLE_ADDRESS,
                          SHOW(node));
    if (address->name_len == 0)
        return 0;
    address->name =
        arena_copy(parse->config->arena, node->text, address->name_len);
    return address->name ? 0 : diag_no_memory(parse);
}

/* One may stand without a list. */
static int
parent_parse_addresses(struct parse *parse, const struct option *option,
                       const struct node *node, void *base)
{
    struct config_parent *parent = base;
    bool list = node->kind == NODE_LIST;
    size_t count = list ? node->count : 1;
    int rc = 0;

    if (list && diag_expect_members(parse, option, node, EXAMPLE_ADDRESS) != 0)
        return -1;
    if (count > CONFIG_PARENT_ADDRESSES_MAX)
        return diag_value(parse, option, node, "%zu addresses; at most %d",
                          count, CONFIG_PARENT_ADDRESSES_MAX);
    parent->addresses =
        arena_take(parse->config->arena, count, sizeof(*parent->addresses));
    if (!parent->addresses)
        return diag_no_memory(parse);
    for (const struct node *at = list ? node->first : node;
         at && parent->address_count < count; at = at->next)
        rc |= parent_read_address(parse, option, at,
                                  &parent->addresses[parent->address_count++]);
    return rc;
}

static void
parent_dump_addresses(const struct dump *dump, const struct option *option,
                      const void *base)
{
    const struct config_parent *parent = base;
    char text[ENDPOINT_TEXT_MAX];

    (void)option;
    for (size_t i = 0; i < parent->address_count; i++) {
        const struct config_parent_address *address = &parent->addresses[i];
        fputs(i ? ", \"" : "[\"", dump->to);
        if (address->name) {
            dump_octets(dump, address->name, address->name_len);
            fprintf(dump->to, ":%u\"", address->at.port);
        } else {
            fprintf(dump->to, "%s\"", endpoint_format(&address->at, text));
        }
    }
    fputc(']', dump->to);
}

const struct option_type type_parent_addresses = {
    .parse = parent_parse_addresses,
    .dump = parent_dump_addresses,
    .manual = "HOST:PORT or list of them",
};

/* --- the USERID or the user that it is told ------------------------------ */

static int
parent_parse_userid(struct parse *parse, const struct option *option,
                    const struct node *node, void *base)
{
    char **userid = option_field(base, option->at);

    if (diag_expect_scalar(parse, option, node, option->type->manual) != 0)
        return -1;
    if (strcmp(node->text, option->fallback) == 0)
        return 0;
    if (node->len > CONFIG_PARENT_USERID_MAX)
        return diag_value(parse, option, node,
                          "%zu octets; a parent is told at most %d", node->len,
                          CONFIG_PARENT_USERID_MAX);
    *userid = arena_copy(parse->config->arena, node->text, node->len);
    return *userid ? 0 : diag_no_memory(parse);
}

static void
parent_dump_userid(const struct dump *dump, const struct option *option,
                   const void *base)
{
    char *const *userid = option_field_of(base, option->at);

    if (*userid)
        dump_text(dump, *userid);
    else
        fputs(option->fallback, dump->to);
}

const struct option_type type_parent_userid = {
    .parse = parent_parse_userid,
    .dump = parent_dump_userid,
    .manual = "pass or a USERID",
};

static int
parent_parse_user(struct parse *parse, const struct option *option,
                  const struct node *node, void *base)
{
    if (node->kind == NODE_SCALAR && node->len == 0)
        return diag_value(parse, option, node,
                          "is empty; write a user name, or none");
    return parent_parse_userid(parse, option, node, base);
}

const struct option_type type_parent_user = {
    .parse = parent_parse_user,
    .dump = parent_dump_userid,
    .manual = "none or a user name",
};

/* --- the list ------------------------------------------------------------ */

/* What passes an address in plain text is readable on the way there. A name
   says nothing of where that is. */
static int
parent_check_plaintext(struct parse *parse, const struct node *map,
                       const struct config_parent *parent)
{
    for (size_t i = 0; i < parent->address_count; i++) {
        const struct config_parent_address *address = &parent->addresses[i];
        if (!address->name && set_is_loopback(address->at.addr))
            continue;
        return diag_error(parse, section_value(map, "address"),
                          "address: the parent \"%s\" is not on loopback, and "
                          "everything would pass it readable; add tls, or if "
                          "that is meant, insecure_plaintext: true",
                          parent->name);
    }
    return 0;
}

/* The user and the password of SOCKS5 belong together. */
static int
parent_check_user(struct parse *parse, const struct node *map,
                  const struct config_parent *parent)
{
    bool user = parent->user, password = parent->password_file.path;

    if (user && !password)
        return diag_error(parse, section_value(map, "user"),
                          "user: a parent is told a user with a password; add "
                          "password_file: FILE, or remove user");
    if (password && !user)
        return diag_error(parse, section_value(map, "password_file"),
                          "password_file: a parent is told a password with a "
                          "user; add user: NAME, or remove password_file");
    if (user && (parent->protocol == CONFIG_PARENT_SOCKS4 ||
                 parent->protocol == CONFIG_PARENT_SOCKS4A))
        return diag_error(parse, section_value(map, "user"),
                          "user: only SOCKS5 has passwords; write protocol: "
                          "socks5, or remove user and password_file");
    return 0;
}

static int
parent_check(struct parse *parse, const struct node *map,
             const struct config_parent *parent)
{
    const struct config *config = parse->config;

    for (const struct config_parent *other = config->parents; other < parent;
         other++)
        if (strcmp(other->name, parent->name) == 0)
            return diag_error(parse, section_value(map, "name"),
                              "name: duplicate parent \"%s\"; use another",
                              parent->name);
    for (size_t i = 0; i < parent->address_count; i++)
        for (size_t j = 0; j < config->listener_count; j++)
            if (!parent->addresses[i].name &&
                endpoint_equal(&parent->addresses[i].at,
                               &config->listeners[j].at))
                return diag_error(parse, section_value(map, "address"),
                                  "address: the parent \"%s\" is the listener "
                                  "\"%s\" of this gateway, so that requests "
                                  "would go in a circle; write that of another "
                                  "gateway",
                                  parent->name, config->listeners[j].name);
    if (parent_check_user(parse, map, parent) != 0)
        return -1;
    return parent->insecure_plaintext || parent->tls
               ? 0
               : parent_check_plaintext(parse, map, parent);
}

static int
parent_parse(struct parse *parse, const struct node *map)
{
    struct config *config = parse->config;
    struct config_parent *parent = &config->parents[config->parent_count++];

    int rc;

    parent->line = map->line;
    parent->column = map->column;
    if (map->kind == NODE_MAP)
        rc = section_parse(parse, map, map, "parents[].", parent);
    else
        rc = diag_error(parse, map,
                        "parents: each is a mapping; write - {name: hq, "
                        "address: gw.example:1080}");
    /* Each has a name, even if there is an error: rules refer to it. */
    if (!parent->name)
        parent->name = arena_copy(config->arena, "", 0);
    if (!parent->name)
        return diag_no_memory(parse);
    if (rc != 0)
        return -1;
    return parent_check(parse, map, parent);
}

static int
parents_parse(struct parse *parse, const struct option *option,
              const struct node *list, void *base)
{
    struct config *config = base;
    int rc = 0;

    if (!list)
        return 0;
    if (diag_expect_list(parse, option, list,
                         "- {name: hq, address: gw.example:1080}") != 0)
        return -1;
    if (list->count > CONFIG_PARENTS_MAX)
        return diag_value(parse, option, list, "%zu parents; at most %d",
                          list->count, CONFIG_PARENTS_MAX);
    config->parents =
        arena_take(config->arena, list->count, sizeof(*config->parents));
    if (!config->parents)
        return diag_no_memory(parse);
    for (const struct node *map = list->first; map; map = map->next)
        rc |= parent_parse(parse, map);
    return rc;
}

static void
parents_dump(const struct dump *dump, const struct option *option,
             const void *base)
{
    const struct config *config = base;

    (void)option;
    fputs(config->parent_count ? "\n" : " []\n", dump->to);
    for (size_t i = 0; i < config->parent_count; i++)
        section_dump(dump, "parents[].", &config->parents[i], "  - ");
}

const struct option_type type_parents = {
    .parse = parents_parse,
    .dump = parents_dump,
    .manual = "list of mappings",
    .nested = true,
};
