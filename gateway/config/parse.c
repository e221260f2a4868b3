#include "gateway/config/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "gateway/policy/index.h"

#define FILE_SIZE_MAX (16 << 20)

int
parse_fail(struct parse *parse, const struct node *at, const char *format, ...)
{
    char *text = parse->error->text;
    size_t room = sizeof(parse->error->text);
    va_list args;

    int used =
        snprintf(text, room,
                 "%.200s:%u:%u: ", parse->file ? parse->file : "configuration",
                 at->line, at->column);
    va_start(args, format);
    vsnprintf(text + used, room - (size_t)used, format, args);
    va_end(args);
    return -1;
}

int
parse_fail_file(struct parse *parse, const char *format, ...)
{
    char *text = parse->error->text;
    size_t room = sizeof(parse->error->text);
    va_list args;

    int used = snprintf(
        text, room, "%.200s: ", parse->file ? parse->file : "configuration");
    va_start(args, format);
    vsnprintf(text + used, room - (size_t)used, format, args);
    va_end(args);
    return -1;
}

int
parse_no_memory(struct parse *parse)
{
    return parse_fail_file(parse, "out of memory");
}

char *
parse_hint(const char *nearest, char text[PARSE_HINT_MAX])
{
    text[0] = '\0';
    if (nearest)
        snprintf(text, PARSE_HINT_MAX, " (did you mean \"%.64s\"?)", nearest);
    return text;
}

int
parse_scalar(struct parse *parse, const struct option *option,
             const struct node *node, const char *wants)
{
    static const char *const kinds[] = {"a value", "a list", "a mapping"};

    if (node->kind == NODE_SCALAR)
        return 0;
    return parse_fail(parse, node, "%s: wants one value, not %s; write %s",
                      option_label(option), kinds[node->kind], wants);
}

int
parse_list(struct parse *parse, const struct option *option,
           const struct node *node, const char *example)
{
    if (node->kind == NODE_MAP)
        return parse_fail(parse, node,
                          "%s: wants a list, not a mapping; write %s",
                          option_label(option), example);
    if (node->kind == NODE_SCALAR && node->len == 0)
        return parse_fail(parse, node, "%s: wants a list; write %s",
                          option_label(option), example);
    if (node->kind == NODE_SCALAR)
        return parse_fail(parse, node,
                          "%s: wants a list, even of one; write [%s]",
                          option_label(option), SHOW(node));
    if (node->count > PARSE_MEMBERS_MAX)
        return parse_fail(parse, node, "%s: %zu members; at most %d",
                          option_label(option), node->count, PARSE_MEMBERS_MAX);
    return 0;
}

/* Rows of the section, for messages and for the nearest name. */
struct section {
    const struct option *rows[OPTION_COUNT_MAX];
    const struct node *keys[OPTION_COUNT_MAX];
    const struct node *values[OPTION_COUNT_MAX];
    size_t count;
};

static const char *
section_name_at(const void *names, size_t i)
{
    const struct section *section = names;

    return option_key(section->rows[i]);
}

static void
section_init(struct section *section, const char *prefix)
{
    memset(section, 0, sizeof(*section));
    for (size_t i = 0; i < option_count; i++)
        if (option_within(&options[i], prefix))
            section->rows[section->count++] = &options[i];
}

static int
section_unknown(struct parse *parse, const struct section *section,
                const struct node *key)
{
    char hint[PARSE_HINT_MAX];
    char known[256] = "";
    const char *nearest =
        text_nearest(key->text, section, section->count, section_name_at);

    for (size_t i = 0, used = 0; i < section->count; i++)
        used += (size_t)snprintf(
            known + used, sizeof(known) - used, "%s%s",
            i ? ", " : "; known here: ", option_key(section->rows[i]));
    return parse_fail(parse, key, "unknown key \"%s\"%s", SHOW(key),
                      nearest ? parse_hint(nearest, hint) : known);
}

/* Puts one pair of the mapping to its row. */
static int
section_place(struct parse *parse, struct section *section,
              const struct node *key)
{
    if (key->kind != NODE_SCALAR)
        return parse_fail(parse, key, "a key must be a word");
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(option_key(section->rows[i]), key->text) != 0)
            continue;
        if (section->keys[i])
            return parse_fail(parse, key,
                              "duplicate key \"%s\", first on line %u; "
                              "remove one",
                              key->text, section->keys[i]->line);
        section->keys[i] = key;
        section->values[i] = key->next;
        return 0;
    }
    return section_unknown(parse, section, key);
}

/* A default, as the nodes that would stand in the file for it. */
struct fallback {
    struct node node;
    struct node member;
    char text[32];
};

static const struct node *
fallback_node(struct fallback *fallback, const struct option *option,
              const struct node *at)
{
    const char *text = option->fallback;
    size_t len = strlen(text);

    fallback->node = (struct node){.line = at->line, .column = at->column};
    fallback->member = fallback->node;
    if (text[0] != '[') {
        fallback->node.text = text;
        fallback->node.len = len;
        return &fallback->node;
    }
    fallback->node.kind = NODE_LIST;
    if (len == 2)
        return &fallback->node;
    snprintf(fallback->text, sizeof(fallback->text), "%.*s", (int)len - 2,
             text + 1);
    fallback->member.text = fallback->text;
    fallback->member.len = len - 2;
    fallback->node.first = &fallback->member;
    fallback->node.count = 1;
    return &fallback->node;
}

static int
section_descend(struct parse *parse, const struct option *option,
                const struct node *value, const struct node *at, void *base)
{
    char prefix[64];

    if (value && value->kind != NODE_MAP)
        return parse_fail(parse, value,
                          "%s: wants its settings, indented below it",
                          option_label(option));
    snprintf(prefix, sizeof(prefix), "%s.", option->path);
    return parse_section(parse, value, value ? value : at, prefix, base);
}

static int
row_parse(struct parse *parse, const struct option *option,
          const struct node *value, const struct node *at, void *base)
{
    struct fallback fallback;

    switch (option->kind) {
    case OPTION_SECTION:
        return section_descend(parse, option, value, at, base);
    case OPTION_LISTENERS:
        return listeners_parse(parse, option, value, base);
    case OPTION_SETS:
        return sets_parse(parse, option, value, base);
    case OPTION_RULES:
        return rules_parse(parse, option, value, base);
    default:
        break;
    }
    if (!value && !option->fallback)
        return parse_fail(parse, at, "\"%s\" is missing; add it",
                          option_key(option));
    if (!value)
        value = fallback_node(&fallback, option, at);
    if (option->kind >= OPTION_ACTION)
        return terms_parse(parse, option, value, base);
    return value_parse(parse, option, value, base);
}

int
parse_section(struct parse *parse, const struct node *map,
              const struct node *at, const char *prefix, void *base)
{
    struct section section;

    section_init(&section, prefix);
    for (const struct node *key = map ? map->first : NULL; key;
         key = key->next->next)
        if (section_place(parse, &section, key) != 0)
            return -1;
    /* In the table's order, so that names stand before what refers to them. */
    for (size_t i = 0; i < section.count; i++)
        if (row_parse(parse, section.rows[i], section.values[i], at, base) != 0)
            return -1;
    return 0;
}

static void
warn(const struct parse *parse, const char *sentence)
{
    fprintf(parse->warnings, "%s: warning: %s\n",
            parse->file ? parse->file : "configuration", sentence);
}

/* What is no error, but hardly meant. */
static void
parse_warn(const struct parse *parse)
{
    const struct config *config = parse->config;
    bool socks4a = false;

    if (!parse->warnings)
        return;
    if (config->policy.rule_count == 0)
        warn(parse, "no rules: every request will be refused");
    for (size_t i = 0; i < config->listener_count; i++)
        socks4a |= config->listeners[i].socks4a != CONFIG_4A_OFF;
    if (config->policy.index->name_count > 0 && !socks4a)
        warn(parse, "rules name hosts, which only SOCKS 4A requests do, and "
                    "no listener has socks4a: true");
}

static int
parse_text(struct parse *parse, const char *text, size_t len)
{
    struct node *root = tree_parse(parse, text, len);
    struct policy *policy = &parse->config->policy;

    if (!root)
        return -1;
    if (root->kind != NODE_MAP)
        return parse_fail(parse, root,
                          "wants a mapping of settings (listen:, rules:, ...)");
    if (parse_section(parse, root, root, "", parse->config) != 0)
        return -1;
    if (listeners_publish(parse->config) != 0 ||
        !(policy->index =
              rule_index_build(policy->rules, policy->rule_count,
                               parse->config->arena, parse->scratch)))
        return parse_no_memory(parse);
    parse_warn(parse);
    return 0;
}

static struct config *
config_new(const char *file)
{
    struct config *config = calloc(1, sizeof(*config));

    if (!config)
        return NULL;
    config->refs = 1;
    config->arena = arena_new();
    if (config->arena && file)
        config->file = arena_copy(config->arena, file, strlen(file));
    if (!config->arena || (file && !config->file)) {
        config_unref(config);
        return NULL;
    }
    return config;
}

struct config *
config_parse(const char *file, const char *text, size_t len,
             struct config_error *error, FILE *warnings)
{
    struct parse parse = {.file = file, .error = error, .warnings = warnings};
    int rc = -1;

    parse.scratch = arena_new();
    parse.config = config_new(file);
    if (parse.scratch && parse.config)
        rc = parse_text(&parse, text, len);
    else
        parse_no_memory(&parse);
    arena_free(parse.scratch);
    if (rc == 0)
        return parse.config;
    config_unref(parse.config);
    return NULL;
}

/* All of fd, to be freed; NULL with the error noted. */
static char *
file_read(struct parse *parse, int fd, size_t *len)
{
    size_t used = 0, room = 0;
    char *text = NULL;

    for (;;) {
        if (used == room) {
            room = room ? room * 2 : 16384;
            char *more = realloc(text, room);
            if (!more) {
                parse_no_memory(parse);
                break;
            }
            text = more;
        }
        ssize_t n = read(fd, text + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            parse_fail_file(parse, "cannot be read: %s", strerror(errno));
            break;
        }
        if (n == 0) {
            *len = used;
            return text;
        }
        used += (size_t)n;
        if (used > FILE_SIZE_MAX) {
            parse_fail_file(parse, "larger than 16 MiB; is it the right file?");
            break;
        }
    }
    free(text);
    return NULL;
}

struct config *
config_load(const char *file, struct config_error *error, FILE *warnings)
{
    struct parse parse = {.file = file, .error = error};
    struct config *config = NULL;
    size_t len;

    if (!file)
        return config_parse(NULL, config_default_text,
                            strlen(config_default_text), error, warnings);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        parse_fail_file(&parse, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    char *text = file_read(&parse, fd, &len);
    if (text)
        config = config_parse(file, text, len, error, warnings);
    free(text);
    close(fd);
    return config;
}
