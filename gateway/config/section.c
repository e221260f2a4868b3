#include "gateway/config/section.h"

#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"

/* Rows of the section, and what the file has for each. */
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

/* Where else the key stands: "under limits.per_source or under rules[]";
   empty: nowhere. */
static void
section_find_key(const struct parse *parse, const char *key, char *places,
                 size_t room)
{
    size_t used = 0;

    places[0] = '\0';
    for (size_t i = 0; i < parse->option_count && used < room; i++) {
        const struct option *option = &parse->options[i];
        const char *dot = strrchr(option->path, '.');
        if (strcmp(option_key(option), key) != 0)
            continue;
        const char *more = used ? " or " : "";
        if (dot)
            used +=
                (size_t)snprintf(places + used, room - used, "%sunder %.*s",
                                 more, (int)(dot - option->path), option->path);
        else
            used += (size_t)snprintf(places + used, room - used,
                                     "%sat the top, not indented", more);
    }
}

/* "a.b.c" as YAML has it: "a: {b: {c: ...}}". */
static void
section_nest_key(const char *key, char *text, size_t room)
{
    size_t used = 0;
    unsigned depth = 0;

    for (; *key != '\0' && used + 1 < room; key++)
        if (*key == '.') {
            used += (size_t)snprintf(text + used, room - used, ": {");
            depth++;
        } else {
            text[used++] = *key;
        }
    snprintf(text + used, room - used, ": ...%.*s", (int)depth, "}}}}");
}

/* How the key is to be written that has its path in one word, or its value. */
static bool
section_is_misspelt(struct parse *parse, const struct section *section,
                    const struct node *key)
{
    const char *first = section->rows[0]->path;
    size_t prefix = (size_t)(option_key(section->rows[0]) - first);
    char text[128];

    for (size_t i = 0; i < section->count; i++) {
        const char *known = option_key(section->rows[i]);
        size_t len = strlen(known);
        if (strncmp(key->text, known, len) == 0 && key->text[len] == ':') {
            diag_error(parse, key, "\"%s\" lacks a blank; write %s: %s",
                       SHOW(key), known, SHOW_FROM(key, len + 1));
            return true;
        }
    }
    for (size_t i = 0; i < parse->option_count; i++) {
        const char *path = parse->options[i].path;
        if (strchr(key->text, '.') == NULL ||
            strncmp(path, first, prefix) != 0 ||
            strcmp(path + prefix, key->text) != 0)
            continue;
        section_nest_key(key->text, text, sizeof(text));
        diag_error(parse, key, "\"%s\" is not a key; write %s", key->text,
                   text);
        return true;
    }
    return false;
}

static int
section_unknown(struct parse *parse, const struct section *section,
                const struct node *key)
{
    char hint[TEXT_HINT_MAX];
    char known[256] = "", places[256];
    const char *nearest =
        text_nearest(key->text, section, section->count, section_name_at);

    if (section_is_misspelt(parse, section, key))
        return -1;
    section_find_key(parse, key->text, places, sizeof(places));
    if (!nearest && places[0])
        return diag_error(parse, key, "\"%s\" does not belong here; put it %s",
                          key->text, places);
    for (size_t i = 0, used = 0; i < section->count; i++)
        used += (size_t)snprintf(
            known + used, sizeof(known) - used, "%s%s",
            i ? ", " : "; known here: ", option_key(section->rows[i]));
    return diag_error(parse, key, "unknown key \"%s\"%s", SHOW(key),
                      nearest ? text_hint(nearest, hint) : known);
}

/* Puts one pair of the mapping to its row. */
static int
section_place(struct parse *parse, struct section *section,
              const struct node *key)
{
    if (key->kind != NODE_SCALAR)
        return diag_error(parse, key, "a key must be a word");
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(option_key(section->rows[i]), key->text) != 0)
            continue;
        if (section->keys[i])
            return diag_error(parse, key,
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
section_fallback(struct fallback *fallback, const struct option *option,
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
section_parse_row(struct parse *parse, const struct option *option,
                  const struct node *value, const struct node *at, void *base)
{
    struct fallback fallback;

    parse->above = at;
    if (!value && !option->fallback)
        return diag_error(parse, at, "\"%s\" is missing; add it",
                          option_key(option));
    if (!value && !option->type->nested)
        value = section_fallback(&fallback, option, at);
    return option->type->parse(parse, option, value, base);
}

int
section_parse(struct parse *parse, const struct node *map,
              const struct node *at, const char *prefix, void *base)
{
    struct section section = {0};
    int rc = 0, placed;

    for (size_t i = 0; i < parse->option_count; i++)
        if (option_within(&parse->options[i], prefix))
            section.rows[section.count++] = &parse->options[i];
    for (const struct node *key = map ? map->first : NULL; key;
         key = key->next->next)
        rc |= section_place(parse, &section, key);
    placed = rc;
    /* In the table's order, so that names stand before what refers to them; but
       first what the rows above refer to. What is missing may be there,
       misspelt. */
    for (int late = 0; late < 2; late++)
        for (size_t i = 0; i < section.count; i++)
            if (section.rows[i]->type->first != late &&
                (placed == 0 || section.values[i] || section.rows[i]->fallback))
                rc |= section_parse_row(parse, section.rows[i],
                                        section.values[i], at, base);
    return rc;
}

/* The key that the section has first. */
static const char *
section_first_key(const struct parse *parse, const char *prefix)
{
    for (size_t i = 0; i < parse->option_count; i++)
        if (option_within(&parse->options[i], prefix))
            return option_key(&parse->options[i]);
    return "";
}

static int
section_parse_nested(struct parse *parse, const struct option *option,
                     const struct node *value, void *base)
{
    const struct node *above = parse->above;
    char prefix[64];

    snprintf(prefix, sizeof(prefix), "%s.", option->path);
    if (value && value->kind != NODE_MAP)
        return diag_value(
            parse, option, value,
            "wants its settings, indented below it; write %s: {%s: ...}",
            option_key(option), section_first_key(parse, prefix));
    return section_parse(parse, value, value ? value : above, prefix, base);
}

static int
section_parse_or_off(struct parse *parse, const struct option *option,
                     const struct node *value, void *base)
{
    bool *off = option_field(base, option->also);

    *off = value && value->kind == NODE_SCALAR &&
           (strcmp(value->text, "off") == 0 || strcmp(value->text, "no") == 0 ||
            strcmp(value->text, "false") == 0);
    if (value && value->kind != NODE_MAP && !*off)
        return diag_value(parse, option, value,
                          "wants its settings, indented below it, or off");
    return section_parse_nested(parse, option, *off ? NULL : value, base);
}

void
section_dump(const struct dump *dump, const char *prefix, const void *base,
             const char *indent)
{
    for (size_t i = 0; i < dump->option_count; i++) {
        const struct option *option = &dump->options[i];
        if (!option_within(option, prefix))
            continue;
        fprintf(dump->to, "%s%s:", indent, option_key(option));
        if (!option->type->nested)
            fputc(' ', dump->to);
        option->type->dump(dump, option, base);
        if (!option->type->nested) {
            dump_computed(dump, option);
            fputc('\n', dump->to);
        }
        /* A list's member has its dash before the first row. */
        if (strcmp(indent, "  - ") == 0)
            indent = "    ";
    }
}

static void
section_dump_nested(const struct dump *dump, const struct option *option,
                    const void *base)
{
    const char *indent = strchr(option->path, '.') ? "    " : "  ";
    char prefix[64];

    if (strchr(option->path, '['))
        indent = "      "; /* of a list's member */
    fputc('\n', dump->to);
    snprintf(prefix, sizeof(prefix), "%s.", option->path);
    section_dump(dump, prefix, base, indent);
}

const struct option_type type_section = {
    .parse = section_parse_nested,
    .dump = section_dump_nested,
    .manual = "mapping",
    .nested = true,
};

static void
section_dump_or_off(const struct dump *dump, const struct option *option,
                    const void *base)
{
    const bool *off = option_field_of(base, option->also);

    if (*off)
        fputs(" off\n", dump->to);
    else
        section_dump_nested(dump, option, base);
}

const struct option_type type_section_or_off = {
    .parse = section_parse_or_off,
    .dump = section_dump_or_off,
    .manual = "mapping or off",
    .nested = true,
};

const struct node *
section_value(const struct node *map, const char *key)
{
    for (const struct node *at = map->first; at; at = at->next->next)
        if (at->kind == NODE_SCALAR && strcmp(at->text, key) == 0)
            return at->next;
    return map;
}
