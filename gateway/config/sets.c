#include "gateway/config/sets.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config/diag.h"
#include "gateway/config/file.h"
#include "gateway/policy/name.h"
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

static bool
set_is_network(const char *text)
{
    return strpbrk(text, "/:") || text[strspn(text, "0123456789.-* ")] == '\0';
}

/* What is written of a set but not within one, or not as one. */
static int
set_refuse_map(struct parse *parse, const struct option *option,
               const struct node *node, const char *wants)
{
    const struct node *key = node->first;
    const struct node *value = key ? key->next : NULL;

    if (value && key->kind == NODE_SCALAR && strcmp(key->text, "file") == 0 &&
        value->kind == NODE_SCALAR)
        return diag_value(parse, option, node,
                          "a file is one word; write \"file:%s\" in quotes, "
                          "without a blank",
                          SHOW(value));
    return diag_value(parse, option, node, "wants %s, not a mapping", wants);
}

/* "www.example.org:80", "http://www.example.org/" */
static bool
set_is_location(const char *text)
{
    const char *colon = strchr(text, ':');

    return strstr(text, "://") || (colon && isdigit((unsigned char)colon[1]) &&
                                   !strchr(colon + 1, ':'));
}

static bool
set_is_path(const char *text)
{
    return text[0] == '/' || strncmp(text, "./", 2) == 0 ||
           strncmp(text, "../", 3) == 0 || strncmp(text, "~/", 2) == 0;
}

static int
set_refuse_unknown(struct parse *parse, const struct option *option,
                   const struct node *node, bool takes_names)
{
    const struct config *config = parse->config;
    char hint[TEXT_HINT_MAX];

    if (strncmp(node->text, "file:", 5) == 0)
        return diag_value(parse, option, node,
                          "\"%s\": a file belongs into a set; name it under "
                          "sets, and the set here",
                          SHOW(node));
    if (set_is_path(node->text))
        return diag_value(parse, option, node,
                          "\"%s\" is a path; for the members in a file put "
                          "\"file:%s\" into a set",
                          SHOW(node), SHOW(node));
    if (text_is_wildcard(node->text) || strcmp(node->text, "0/0") == 0)
        return diag_value(parse, option, node,
                          "\"%s\" is not a set; for every address write any",
                          SHOW(node));
    if (set_is_location(node->text))
        return diag_value(
            parse, option, node,
            "\"%s\" has a port or a scheme; write only the address%s "
            "here, and ports under a rule's `port'",
            SHOW(node), takes_names ? " or name" : "");
    if (!takes_names && !set_is_network(node->text) && strchr(node->text, '.'))
        return diag_value(parse, option, node,
                          "\"%s\" is a name, which only `to' takes; write "
                          "addresses, networks or sets here",
                          SHOW(node));
    if (set_is_network(node->text))
        return diag_value(parse, option, node,
                          "\"%s\" is not a network; write one such as "
                          "10.0.0.0/8, 192.0.2.1, 192.0.2.1-192.0.2.20 or "
                          "\"fd00::/8\"",
                          SHOW(node));
    const char *nearest = text_nearest(
        node->text, config, SET_BUILTINS + config->set_count, set_name_at);
    return diag_value(parse, option, node,
                      "unknown set \"%s\"%s; write a network%s, or name the "
                      "set under sets",
                      SHOW(node), text_hint(nearest, hint),
                      takes_names ? ", a host's name with a dot in it" : "");
}

static int
set_refuse_host_bits(struct parse *parse, const struct option *option,
                     const struct node *node, struct addr first)
{
    char network[ADDR_TEXT_MAX];
    const char *slash = strchr(node->text, '/');

    return diag_value(parse, option, node,
                      "%s has bits set behind its prefix; write %s%s for "
                      "the network or %.*s for the address",
                      node->text, addr_format(first, network), slash,
                      (int)(slash - node->text), node->text);
}

/* "10.0.0.0/255.0.0.0": 0, -EDOM as addr_parse_cidr, or -EINVAL. */
static int
set_read_mask(const char *text, struct addr *first, struct addr *last)
{
    char cidr[ADDR_TEXT_MAX + 4];
    const char *slash = strchr(text, '/');
    struct addr mask;

    if (!slash || slash - text >= ADDR_TEXT_MAX ||
        addr_parse(slash + 1, &mask) != 0 || !addr_is_v4(mask))
        return -EINVAL;
    uint32_t bits = addr_to_v4(mask);
    if ((~bits & (~bits + 1)) != 0) /* ones, then zeros */
        return -EINVAL;
    snprintf(cidr, sizeof(cidr), "%.*s/%d", (int)(slash - text), text,
             __builtin_popcount(bits));
    return addr_parse_cidr(cidr, first, last);
}

/* "10.0.0.1-10.0.0.20": 0, -ERANGE where it is reversed, or -EINVAL. */
static int
set_read_range(const char *text, struct addr *first, struct addr *last)
{
    char head[ADDR_TEXT_MAX];
    const char *dash = strchr(text, '-');

    if (!dash || dash - text >= ADDR_TEXT_MAX)
        return -EINVAL;
    snprintf(head, sizeof(head), "%.*s", (int)(dash - text), text);
    if (addr_parse(head, first) != 0 || addr_parse(dash + 1, last) != 0 ||
        addr_is_v4(*first) != addr_is_v4(*last))
        return -EINVAL;
    return addr_cmp(*first, *last) <= 0 ? 0 : -ERANGE;
}

/* A network in any of its spellings; -ENOENT: it is none, and not an error. */
static int
set_read_network(struct parse *parse, const struct option *option,
                 const struct node *node, struct addr *first, struct addr *last)
{
    int rc = addr_parse_cidr(node->text, first, last);

    if (rc == -EINVAL)
        rc = set_read_mask(node->text, first, last);
    if (rc == -EDOM)
        return set_refuse_host_bits(parse, option, node, *first);
    if (rc == -EINVAL)
        rc = set_read_range(node->text, first, last);
    if (rc == -ERANGE)
        return diag_value(parse, option, node,
                          "the range %s is reversed; write the lower address "
                          "first",
                          SHOW(node));
    return rc == 0 ? 0 : -ENOENT;
}

/* A name is what has a dot and is not a network: a bare word is a set, and a
   host without a domain is written with a final dot. */
static bool
set_is_name(const struct node *node)
{
    return node->kind == NODE_SCALAR && strchr(node->text, '.') &&
           !set_is_network(node->text);
}

/* The path as written, or beside the configuration. */
static char *
set_file_path(struct parse *parse, const char *written)
{
    const char *slash = parse->file ? strrchr(parse->file, '/') : NULL;
    size_t folder =
        slash && written[0] != '/' ? (size_t)(slash - parse->file) + 1 : 0;
    char *path = arena_take(parse->scratch, folder + strlen(written) + 1, 1);

    if (path) {
        memcpy(path, parse->file, folder);
        strcpy(path + folder, written);
    }
    return path;
}

/* Names of hosts that are looked for as files; no list of names keeps a reload
   waiting. */
#define FILE_NAMES_MAX 1000

/* A deny rule with the name of a file denies nothing. */
static void
set_warn_of_file(struct parse *parse, const struct option *option,
                 const struct node *node)
{
    bool is_text =
        node->len > 4 && strcmp(node->text + node->len - 4, ".txt") == 0;

    if (!parse->warnings || node->file || parse->ranges > FILE_NAMES_MAX)
        return;
    const char *path = set_file_path(parse, node->text);
    if (is_text || (path && access(path, F_OK) == 0))
        diag_warn(parse, node,
                  "%s: \"%s\" is taken for the name of a host; for the members "
                  "in a file put \"file:%s\" into a set",
                  option_label(option), SHOW(node), SHOW(node));
}

/* Case and a final dot do not matter. */
static int
set_take_name(struct parse *parse, const struct option *option,
              const struct node *node, struct set_members *members)
{
    size_t len = node->len;
    struct rule_word word = {0};

    set_warn_of_file(parse, option, node);
    if (strncmp(node->text, "*.", 2) == 0)
        return diag_value(parse, option, node,
                          "\"%s\": a name has no *; write %s for all names "
                          "below it",
                          SHOW(node), SHOW_FROM(node, 1));
    if (len > 1 && node->text[len - 1] == '.')
        len--;
    word.text = arena_copy(parse->config->arena, node->text, len);
    word.len = len;
    if (!word.text)
        return diag_no_memory(parse);
    if (strchr(node->text, '*'))
        return diag_value(parse, option, node,
                          "\"%s\": a name has no *; write .example.org for all "
                          "names below it",
                          SHOW(node));
    for (size_t i = 0; i < len; i++)
        word.text[i] = (char)tolower((unsigned char)word.text[i]);
    if (len > NAME_OCTETS_MAX || !name_is_term(word.text))
        return diag_value(parse, option, node,
                          "\"%s\" is not a name; write one such as "
                          "ftp.example.org or .example.org",
                          SHOW(node));
    return set_add_name(members, &word) == 0 ? 0 : diag_no_memory(parse);
}

static int set_compile(struct parse *parse, const struct option *option,
                       const struct node *from, struct config_set *set);

/* A set of the file's own, compiled first if it has not been. */
static int
set_add_own(struct parse *parse, const struct option *option,
            const struct node *node, struct config_set *set,
            struct set_members *members, bool takes_names)
{
    set->used = true;
    if (parse->sets && set_compile(parse, option, node, set) != 0)
        return -1;
    if (set->members.name_count > 0 && !takes_names)
        return diag_value(parse, option, node,
                          "the set \"%s\" (line %u) holds names, which only "
                          "`to' takes; put its networks into a set of their "
                          "own",
                          set->name, set->line);
    return set_add_members(members, &set->members) == 0 ? 0
                                                        : diag_no_memory(parse);
}

static int
set_take_member(struct parse *parse, const struct option *option,
                const struct node *node, struct set_members *members,
                bool takes_names)
{
    struct addr first, last;
    struct config_set *set;
    int rc;

    if (node->kind == NODE_MAP)
        return set_refuse_map(parse, option, node, "a network or a set's name");
    if (diag_expect_scalar(parse, option, node, "a network or a set's name") !=
        0)
        return -1;
    if (takes_names && set_is_name(node))
        return set_take_name(parse, option, node, members);
    rc = set_read_network(parse, option, node, &first, &last);
    if (rc == -1)
        return -1;
    if (rc == 0)
        rc = set_add_network(members, first, last);
    else if (set_is_builtin(node->text))
        rc = set_add_builtin(members, node->text);
    else if ((set = set_find(parse->config, node->text)))
        return set_add_own(parse, option, node, set, members, takes_names);
    else
        return set_refuse_unknown(parse, option, node, takes_names);
    return rc == 0 ? 0 : diag_no_memory(parse);
}

static int
set_add_member(struct parse *parse, const struct option *option,
               const struct node *node, struct set_members *members,
               bool takes_names)
{
    size_t before = members->itself.count + members->name_count;

    if (parse->ranges > PARSE_RANGES_MAX) /* said before */
        return -1;
    if (set_take_member(parse, option, node, members, takes_names) != 0)
        return -1;
    parse->ranges += members->itself.count + members->name_count - before;
    if (parse->ranges <= PARSE_RANGES_MAX)
        return 0;
    return diag_value(parse, option, node,
                      "sets and rules together hold more than %d ranges; "
                      "use wider networks",
                      PARSE_RANGES_MAX);
}

/* --- a file of members ---------------------------------------------------- */

/* One line of a text: a member, a comment or nothing. The members go to
 *link. */
static int
set_read_line(struct parse *parse, const struct option *option,
              const struct node *place, const char *line, size_t len,
              struct node ***link)
{
    size_t begin = 0, end;

    while (begin < len && isspace((unsigned char)line[begin]))
        begin++;
    for (end = begin; end < len && line[end] != '#'; end++)
        ;
    while (end > begin && isspace((unsigned char)line[end - 1]))
        end--;
    if (begin == end)
        return 0;
    struct node *node = arena_take(parse->scratch, 1, sizeof(*node));
    if (!node)
        return diag_no_memory(parse);
    *node = *place;
    node->column += (unsigned)begin;
    node->text = arena_copy(parse->scratch, line + begin, end - begin);
    node->len = end - begin;
    if (!node->text)
        return diag_no_memory(parse);
    if (strlen(node->text) != node->len || strpbrk(node->text, " \t\r"))
        return diag_value(parse, option, node,
                          "\"%s\" is more than one word; write one network or "
                          "name a line",
                          SHOW(node));
    **link = node;
    *link = &node->next;
    return 0;
}

/* `place` is the first line's. */
static int
set_read_lines(struct parse *parse, const struct option *option,
               struct node place, const char *text, size_t len,
               struct node ***link)
{
    int rc = 0;

    for (size_t at = 0; at < len; place.line++) {
        const char *newline = memchr(text + at, '\n', len - at);
        size_t end = newline ? (size_t)(newline - text) : len;
        rc |= set_read_line(parse, option, &place, text + at, end - at, link);
        at = end + 1;
    }
    return rc;
}

/* In place of the member "file:PATH": what the file holds. */
static int
set_read_file(struct parse *parse, const struct option *option,
              const struct node *member, struct node ***link)
{
    const char *path = set_file_path(parse, member->text + 5);
    size_t len, mark = 0;

    if (diag_expect_path(parse, option, member) != 0)
        return -1;
    if (!path)
        return diag_no_memory(parse);
    char *text = file_read_path(path, &len);
    if (!text)
        return diag_value(parse, option, member, "%s: %s", path,
                          errno == EFBIG    ? "larger than 64 MiB"
                          : errno == EINVAL ? "not a regular file"
                                            : file_error(errno));
    if (text_has_mark(text, len))
        mark = 3;
    struct node place = {.file = path, .line = 1, .column = 1};
    int rc =
        set_read_lines(parse, option, place, text + mark, len - mark, link);
    free(text);
    return rc;
}

/* The members of a set, one a node, with those of files in their places;
   without what has an error, which is noted in *rc, so that the rest is
   checked, too. */
static const struct node *
set_expand(struct parse *parse, const struct option *option,
           const struct node *written, int *rc)
{
    struct node *whole = arena_take(parse->scratch, 1, sizeof(*whole));
    struct node *first = written->first;
    struct node **link = &first;

    if (!whole) {
        *rc = diag_no_memory(parse);
        return NULL;
    }
    if (written->kind == NODE_SCALAR) {
        struct node place = {.kind = NODE_SCALAR,
                             .line = written->line + 1,
                             .column = written->indent + 1};
        *rc |= set_read_lines(parse, option, place, written->text, written->len,
                              &link);
        *link = NULL;
    }
    *whole = *written;
    whole->kind = NODE_LIST;
    whole->count = 0;
    link = &whole->first;
    for (struct node *node = first, *next; node; node = next) {
        next = node->next;
        if (node->kind == NODE_SCALAR && strncmp(node->text, "file:", 5) == 0) {
            *rc |= set_read_file(parse, option, node, &link);
            continue;
        }
        *link = node;
        link = &node->next;
    }
    *link = NULL;
    for (const struct node *node = whole->first; node; node = node->next)
        whole->count++;
    *rc |= diag_expect_list(parse, option, whole, "");
    return whole;
}

int
set_add_list(struct parse *parse, const struct option *option,
             const struct node *list, struct set_members *members,
             bool takes_names)
{
    int rc = 0;

    for (const struct node *node = list->first; node; node = node->next)
        rc |= set_add_member(parse, option, node, members, takes_names);
    set_seal(members);
    return rc;
}

int
set_copy_members(struct parse *parse, const struct node *list,
                 struct rule_texts *texts)
{
    struct arena *arena = parse->config->arena;
    size_t count = 0;

    texts->at = arena_take(arena, list->count, sizeof(*texts->at));
    texts->count = list->count;
    for (const struct node *node = list->first; node && texts->at;
         node = node->next) {
        texts->at[count] = arena_copy(arena, node->text, node->len);
        if (!texts->at[count++])
            texts->at = NULL;
    }
    return texts->at ? 0 : diag_no_memory(parse);
}

/* `from` is where the set was asked for. */
static int
set_compile(struct parse *parse, const struct option *option,
            const struct node *from, struct config_set *set)
{
    struct set_work *work = &parse->sets[set - parse->config->sets];
    int rc = 0;

    if (work->state == SET_DONE)
        return 0;
    if (work->state == SET_OPEN)
        return diag_value(parse, option, from,
                          "\"%s\" leads back to itself; take one of the sets "
                          "out of the ring",
                          set->name);
    work->state = SET_OPEN;
    const struct node *members = set_expand(parse, option, work->members, &rc);
    if (members)
        rc |= set_add_list(parse, option, members, &set->members, true);
    work->state = SET_DONE;
    return rc == 0 ? set_copy_members(parse, members, &set->texts) : -1;
}

static int
set_check_name(struct parse *parse, const struct node *key)
{
    const char *text = key->text;

    if (key->kind != NODE_SCALAR)
        return diag_error(parse, key, "a set's name must be a word");
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (!isalpha((unsigned char)text[0]) || len != key->len || len > 64)
        return diag_error(parse, key,
                          "sets: \"%s\" cannot be a set's name; use a letter, "
                          "then letters, digits, - and _, 64 at most",
                          SHOW(key));
    if (set_is_builtin(text))
        return diag_error(parse, key,
                          "sets: \"%s\" is built in; use another name", text);
    if (set_find(parse->config, text))
        return diag_error(parse, key,
                          "sets: duplicate set \"%s\"; put both lists into "
                          "one",
                          text);
    return 0;
}

/* A list, or a block of text with one member a line, as a file has them. */
static int
set_check_members(struct parse *parse, const struct option *option,
                  const struct node *members)
{
    if (members->kind == NODE_SCALAR && strchr(members->text, '\n'))
        return 0;
    if (members->kind == NODE_MAP)
        return set_refuse_map(parse, option, members,
                              "a list such as [10.0.0.0/8]");
    return diag_expect_list(parse, option, members, "[10.0.0.0/8]");
}

/* Names first, so that sets may refer to later ones. */
static int
set_declare_all(struct parse *parse, const struct option *option,
                const struct node *map)
{
    struct config *config = parse->config;
    int rc = 0;

    for (const struct node *key = map->first; key; key = key->next->next) {
        if (set_check_name(parse, key) != 0) {
            rc = -1;
            continue;
        }
        /* A set with a mistake has its name all the same, for the rules. */
        if (set_check_members(parse, option, key->next) != 0) {
            parse->sets[config->set_count].state = SET_DONE;
            rc = -1;
        }
        struct config_set *set = &config->sets[config->set_count];
        set->line = key->line;
        set->column = key->column;
        set->name = arena_copy(config->arena, key->text, key->len);
        if (!set->name)
            return diag_no_memory(parse);
        parse->sets[config->set_count++].members = key->next;
    }
    return rc;
}

static int
set_parse_all(struct parse *parse, const struct option *option,
              const struct node *map, void *base)
{
    struct config *config = base;

    if (!map)
        return 0;
    if (map->kind != NODE_MAP)
        return diag_value(parse, option, map,
                          "wants a mapping; write NAME: [NETWORK, ...]");
    if (map->count > PARSE_SETS_MAX)
        return diag_value(parse, option, map, "%zu sets; at most %d",
                          map->count, PARSE_SETS_MAX);
    config->sets = arena_take(config->arena, map->count, sizeof(*config->sets));
    parse->sets = arena_take(parse->scratch, map->count, sizeof(*parse->sets));
    if (!config->sets || !parse->sets)
        return diag_no_memory(parse);
    int rc = set_declare_all(parse, option, map);
    for (size_t i = 0; i < config->set_count; i++)
        rc |= set_compile(parse, option, map, &config->sets[i]);
    parse->sets = NULL;
    return rc;
}

/* A large set is read again, by people and by each worker, as lines. */
#define DUMP_LIST_MAX 32

/* A line needs no quotes: a member holds no blank, no # and no quote. */
static void
set_dump_lines(const struct dump *dump, const struct rule_texts *texts)
{
    fputs("|", dump->to);
    for (size_t i = 0; i < texts->count; i++) {
        fputs("\n    ", dump->to);
        fputs(texts->at[i], dump->to);
    }
}

static void
set_dump_all(const struct dump *dump, const struct option *option,
             const void *base)
{
    const struct config *config = base;

    (void)option;
    fputs(config->set_count ? "\n" : " {}\n", dump->to);
    for (size_t i = 0; i < config->set_count; i++) {
        const struct rule_texts *texts = &config->sets[i].texts;
        fprintf(dump->to, "  %s: ", config->sets[i].name);
        if (texts->count > DUMP_LIST_MAX)
            set_dump_lines(dump, texts);
        else
            dump_texts(dump, texts);
        fputc('\n', dump->to);
    }
}

const struct option_type type_sets = {
    .parse = set_parse_all,
    .dump = set_dump_all,
    .manual = "name: [network, name, set or file:PATH, ...]",
    .nested = true,
    .first = true,
};

/* With `itself` alone; `self`, whose addresses come and go, is none. */
static int
set_parse_networks(struct parse *parse, const struct option *option,
                   const struct node *list, void *base)
{
    struct config_networks *networks = option_field(base, option->at);
    struct set_members members = {0};

    if (diag_expect_list(parse, option, list, "[10.0.0.5, 10.1.0.0/16]") != 0)
        return -1;
    int rc = set_add_list(parse, option, list, &members, false);
    networks->nets = members.itself;
    members.itself = (struct netset){0};
    if (rc == 0 && members.self)
        rc = diag_value(parse, option, list,
                        "the set \"self\" is for rules; write this machine's "
                        "addresses");
    set_fini(&members);
    return rc == 0 ? set_copy_members(parse, list, &networks->texts) : -1;
}

static void
set_dump_networks(const struct dump *dump, const struct option *option,
                  const void *base)
{
    const struct config_networks *networks = option_field_of(base, option->at);

    dump_texts(dump, &networks->texts);
}

const struct option_type type_networks = {
    .parse = set_parse_networks,
    .dump = set_dump_networks,
    .manual = "list of networks and sets",
};
