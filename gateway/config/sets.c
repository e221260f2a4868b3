#include "gateway/config/sets.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Ranges that `to` reaches only from within: a rule for anywhere opens no
   way to this machine or its link [4A-B.3-2]. See range_add_reach. */
static const char *const special[] = {
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
    "::1",       "fe80::/10",   "ff00::/8",       NULL};

static const char *const private[] = {"10.0.0.0/8", "172.16.0.0/12",
                                      "192.168.0.0/16", "100.64.0.0/10", NULL};

/* The sets that exist always: their networks, or all but `without`. */
struct builtin {
    const char *name;
    const char *const *nets;
    const char *const *without;
};

static const struct builtin builtins[] = {
    {"any", NULL, NULL},
    {"public", NULL, private},
    {"private", private, NULL},
    {"loopback", LIST("127.0.0.0/8", "::1"), NULL},
    {"link-local", LIST("169.254.0.0/16", "fe80::/10"), NULL},
    {"multicast", LIST("224.0.0.0/4", "ff00::/8"), NULL},
    {"this-network", LIST("0.0.0.0/8"), NULL},
};

struct set_work {
    const struct node *members;
    enum { SET_NEW, SET_OPEN, SET_DONE } state;
};

static const struct netset_range everything = {{0, 0},
                                               {UINT64_MAX, UINT64_MAX}};
static const struct netset_range all_v4 = {{0, UINT64_C(0xffff00000000)},
                                           {0, UINT64_C(0xffffffffffff)}};

static struct netset_range
range_of(const char *cidr)
{
    struct netset_range range;
    int rc = addr_parse_cidr(cidr, &range.first, &range.last);

    assert(rc == 0);
    return range;
}

static bool
range_inside(const struct netset_range *range, const struct netset_range *wide)
{
    return addr_cmp(range->first, wide->first) >= 0 &&
           addr_cmp(range->last, wide->last) <= 0;
}

static int
ranges_remove(struct netset *set, const char *const *cidrs)
{
    for (; cidrs && *cidrs; cidrs++) {
        struct netset_range range = range_of(*cidrs);
        if (netset_remove(set, range.first, range.last) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* Adds the range without the special ones, and without `without`. */
static int
range_add_without(struct netset *set, const struct netset_range *range,
                  const char *const *without)
{
    struct netset rest;
    int rc;

    netset_init(&rest);
    rc = netset_add(&rest, range->first, range->last);
    if (rc == 0)
        rc = ranges_remove(&rest, special);
    if (rc == 0)
        rc = ranges_remove(&rest, without);
    if (rc == 0)
        rc = netset_add_set(set, &rest);
    netset_fini(&rest);
    return rc;
}

/* Networks nest or are apart: what is not inside a special range may hold
   some, and then means what lies around them. */
static int
range_add_reach(struct netset *reach, const struct netset_range *range)
{
    for (size_t i = 0; special[i]; i++) {
        struct netset_range wide = range_of(special[i]);
        if (range_inside(range, &wide))
            return netset_add(reach, range->first, range->last);
    }
    return range_add_without(reach, range, NULL);
}

static int
range_add(struct netset *self, struct netset *reach,
          const struct netset_range *range)
{
    if (self && netset_add(self, range->first, range->last) != 0)
        return -ENOMEM;
    return reach ? range_add_reach(reach, range) : 0;
}

/* A network as written. An IPv6 one never means IPv4, though IPv4 is held
   within it here. */
static int
network_add(struct netset *self, struct netset *reach,
            const struct netset_range *range)
{
    struct netset_range below = {range->first, {0, all_v4.first.lo - 1}};
    struct netset_range above = {{0, all_v4.last.lo + 1}, range->last};

    if (!range_inside(&all_v4, range) || range_inside(range, &all_v4))
        return range_add(self, reach, range);
    if (range_add(self, reach, &below) != 0)
        return -ENOMEM;
    return range_add(self, reach, &above);
}

static int
builtin_add(const struct builtin *set, struct netset *self,
            struct netset *reach)
{
    int rc = 0;

    for (const char *const *net = set->nets; net && *net && rc == 0; net++) {
        struct netset_range range = range_of(*net);
        rc = range_add(self, reach, &range);
    }
    if (set->nets)
        return rc;
    if (self && !set->without)
        rc = netset_add(self, everything.first, everything.last);
    else if (self)
        rc = range_add_without(self, &everything, set->without);
    if (rc == 0 && reach)
        rc = range_add_without(reach, &everything, set->without);
    return rc;
}

static const struct builtin *
builtin_find(const char *name)
{
    for (size_t i = 0; i < COUNT(builtins); i++)
        if (strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

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

    return i < COUNT(builtins) ? builtins[i].name
                               : config->sets[i - COUNT(builtins)].name;
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
        node->text, config, COUNT(builtins) + config->set_count, set_name_at);
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
    const struct builtin *builtin;
    struct config_set *set;
    int rc;

    if (parse_scalar(parse, option, node, "a network or a set's name") != 0)
        return -1;
    rc = addr_parse_cidr(node->text, &range.first, &range.last);
    if (rc == -EDOM)
        return member_host_bits(parse, option, node, range.first);
    if (rc == 0)
        rc = network_add(self, reach, &range);
    else if ((builtin = builtin_find(node->text)))
        rc = builtin_add(builtin, self, reach);
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
    if (builtin_find(text))
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
