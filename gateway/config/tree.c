#include "gateway/config/tree.h"

#include <stdbool.h>
#include <yaml.h>

#include "base/text.h"
#include "gateway/config/diag.h"

struct builder {
    struct parse *parse;
    yaml_parser_t yaml;
    const char *text; /* borrowed */
    size_t len;
    size_t nodes;
};

static struct node
place_of(yaml_mark_t mark)
{
    return (struct node){.line = (unsigned)mark.line + 1,
                         .column = (unsigned)mark.column + 1};
}

/* Where octet `at` of `text` is, in lines and characters. */
static struct node
place_at(const char *text, size_t at)
{
    struct node place = {.line = 1, .column = 1};

    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static int
octets_check(struct parse *parse, const char *text, size_t len)
{
    size_t at = text_check_utf8(text, len);

    if (at == len)
        return 0;
    struct node place = place_at(text, at);
    unsigned octet = (unsigned char)text[at];
    if (octet == 0)
        return diag_error(parse, &place, "a NUL octet; remove it");
    if (octet < 0x20 || octet == 0x7f)
        return diag_error(parse, &place,
                          "a control character (0x%02x); remove it", octet);
    return diag_error(parse, &place,
                      "octet 0x%02x is not UTF-8 text; save the file as UTF-8",
                      octet);
}

/* A blank that is not one for YAML, as web pages and word processors have. */
static bool
is_odd_blank(const char *at)
{
    return strncmp(at, "\xc2\xa0", 2) == 0 ||
           strncmp(at, "\xe3\x80\x80", 3) == 0 ||
           strncmp(at, "\xe2\x80\xaf", 3) == 0 ||
           (strncmp(at, "\xe2\x80", 2) == 0 && (unsigned char)at[2] <= 0x8b);
}

#define ODD_BLANK                                                              \
    "a blank that YAML takes for a letter (such as a non-breaking space); "    \
    "write a plain one"

/* The first such blank in the line or the one above, where libyaml may have
   gone wrong, outside comments; `len`: none. */
static size_t
odd_blank_find(const struct builder *builder, unsigned line)
{
    const char *text = builder->text;
    unsigned at_line = 1;
    bool comment = false;

    for (size_t i = 0; i + 3 <= builder->len && at_line <= line; i++) {
        comment = text[i] != '\n' && (comment || text[i] == '#');
        if (!comment && at_line + 1 >= line && is_odd_blank(text + i))
            return i;
        at_line += text[i] == '\n';
    }
    return builder->len;
}

/* A tab in front of the first word of the line; `len`: none. */
static size_t
tab_find(const struct builder *builder, unsigned line)
{
    const char *text = builder->text;
    size_t at = 0;

    for (unsigned at_line = 1; at_line < line && at < builder->len; at++)
        at_line += text[at] == '\n';
    while (at < builder->len && text[at] == ' ')
        at++;
    return at < builder->len && text[at] == '\t' ? at : builder->len;
}

/* Whether libyaml means a tab: "found character that cannot start any token",
   "found a tab character that violates indentation". */
static bool
is_about_tab(const char *problem)
{
    return problem != NULL && (strstr(problem, "tab character") != NULL ||
                               strstr(problem, "cannot start") != NULL);
}

/* What libyaml found, as one sentence. */
static int
yaml_fail(struct builder *builder)
{
    const yaml_parser_t *yaml = &builder->yaml;
    struct node place = place_of(yaml->problem_mark);

    if (yaml->error == YAML_MEMORY_ERROR)
        return diag_no_memory(builder->parse);
    size_t odd = odd_blank_find(builder, place.line);
    if (odd < builder->len) {
        place = place_at(builder->text, odd);
        return diag_error(builder->parse, &place, ODD_BLANK);
    }
    size_t tab = tab_find(builder, place.line);
    if (tab < builder->len && is_about_tab(yaml->problem)) {
        place = place_at(builder->text, tab);
        return diag_error(builder->parse, &place,
                          "a tab in the indentation; write spaces");
    }
    return diag_error(builder->parse, &place,
                      "not YAML: %s%s%s; look here and in the line above: the "
                      "indentation (spaces, no tabs), a blank behind each :, "
                      "and quotes around what holds : # [ ] { } , * & ! | > "
                      "or @",
                      yaml->problem ? yaml->problem : "unreadable",
                      yaml->context ? " " : "",
                      yaml->context ? yaml->context : "");
}

static struct node *
node_new(struct builder *builder, enum node_kind kind, yaml_mark_t mark)
{
    struct node place = place_of(mark);

    if (++builder->nodes > TREE_NODES_MAX) {
        diag_error(builder->parse, &place,
                   "more than %d values; put the members of large "
                   "sets into files, one a line",
                   TREE_NODES_MAX);
        return NULL;
    }
    struct node *node = arena_take(builder->parse->scratch, 1, sizeof(*node));
    if (!node) {
        diag_no_memory(builder->parse);
        return NULL;
    }
    *node = place;
    node->kind = kind;
    return node;
}

/* Anchors and tags stand at the same place in all three events. */
static int
plain_check(struct builder *builder, const yaml_event_t *event)
{
    const yaml_char_t *anchor = event->data.scalar.anchor;
    const yaml_char_t *tag = event->data.scalar.tag;
    struct node place = place_of(event->start_mark);

    if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor)
        return diag_error(builder->parse, &place,
                          "an anchor (&%.40s); write the value out, or name "
                          "addresses once under sets",
                          (const char *)anchor);
    if (tag)
        return diag_error(builder->parse, &place,
                          "a tag (!); write the value without it");
    return 0;
}

/* Blanks before the first line of text below line `above`. */
static unsigned
indent_below(const struct builder *builder, unsigned above)
{
    const char *at = builder->text, *end = at + builder->len;

    for (unsigned line = 1; at && line <= above; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    while (at && at < end && *at == '\n')
        at++;
    const char *begin = at;
    while (at && at < end && *at == ' ')
        at++;
    return (unsigned)(at - begin);
}

static struct node *
scalar_new(struct builder *builder, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    yaml_scalar_style_t style = event->data.scalar.style;
    struct node *node = node_new(builder, NODE_SCALAR, event->start_mark);

    if (!node)
        return NULL;
    if (memchr(text, '\0', len)) {
        diag_error(builder->parse, node, "a NUL in a value; remove it");
        return NULL;
    }
    for (size_t i = 0; i < len && style == YAML_PLAIN_SCALAR_STYLE; i++)
        if (is_odd_blank(text + i)) {
            node->column += (unsigned)i;
            diag_error(builder->parse, node, ODD_BLANK);
            return NULL;
        }
    node->text = arena_copy(builder->parse->scratch, text, len);
    node->len = len;
    if (style == YAML_LITERAL_SCALAR_STYLE)
        node->indent = indent_below(builder, node->line);
    if (!node->text) {
        diag_no_memory(builder->parse);
        return NULL;
    }
    return node;
}

static struct node *node_read(struct builder *builder, yaml_event_t *event,
                              unsigned depth);

/* The members of a list or mapping, until its end. */
static struct node *
members_read(struct builder *builder, struct node *node, unsigned depth)
{
    struct node **link = &node->first;
    yaml_event_t event;

    for (;;) {
        if (!yaml_parser_parse(&builder->yaml, &event)) {
            yaml_fail(builder);
            return NULL;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT ||
            event.type == YAML_MAPPING_END_EVENT)
            break;
        *link = node_read(builder, &event, depth + 1);
        if (!*link)
            return NULL;
        link = &(*link)->next;
        node->count++;
    }
    yaml_event_delete(&event);
    if (node->kind == NODE_MAP)
        node->count /= 2;
    return node;
}

/* The node that begins with `event`, which is deleted. */
static struct node *
node_read(struct builder *builder, yaml_event_t *event, unsigned depth)
{
    struct node place = place_of(event->start_mark);
    struct node *node = NULL;
    yaml_event_type_t type = event->type;

    if (type == YAML_ALIAS_EVENT)
        diag_error(builder->parse, &place,
                   "an alias (*%.40s); write the value out, or name addresses "
                   "once under sets",
                   (const char *)event->data.alias.anchor);
    else if (depth > TREE_DEPTH_MAX)
        diag_error(builder->parse, &place,
                   "nested too deeply; nothing here goes below %d levels",
                   TREE_DEPTH_MAX);
    else if (plain_check(builder, event) != 0)
        node = NULL;
    else if (type == YAML_SCALAR_EVENT)
        node = scalar_new(builder, event);
    else
        node = node_new(builder,
                        type == YAML_MAPPING_START_EVENT ? NODE_MAP : NODE_LIST,
                        event->start_mark);
    yaml_event_delete(event);
    if (!node || type == YAML_SCALAR_EVENT)
        return node;
    return members_read(builder, node, depth);
}

/* The next event, which must be of the type. Deleted at once. */
static int
event_expect(struct builder *builder, yaml_event_type_t type,
             const char *otherwise)
{
    yaml_event_t event;

    if (!yaml_parser_parse(&builder->yaml, &event))
        return yaml_fail(builder);
    struct node place = place_of(event.start_mark);
    yaml_event_type_t found = event.type;
    yaml_event_delete(&event);
    if (found == type)
        return 0;
    return diag_error(builder->parse, &place, "%s", otherwise);
}

static struct node *
document_read(struct builder *builder)
{
    yaml_event_t event;
    struct node *root;

    if (event_expect(builder, YAML_STREAM_START_EVENT, "no text") != 0 ||
        event_expect(builder, YAML_DOCUMENT_START_EVENT,
                     "nothing is written here; begin with listen: and rules:, "
                     "or leave -c out for the built-in default") != 0)
        return NULL;
    if (!yaml_parser_parse(&builder->yaml, &event)) {
        yaml_fail(builder);
        return NULL;
    }
    root = node_read(builder, &event, 1);
    if (!root || event_expect(builder, YAML_DOCUMENT_END_EVENT, "no end") != 0)
        return NULL;
    if (event_expect(builder, YAML_STREAM_END_EVENT,
                     "a second document; keep one, without --- between") != 0)
        return NULL;
    return root;
}

struct node *
tree_parse(struct parse *parse, const char *text, size_t len)
{
    struct node *root;

    if (octets_check(parse, text, len) != 0)
        return NULL;
    /* libyaml would count a byte order mark as a column of the first line. */
    if (text_has_mark(text, len)) {
        text += 3;
        len -= 3;
    }
    struct builder builder = {.parse = parse, .text = text, .len = len};
    if (!yaml_parser_initialize(&builder.yaml)) {
        diag_no_memory(parse);
        return NULL;
    }
    yaml_parser_set_encoding(&builder.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.yaml, (const unsigned char *)text,
                                 len);
    root = document_read(&builder);
    yaml_parser_delete(&builder.yaml);
    return root;
}
