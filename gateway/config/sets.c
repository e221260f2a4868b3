#include "gateway/config/sets.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "gateway/policy/sets.h"

struct set_work {
    const struct node *members;
    enum { SET_NEW, SET_OPEN, SET_DONE } state;
};

static struct config_set *
set_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->set_count; i++)
        if (strcmp(config->sets[i].name, name) == 0)
            return &config->sets[i];
    return NULL;
}

static const char *
set_name_at(const void *names, size_t i)
{
    const struct config *config = names;

    return i < SET_BUILTINS ? set_builtin_name(i)
                            : config->sets[i - SET_BUILTINS].name;
}

bool
set_is_network(const char *text)
{
    return strpbrk(text, "/:") || text[strspn(text, "0123456789.")] == '\0';
}

static int
member_unknown(struct parse *parse, const struct option *option,
               const struct node *node)
{
    const struct config *config = parse->config;
    char hint[PARSE_HINT_MAX];

    if (set_is_network(node->text))
        return parse_fail(parse, node,
                          "%s: \"%s\" is no network; write one such as "
                          "10.0.0.0/8, 192.0.2.1 or \"fd00::/8\"",
                          option_label(option), SHOW(node));
    const char *nearest = text_nearest(
        node->text, config, SET_BUILTINS + config->set_count, set_name_at);
    return parse_fail(parse, node,
                      "%s: unknown set \"%s\"%s; write a network, or name the "
                      "set under sets",
                      option_label(option), SHOW(node),
                      parse_hint(nearest, hint));
}

static int
member_host_bits(struct parse *parse, const struct option *option,
                 const struct node *node, struct addr first)
{
    char network[ADDR_TEXT_MAX];
    const char *slash = strchr(node->text, '/');

    return parse_fail(parse, node,
                      "%s: %s has bits set behind its prefix; write %s%s for "
                      "the network or %.*s for the address",
                      option_label(option), node->text,
                      addr_format(first, network), slash,
                      (int)(slash - node->text), node->text);
}

static int set_compile(struct parse *parse, const struct option *option,
                       const struct node *from, struct config_set *set);

/* A set of the file's own, compiled first if it has not been. */
static int
own_set_add(struct parse *parse, const struct option *option,
            const struct node *node, struct config_set *set,
            struct netset *self, struct netset *reach)
{
    if (parse->sets && set_compile(parse, option, node, set) != 0)
        return -1;
    if (self && netset_add_set(self, &set->nets) != 0)
        return parse_no_memory(parse);
    if (reach && netset_add_set(reach, &set->reach) != 0)
        return parse_no_memory(parse);
    return 0;
}

static int
member_add(struct parse *parse, const struct option *option,
           const struct node *node, struct netset *self, struct netset *reach)
{
    struct netset_range range;
    struct config_set *set;
    int rc;

    if (parse_scalar(parse, option, node, "a network or a set's name") != 0)
        return -1;
    rc = addr_parse_cidr(node->text, &range.first, &range.last);
    if (rc == -EDOM)
        return member_host_bits(parse, option, node, range.first);
    if (rc == 0)
        rc = set_add_network(self, reach, range.first, range.last);
    else if (set_is_builtin(node->text))
        rc = set_add_builtin(self, reach, node->text);
    else if ((set = set_find(parse->config, node->text)))
        return own_set_add(parse, option, node, set, self, reach);
    else
        return member_unknown(parse, option, node);
    return rc == 0 ? 0 : parse_no_memory(parse);
}

int
set_add_member(struct parse *parse, const struct option *option,
               const struct node *node, struct netset *self,
               struct netset *reach)
{
    size_t before = (self ? self->count : 0) + (reach ? reach->count : 0);

    if (member_add(parse, option, node, self, reach) != 0)
        return -1;
    parse->ranges += (self ? self->count : 0) + (reach ? reach->count : 0);
    parse->ranges -= before;
    if (parse->ranges <= PARSE_RANGES_MAX)
        return 0;
    return parse_fail(parse, node,
                      "%s: sets and rules together hold more than %d ranges; "
                      "use wider networks",
                      option_label(option), PARSE_RANGES_MAX);
}

char **
set_copy_members(struct parse *parse, const struct node *list)
{
    struct arena *arena = parse->config->arena;
    char **texts = arena_take(arena, list->count, sizeof(*texts));
    size_t count = 0;

    for (const struct node *node = list->first; node && texts;
         node = node->next) {
        texts[count] = arena_copy(arena, node->text, node->len);
        if (!texts[count++])
            texts = NULL;
    }
    if (!texts)
        parse_no_memory(parse);
    return texts;
}

/* `from` is where the set was asked for. */
static int
set_compile(struct parse *parse, const struct option *option,
            const struct node *from, struct config_set *set)
{
    struct set_work *work = &parse->sets[set - parse->config->sets];

    if (work->state == SET_DONE)
        return 0;
    if (work->state == SET_OPEN)
        return parse_fail(parse, from,
                          "%s: \"%s\" leads back to itself; take one of the "
                          "sets out of the ring",
                          option_label(option), set->name);
    work->state = SET_OPEN;
    for (const struct node *node = work->members->first; node;
         node = node->next)
        if (set_add_member(parse, option, node, &set->nets, &set->reach) != 0)
            return -1;
    set->members = set_copy_members(parse, work->members);
    if (!set->members)
        return -1;
    set->member_count = work->members->count;
    netset_seal(&set->nets);
    netset_seal(&set->reach);
    work->state = SET_DONE;
    return 0;
}

static int
set_check_name(struct parse *parse, const struct node *key)
{
    const char *text = key->text;

    if (key->kind != NODE_SCALAR)
        return parse_fail(parse, key, "a set's name must be a word");
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (!isalpha((unsigned char)text[0]) || len != key->len || len > 64)
        return parse_fail(parse, key,
                          "sets: \"%s\" cannot be a set's name; use a letter, "
                          "then letters, digits, - and _, 64 at most",
                          SHOW(key));
    if (set_is_builtin(text))
        return parse_fail(parse, key,
                          "sets: \"%s\" is built in; use another name", text);
    if (set_find(parse->config, text))
        return parse_fail(parse, key,
                          "sets: duplicate set \"%s\"; put both lists into "
                          "one",
                          text);
    return 0;
}

/* Names first, so that sets may refer to later ones. */
static int
sets_declare(struct parse *parse, const struct option *option,
             const struct node *map)
{
    struct config *config = parse->config;

    for (const struct node *key = map->first; key; key = key->next->next) {
        if (set_check_name(parse, key) != 0 ||
            parse_list(parse, option, key->next, "[10.0.0.0/8]") != 0)
            return -1;
        struct config_set *set = &config->sets[config->set_count];
        set->name = arena_copy(config->arena, key->text, key->len);
        if (!set->name)
            return parse_no_memory(parse);
        parse->sets[config->set_count++].members = key->next;
    }
    return 0;
}

int
sets_parse(struct parse *parse, const struct option *option,
           const struct node *map, void *base)
{
    struct config *config = base;

    if (!map)
        return 0;
    if (map->kind != NODE_MAP)
        return parse_fail(parse, map,
                          "sets: wants a mapping; write NAME: [NETWORK, ...]");
    if (map->count > PARSE_SETS_MAX)
        return parse_fail(parse, map, "sets: %zu sets; at most %d", map->count,
                          PARSE_SETS_MAX);
    config->sets = arena_take(config->arena, map->count, sizeof(*config->sets));
    parse->sets = arena_take(parse->scratch, map->count, sizeof(*parse->sets));
    if (!config->sets || !parse->sets)
        return parse_no_memory(parse);
    if (sets_declare(parse, option, map) != 0)
        return -1;
    for (size_t i = 0; i < config->set_count; i++)
        if (set_compile(parse, option, map, &config->sets[i]) != 0)
            return -1;
    parse->sets = NULL;
    return 0;
}
