/* One scalar of the configuration, by the kind of its row. */

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config/parse.h"

typedef int value_fn(struct parse *parse, const struct option *option,
                     const struct node *node, void *base);

static void *
field(void *base, size_t at)
{
    return (char *)base + at;
}

static const char *
choice_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

static size_t
choice_count(const char *const *choices)
{
    size_t count = 0;

    while (choices[count])
        count++;
    return count;
}

/* "a, b or c" */
static char *
choices_show(const char *const *choices, char text[128])
{
    size_t count = choice_count(choices), used = 0;

    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, 128 - used, "%s%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 choices[i]);
    return text;
}

/* off, no, false are one word, and so are on, yes, true. */
static int
choice_same(const char *choice, const char *text)
{
    bool a, b;

    if (strcmp(choice, text) == 0)
        return 1;
    return text_bool(choice, &a) == 0 && text_bool(text, &b) == 0 && a == b;
}

int
parse_choice(struct parse *parse, const struct option *option,
             const struct node *node, unsigned *chosen)
{
    char list[128], hint[PARSE_HINT_MAX];
    const char *const *choices = option->choices;

    choices_show(choices, list);
    if (parse_scalar(parse, option, node, list) != 0)
        return -1;
    for (unsigned i = 0; choices[i]; i++) {
        if (!choice_same(choices[i], node->text))
            continue;
        *chosen = i;
        return 0;
    }
    const char *nearest =
        text_nearest(node->text, choices, choice_count(choices), choice_at);
    return parse_fail(parse, node, "%s: \"%s\" is no choice%s; write %s",
                      option_label(option), SHOW(node),
                      parse_hint(nearest, hint), list);
}

static int
value_choice(struct parse *parse, const struct option *option,
             const struct node *node, void *base)
{
    unsigned chosen;

    if (parse_choice(parse, option, node, &chosen) != 0)
        return -1;
    /* Every enum of config.h has the size of this. */
    memcpy(field(base, option->at), &chosen, sizeof(chosen));
    return 0;
}

static int
value_bool(struct parse *parse, const struct option *option,
           const struct node *node, void *base)
{
    bool *truth = field(base, option->at);

    if (parse_scalar(parse, option, node, "true or false") != 0)
        return -1;
    if (text_bool(node->text, truth) != 0)
        return parse_fail(parse, node,
                          "%s: \"%s\" is neither true nor false; write one",
                          option_label(option), SHOW(node));
    return 0;
}

/* The three kinds of figures. */
struct figure {
    const char *what;
    const char *example;
    int (*read)(const char *text, uint64_t *value);
    char *(*show)(uint64_t value, char text[TEXT_FIGURE_MAX]);
};

static char *
count_show(uint64_t value, char text[TEXT_FIGURE_MAX])
{
    snprintf(text, TEXT_FIGURE_MAX, "%llu", (unsigned long long)value);
    return text;
}

static const struct figure figures[OPTION_KINDS] = {
    [OPTION_COUNT] = {"count", "250 or 100k", text_count, count_show},
    [OPTION_SIZE] = {"size", "64k, 1M or 2G", text_size, text_format_size},
    [OPTION_DURATION] = {"duration", "500ms, 10s, 2m or 1h", text_duration,
                         text_format_duration},
};

/* Says what is wrong with a figure that could not be read (rc) or is out of
   the row's range. */
static int
figure_refuse(struct parse *parse, const struct option *option,
              const struct node *node, int rc)
{
    const struct figure *figure = &figures[option->kind];
    const char *or_auto = option_may_be_auto(option) ? "auto, " : "";
    char low[TEXT_FIGURE_MAX], high[TEXT_FIGURE_MAX];
    uint64_t number;

    if (rc != -EINVAL)
        return parse_fail(
            parse, node, "%s: %s is out of range; write %s%s to %s",
            option_label(option), SHOW(node), or_auto,
            figure->show(option->min, low), figure->show(option->max, high));
    if (option->kind == OPTION_DURATION &&
        text_number(node->text, &number) == 0)
        return parse_fail(parse, node,
                          "%s: %s has no unit; write %ss, %sms, %sm or %sh",
                          option_label(option), SHOW(node), SHOW(node),
                          SHOW(node), SHOW(node), SHOW(node));
    return parse_fail(parse, node, "%s: \"%s\" is no %s; write %s%s",
                      option_label(option), SHOW(node), figure->what, or_auto,
                      figure->example);
}

static int
value_figure(struct parse *parse, const struct option *option,
             const struct node *node, void *base)
{
    const struct figure *figure = &figures[option->kind];
    uint64_t *value = field(base, option->at);

    if (parse_scalar(parse, option, node, figure->example) != 0)
        return -1;
    if (option_may_be_auto(option) && strcmp(node->text, "auto") == 0) {
        *value = CONFIG_AUTO;
        return 0;
    }
    int rc = figure->read(node->text, value);
    if (rc == 0 && *value >= option->min && *value <= option->max)
        return 0;
    return figure_refuse(parse, option, node, rc);
}

int
parse_name(struct parse *parse, const struct option *option,
           const struct node *node, char **name)
{
    if (parse_scalar(parse, option, node, "a name") != 0)
        return -1;
    if (node->len == 0 || node->len > 64)
        return parse_fail(parse, node, "%s: wants 1 to 64 octets, not %zu",
                          option_label(option), node->len);
    for (size_t i = 0; i < node->len; i++)
        if (node->text[i] < 0x20 || node->text[i] > 0x7e ||
            strchr("\"\\", node->text[i]))
            return parse_fail(parse, node,
                              "%s: \"%s\" holds what no name may; use "
                              "printable ASCII without quotes and backslash",
                              option_label(option), SHOW(node));
    *name = arena_copy(parse->config->arena, node->text, node->len);
    return *name ? 0 : parse_no_memory(parse);
}

/* The default, an empty one, is filled in by who knows the number. */
static int
value_name(struct parse *parse, const struct option *option,
           const struct node *node, void *base)
{
    if (node->text == option->fallback)
        return 0;
    return parse_name(parse, option, node, field(base, option->at));
}

static int
value_endpoint(struct parse *parse, const struct option *option,
               const struct node *node, void *base)
{
    struct endpoint *at = field(base, option->at);
    const char *example = "127.0.0.1:1080 or \"[::1]:1080\"";

    if (parse_scalar(parse, option, node, example) != 0)
        return -1;
    if (endpoint_parse(node->text, at) != 0)
        return parse_fail(parse, node,
                          "%s: \"%s\" is no address and port; write %s",
                          option_label(option), SHOW(node), example);
    if (at->port == 0)
        return parse_fail(parse, node,
                          "%s: port 0 cannot be listened on; write 1 to "
                          "65535, customary is 1080",
                          option_label(option));
    return 0;
}

static int
value_user(struct parse *parse, const struct option *option,
           const struct node *node, void *base)
{
    if (parse_scalar(parse, option, node, "auto or a user's name") != 0)
        return -1;
    if (strcmp(node->text, "auto") == 0)
        return 0;
    return parse_name(parse, option, node, field(base, option->at));
}

/* An IPv4 address, or the word that means there is none. */
static int
address_read(struct parse *parse, const struct option *option,
             const struct node *node, uint32_t *ip, bool *is_word)
{
    struct addr addr;

    if (parse_scalar(parse, option, node, "an IPv4 address") != 0)
        return -1;
    *is_word = strcmp(node->text, option->fallback) == 0;
    if (*is_word)
        return 0;
    if (addr_parse(node->text, &addr) != 0 || !addr_is_v4(addr) ||
        strchr(node->text, ':'))
        return parse_fail(parse, node,
                          "%s: \"%s\" is no IPv4 address; write %s or one "
                          "such as 192.0.2.1",
                          option_label(option), SHOW(node), option->fallback);
    *ip = addr_to_v4(addr);
    return 0;
}

static int
value_source(struct parse *parse, const struct option *option,
             const struct node *node, void *base)
{
    uint32_t *ip = field(base, option->at);

    if (address_read(parse, option, node, ip, field(base, option->also)) != 0)
        return -1;
    if (*ip == 0 && strcmp(node->text, "0.0.0.0") == 0)
        return parse_fail(parse, node,
                          "%s: 0.0.0.0 is no address of its own; write auto",
                          option_label(option));
    return 0;
}

static int
value_advertise(struct parse *parse, const struct option *option,
                const struct node *node, void *base)
{
    bool *is_set = field(base, option->also);
    bool none;

    if (address_read(parse, option, node, field(base, option->at), &none) != 0)
        return -1;
    *is_set = !none;
    return 0;
}

static int
value_ports(struct parse *parse, const struct option *option,
            const struct node *node, void *base)
{
    uint16_t *first = field(base, option->at);
    uint16_t *last = field(base, option->also);
    const char *example = "0, 40000 or 40000-40999";

    if (parse_scalar(parse, option, node, example) != 0)
        return -1;
    if (strcmp(node->text, "0") == 0)
        return 0;
    if (parse_ports(parse, option, node, first, last) != 0)
        return -1;
    if (*first == 0)
        return parse_fail(parse, node,
                          "%s: port 0 cannot be listened on; write %s",
                          option_label(option), example);
    return 0;
}

/* "stderr", "syslog" or "file:PATH". */
static int
value_target(struct parse *parse, const struct option *option,
             const struct node *node, void *base)
{
    enum config_log_target *target = field(base, option->at);
    char **path = field(base, option->also);
    unsigned chosen;

    if (node->kind != NODE_SCALAR || strncmp(node->text, "file:", 5) != 0) {
        if (parse_choice(parse, option, node, &chosen) != 0)
            return -1;
        *target = (enum config_log_target)chosen;
        return 0;
    }
    if (node->len == 5 || node->len > 4096)
        return parse_fail(
            parse, node, "%s: wants a path behind file:", option_label(option));
    *target = CONFIG_LOG_FILE;
    *path = arena_copy(parse->config->arena, node->text + 5, node->len - 5);
    return *path ? 0 : parse_no_memory(parse);
}

static value_fn *const value_fns[OPTION_KINDS] = {
    [OPTION_BOOL] = value_bool,         [OPTION_CHOICE] = value_choice,
    [OPTION_COUNT] = value_figure,      [OPTION_SIZE] = value_figure,
    [OPTION_DURATION] = value_figure,   [OPTION_NAME] = value_name,
    [OPTION_ENDPOINT] = value_endpoint, [OPTION_USER] = value_user,
    [OPTION_SOURCE] = value_source,     [OPTION_ADVERTISE] = value_advertise,
    [OPTION_PORTS] = value_ports,       [OPTION_SERVERS] = servers_parse,
    [OPTION_TARGET] = value_target,
};

int
value_parse(struct parse *parse, const struct option *option,
            const struct node *node, void *base)
{
    return value_fns[option->kind](parse, option, node, base);
}
