#include "gateway/config/diag.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Errors printed, and warnings; all are counted. */
#define DIAG_LINES_MAX 100

/* Which file, and where: "gw.yaml:3:11: ". */
static size_t
diag_place(const struct parse *parse, const struct node *at,
           struct config_error *error)
{
    const char *file = at && at->file ? at->file
                       : parse->file  ? parse->file
                                      : "configuration";
    char *text = error->text;
    size_t room = sizeof(error->text);

    if (at)
        return (size_t)snprintf(text, room, "%.200s:%u:%u: ", file, at->line,
                                at->column);
    return (size_t)snprintf(text, room, "%.200s: ", file);
}

/* The first error is the one that a caller gets; the others are lines. */
static int
diag_report(struct parse *parse, const struct node *at, const char *label,
            const char *format, va_list args)
{
    struct config_error error;
    size_t used = diag_place(parse, at, &error);

    if (label)
        used += (size_t)snprintf(error.text + used, sizeof(error.text) - used,
                                 "%s: ", label);
    vsnprintf(error.text + used, sizeof(error.text) - used, format, args);
    if (parse->errors++ == 0)
        *parse->error = error;
    else if (parse->warnings && parse->errors <= DIAG_LINES_MAX)
        fprintf(parse->warnings, "%s\n", error.text);
    return -1;
}

int
diag_error(struct parse *parse, const struct node *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    diag_report(parse, at, NULL, format, args);
    va_end(args);
    return -1;
}

int
diag_value(struct parse *parse, const struct option *option,
           const struct node *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    diag_report(parse, at, option_label(option), format, args);
    va_end(args);
    return -1;
}

int
diag_file(struct parse *parse, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    diag_report(parse, NULL, NULL, format, args);
    va_end(args);
    return -1;
}

int
diag_no_memory(struct parse *parse)
{
    return diag_file(parse, "out of memory");
}

void
diag_warn(struct parse *parse, const struct node *at, const char *format, ...)
{
    struct config_error warning;
    va_list args;

    parse->warned++;
    if (!parse->warnings || parse->warned > DIAG_LINES_MAX)
        return;
    size_t used = diag_place(parse, at, &warning);
    va_start(args, format);
    vsnprintf(warning.text + used, sizeof(warning.text) - used, format, args);
    va_end(args);
    fprintf(parse->warnings, "%.*swarning: %s\n", (int)used, warning.text,
            warning.text + used);
}

int
diag_expect_path(struct parse *parse, const struct option *option,
                 const struct node *node)
{
    for (size_t i = 0; i < node->len; i++) {
        unsigned char octet = (unsigned char)node->text[i];
        unsigned char next = (unsigned char)node->text[i + 1];
        /* U+0080 to U+009f are control characters, too. */
        if (octet < 0x20 || octet == 0x7f || (octet == 0xc2 && next < 0xa0))
            return diag_value(parse, option, node,
                              "\"%s\": a path with a control character; rename "
                              "the file",
                              SHOW(node));
    }
    return 0;
}

int
diag_expect_scalar(struct parse *parse, const struct option *option,
                   const struct node *node, const char *wants)
{
    static const char *const kinds[] = {"a value", "a list", "a mapping"};

    if (node->kind == NODE_SCALAR)
        return 0;
    return diag_value(parse, option, node, "wants one value, not %s; write %s",
                      kinds[node->kind], wants);
}

/* "write [VALUE]": blanks between words become commas. */
static int
diag_refuse_words(struct parse *parse, const struct option *option,
                  const struct node *node)
{
    char words[2 * DIAG_SHOW_MAX];
    const char *shown = SHOW(node);
    bool commas = strchr(shown, ',') != NULL;
    size_t used = 0;

    for (; *shown != '\0'; shown++) {
        if (*shown == ' ' && !commas)
            words[used++] = ',';
        words[used++] = *shown;
    }
    return diag_value(parse, option, node,
                      "wants a list, even of one; write [%.*s]", (int)used,
                      words);
}

/* The same, where that would do. */
static int
diag_refuse_word(struct parse *parse, const struct option *option,
                 const struct node *node, const char *example)
{
    bool truth;

    if (text_is_wildcard(node->text) && option->type->empty_is_any)
        return diag_value(parse, option, node,
                          "wants a list; leave it out for any, or write %s",
                          example);
    if (text_is_wildcard(node->text) && !option->fallback)
        return diag_value(parse, option, node,
                          "wants a list, even of one; write [any]");
    /* Of numbers and addresses a word is none. */
    bool is_other = example[0] == '[' && isdigit((unsigned char)example[1]) &&
                    !isxdigit((unsigned char)node->text[0]);
    if (text_is_wildcard(node->text) || node->len == 0 || example[0] == '-' ||
        is_other || text_bool(node->text, &truth) == 0)
        return diag_value(parse, option, node, "wants a list; write %s",
                          example);
    return diag_refuse_words(parse, option, node);
}

int
diag_expect_list(struct parse *parse, const struct option *option,
                 const struct node *node, const char *example)
{
    if (node->kind == NODE_MAP)
        return diag_value(parse, option, node,
                          "wants a list, not a mapping; write %s", example);
    if (node->kind == NODE_SCALAR)
        return diag_refuse_word(parse, option, node, example);
    if (node->count > PARSE_MEMBERS_MAX)
        return diag_value(parse, option, node,
                          "%zu members; at most %d, so use several sets",
                          node->count, PARSE_MEMBERS_MAX);
    return 0;
}

int
diag_expect_members(struct parse *parse, const struct option *option,
                    const struct node *node, const char *example)
{
    if (diag_expect_list(parse, option, node, example) != 0)
        return -1;
    if (node->count > 0)
        return 0;
    return diag_value(parse, option, node, "the list is empty; write %s",
                      example);
}
