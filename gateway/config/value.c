#include "gateway/config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/listeners.h"

static const char *
value_choice_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

/* off, no, false are one word, and so are on, yes, true. */
static bool
value_same_choice(const char *choice, const char *text)
{
    bool a, b;

    if (strcmp(choice, text) == 0)
        return true;
    return text_bool(choice, &a) == 0 && text_bool(text, &b) == 0 && a == b;
}

int
value_parse_choice(struct parse *parse, const struct option *option,
                   const struct node *node, unsigned *chosen)
{
    char list[128] = "", hint[TEXT_HINT_MAX];
    const char *const *choices = option->choices;
    size_t count = 0, used = 0;

    while (choices[count])
        count++;
    for (size_t i = 0; i < count; i++) /* "a, b or c" */
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 choices[i]);
    if (diag_expect_scalar(parse, option, node, list) != 0)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        if (!value_same_choice(choices[i], node->text))
            continue;
        *chosen = i;
        return 0;
    }
    const char *nearest =
        text_nearest(node->text, choices, count, value_choice_at);
    return diag_value(parse, option, node, "\"%s\" is not a choice%s; write %s",
                      SHOW(node), text_hint(nearest, hint), list);
}

static int
value_choice_parse(struct parse *parse, const struct option *option,
                   const struct node *node, void *base)
{
    unsigned chosen;

    if (value_parse_choice(parse, option, node, &chosen) != 0)
        return -1;
    /* Every enum of config.h has the size of this. */
    memcpy(option_field(base, option->at), &chosen, sizeof(chosen));
    return 0;
}

static void
value_choice_dump(const struct dump *dump, const struct option *option,
                  const void *base)
{
    unsigned chosen;

    memcpy(&chosen, option_field_of(base, option->at), sizeof(chosen));
    fputs(option->choices[chosen], dump->to);
}

const struct option_type type_choice = {
    .parse = value_choice_parse,
    .dump = value_choice_dump,
};

static int
value_bool_parse(struct parse *parse, const struct option *option,
                 const struct node *node, void *base)
{
    static const char *const words[] = {"true",  "yes", "on",
                                        "false", "no",  "off"};
    bool *truth = option_field(base, option->at);
    char hint[TEXT_HINT_MAX];

    if (diag_expect_scalar(parse, option, node, "true or false") != 0)
        return -1;
    if (text_bool(node->text, truth) == 0)
        return 0;
    const char *nearest = text_nearest(node->text, words, 6, value_choice_at);
    return diag_value(parse, option, node,
                      "\"%s\" is neither true nor false%s; write one",
                      SHOW(node), text_hint(nearest, hint));
}

static void
value_bool_dump(const struct dump *dump, const struct option *option,
                const void *base)
{
    const bool *truth = option_field_of(base, option->at);

    fputs(*truth ? "true" : "false", dump->to);
}

const struct option_type type_bool = {
    .parse = value_bool_parse,
    .dump = value_bool_dump,
    .manual = "true or false",
};

/* What people write for "no limit". */
static bool
value_is_never(const char *text)
{
    bool truth;

    return (text_bool(text, &truth) == 0 && !truth) ||
           strcmp(text, "never") == 0 || strcmp(text, "none") == 0 ||
           strcmp(text, "unlimited") == 0;
}

/* Says what is wrong with a figure that could not be read (rc) or is out of
   the row's range. */
static int
value_refuse_figure(struct parse *parse, const struct option *option,
                    const struct node *node, const char *example, int rc)
{
    const struct option_type *type = option->type;
    const char *or_auto = option_may_be_auto(option) ? "auto, " : "";
    char low[TEXT_FIGURE_MAX], high[TEXT_FIGURE_MAX];
    uint64_t number;

    if (rc != -EINVAL)
        return diag_value(parse, option, node,
                          "%s is out of range; write %s%s to %s", SHOW(node),
                          or_auto, type->show(option->min, low),
                          type->show(option->max, high));
    if (type == &type_duration && option->min == 0 &&
        value_is_never(node->text))
        return diag_value(parse, option, node,
                          "\"%s\" is not a duration; write 0 for no limit",
                          SHOW(node));
    if (type == &type_duration && text_number(node->text, &number) == 0)
        return diag_value(
            parse, option, node, "%s has no unit; write %ss, %sms, %sm or %sh",
            SHOW(node), SHOW(node), SHOW(node), SHOW(node), SHOW(node));
    return diag_value(parse, option, node, "\"%s\" is not a %s; write %s%s",
                      SHOW(node), type->manual, or_auto, example);
}

static int
value_figure_parse(struct parse *parse, const struct option *option,
                   const struct node *node, void *base)
{
    const char *example = option->type == &type_count  ? "250 or 100k"
                          : option->type == &type_size ? "64k, 1M or 2G"
                                                       : "500ms, 10s, 2m or 1h";
    uint64_t *value = option_field(base, option->at);

    if (diag_expect_scalar(parse, option, node, example) != 0)
        return -1;
    if (option_may_be_auto(option) && strcmp(node->text, "auto") == 0) {
        *value = CONFIG_AUTO;
        return 0;
    }
    int rc = option->type->read(node->text, value);
    if (rc == 0 && *value >= option->min && *value <= option->max)
        return 0;
    return value_refuse_figure(parse, option, node, example, rc);
}

static void
value_figure_dump(const struct dump *dump, const struct option *option,
                  const void *base)
{
    const uint64_t *value = option_field_of(base, option->at);
    char text[TEXT_FIGURE_MAX];

    if (*value == CONFIG_AUTO && option_may_be_auto(option))
        fputs("auto", dump->to);
    else
        fputs(option->type->show(*value, text), dump->to);
}

static char *
value_show_count(uint64_t value, char text[TEXT_FIGURE_MAX])
{
    snprintf(text, TEXT_FIGURE_MAX, "%" PRIu64, value);
    return text;
}

const struct option_type type_count = {
    .parse = value_figure_parse,
    .dump = value_figure_dump,
    .manual = "count",
    .read = text_count,
    .show = value_show_count,
};

const struct option_type type_size = {
    .parse = value_figure_parse,
    .dump = value_figure_dump,
    .manual = "size",
    .read = text_size,
    .show = text_format_size,
};

const struct option_type type_duration = {
    .parse = value_figure_parse,
    .dump = value_figure_dump,
    .manual = "duration",
    .read = text_duration,
    .show = text_format_duration,
};

/* Printable, neither " nor \, at most 64 octets. */
static int
value_copy_name(struct parse *parse, const struct option *option,
                const struct node *node, char **name)
{
    if (diag_expect_scalar(parse, option, node, "a name") != 0)
        return -1;
    if (node->len == 0 || node->len > 64)
        return diag_value(parse, option, node, "wants 1 to 64 octets, not %zu",
                          node->len);
    for (size_t i = 0; i < node->len; i++)
        if (node->text[i] < 0x20 || node->text[i] > 0x7e ||
            strchr("\"\\", node->text[i]))
            return diag_value(parse, option, node,
                              "\"%s\" holds a character that is not allowed; "
                              "use printable ASCII without quotes and "
                              "backslash",
                              SHOW(node));
    *name = arena_copy(parse->config->arena, node->text, node->len);
    return *name ? 0 : diag_no_memory(parse);
}

/* The default is empty: the list that has the number fills it in. */
static int
value_name_parse(struct parse *parse, const struct option *option,
                 const struct node *node, void *base)
{
    if (node->text == option->fallback)
        return 0;
    return value_copy_name(parse, option, node, option_field(base, option->at));
}

static void
value_name_dump(const struct dump *dump, const struct option *option,
                const void *base)
{
    char *const *text = option_field_of(base, option->at);

    if (*text)
        dump_text(dump, *text);
    else
        fputs(option->fallback, dump->to);
}

const struct option_type type_name = {
    .parse = value_name_parse,
    .dump = value_name_dump,
    .manual = "name",
};

static int
value_user_parse(struct parse *parse, const struct option *option,
                 const struct node *node, void *base)
{
    if (diag_expect_scalar(parse, option, node, "auto or a user's name") != 0)
        return -1;
    if (strcmp(node->text, "auto") == 0)
        return 0;
    if (strchr(node->text, ':'))
        return diag_value(parse, option, node,
                          "\"%s\" is not a user's name; write one without a "
                          "group, such as nobody",
                          SHOW(node));
    parse->config->user_line = node->line;
    parse->config->user_column = node->column;
    return value_copy_name(parse, option, node, option_field(base, option->at));
}

const struct option_type type_user = {
    .parse = value_user_parse,
    .dump = value_name_dump,
    .manual = "auto or user",
};

static int
value_group_parse(struct parse *parse, const struct option *option,
                  const struct node *node, void *base)
{
    if (diag_expect_scalar(parse, option, node, "none or a group's name") != 0)
        return -1;
    if (strcmp(node->text, "none") == 0)
        return 0;
    return value_copy_name(parse, option, node, option_field(base, option->at));
}

const struct option_type type_group = {
    .parse = value_group_parse,
    .dump = value_name_dump,
    .manual = "none or group",
};

/* An address and port with what the text has of them. */
static void
value_endpoint_example(const struct option *option, const char *text,
                       char example[80])
{
    const char *port = option->type == &type_endpoint_or_off ? "9180" : "1080";
    const char *colon = strrchr(text, ':');
    int head = colon != NULL && strlen(colon) > 3 ? (int)(colon - text) : 0;
    struct endpoint at;
    struct addr addr;

    snprintf(example, 80, "127.0.0.1:%.6s", text + (*text == ':'));
    if (endpoint_parse(example, &at) == 0)
        return;
    /* ::1:1080, in quotation marks as YAML wants them */
    snprintf(example, 80, "\"[%.*s]%.6s", head < 46 ? head : 0, text,
             colon != NULL ? colon : "");
    if (endpoint_parse(example + 1, &at) == 0)
        strcat(example, "\"");
    else if (addr_parse(text, &addr) != 0)
        snprintf(example, 80, "127.0.0.1:%s or \"[::1]:%s\"", port, port);
    else if (colon != NULL)
        snprintf(example, 80, "\"[%.45s]:%s\"", text, port);
    else
        snprintf(example, 80, "%.45s:%s", text, port);
}

static int
value_endpoint_parse(struct parse *parse, const struct option *option,
                     const struct node *node, void *base)
{
    struct endpoint *at = option_field(base, option->at);
    char example[80];

    value_endpoint_example(option, node->text != NULL ? node->text : "",
                           example);
    if (diag_expect_scalar(parse, option, node, example) != 0)
        return -1;
    if (endpoint_parse(node->text, at) != 0)
        return diag_value(parse, option, node,
                          "\"%s\" is not an address and port; write %s",
                          SHOW(node), example);
    if (at->port == 0)
        return diag_value(parse, option, node,
                          "port 0 cannot be listened on; write 1 to 65535, "
                          "customary is 1080");
    return 0;
}

static void
value_endpoint_dump(const struct dump *dump, const struct option *option,
                    const void *base)
{
    char text[ENDPOINT_TEXT_MAX];

    fprintf(dump->to, "\"%s\"",
            endpoint_format(option_field_of(base, option->at), text));
}

const struct option_type type_endpoint = {
    .parse = value_endpoint_parse,
    .dump = value_endpoint_dump,
    .manual = "ADDRESS:PORT",
};

static bool
value_is_off(const struct node *node)
{
    bool on;

    return node->kind == NODE_SCALAR && text_bool(node->text, &on) == 0 && !on;
}

/* Whether one of the two could not be opened beside the other. */
static bool
value_is_taken(const struct endpoint *one, const struct endpoint *other)
{
    return endpoint_equal(one, other) || listener_is_covered(*one, *other);
}

/* An address that is not one of the clients', or of the other one of these. */
static int
value_endpoint_or_off_parse(struct parse *parse, const struct option *option,
                            const struct node *node, void *base)
{
    const struct config *config = parse->config;
    const struct endpoint *at = option_field(base, option->at);

    if (value_is_off(node))
        return 0;
    if (value_endpoint_parse(parse, option, node, base) != 0)
        return -1;
    for (size_t i = 0; i < config->listener_count; i++)
        if (value_is_taken(at, &config->listeners[i].at))
            return diag_value(parse, option, node,
                              "%s is taken by the listener \"%s\"; choose "
                              "another port",
                              SHOW(node), config->listeners[i].name);
    if (at != &config->observe.address &&
        value_is_taken(at, &config->observe.address))
        return diag_value(parse, option, node,
                          "%s is taken by observe.address; choose another port",
                          SHOW(node));
    return 0;
}

static void
value_endpoint_or_off_dump(const struct dump *dump, const struct option *option,
                           const void *base)
{
    const struct endpoint *at = option_field_of(base, option->at);

    if (at->port == 0)
        fputs("off", dump->to);
    else
        value_endpoint_dump(dump, option, base);
}

const struct option_type type_endpoint_or_off = {
    .parse = value_endpoint_or_off_parse,
    .dump = value_endpoint_or_off_dump,
    .manual = "off or ADDRESS:PORT",
};

/* An IPv4 address, or the word that means there is none. */
static int
value_read_address(struct parse *parse, const struct option *option,
                   const struct node *node, uint32_t *ip, bool *is_word)
{
    struct addr addr;

    if (diag_expect_scalar(parse, option, node, "an IPv4 address") != 0)
        return -1;
    *is_word = strcmp(node->text, option->fallback) == 0;
    if (*is_word)
        return 0;
    if (addr_parse(node->text, &addr) != 0 || !addr_is_v4(addr) ||
        strchr(node->text, ':'))
        return diag_value(parse, option, node,
                          "\"%s\" is not an IPv4 address; write %s or one "
                          "such as 192.0.2.1",
                          SHOW(node), option->fallback);
    *ip = addr_to_v4(addr);
    return 0;
}

static void
value_dump_address(const struct dump *dump, const struct option *option,
                   const void *base, bool has_address)
{
    const uint32_t *ip = option_field_of(base, option->at);
    char text[ADDR_TEXT_MAX];

    fputs(has_address ? addr_format(addr_v4(*ip), text) : option->fallback,
          dump->to);
}

static int
value_source_parse(struct parse *parse, const struct option *option,
                   const struct node *node, void *base)
{
    uint32_t *ip = option_field(base, option->at);
    bool *is_auto = option_field(base, option->also);

    if (value_read_address(parse, option, node, ip, is_auto) != 0)
        return -1;
    if (*ip == 0 && strcmp(node->text, "0.0.0.0") == 0)
        return diag_value(parse, option, node,
                          "0.0.0.0 is not an address of a machine; write auto");
    return 0;
}

static void
value_source_dump(const struct dump *dump, const struct option *option,
                  const void *base)
{
    const bool *is_auto = option_field_of(base, option->also);

    value_dump_address(dump, option, base, !*is_auto);
}

const struct option_type type_source = {
    .parse = value_source_parse,
    .dump = value_source_dump,
    .manual = "auto or IPv4 address",
};

static int
value_advertise_parse(struct parse *parse, const struct option *option,
                      const struct node *node, void *base)
{
    bool *is_set = option_field(base, option->also);
    bool none;

    if (value_read_address(parse, option, node, option_field(base, option->at),
                           &none) != 0)
        return -1;
    *is_set = !none;
    return 0;
}

static void
value_advertise_dump(const struct dump *dump, const struct option *option,
                     const void *base)
{
    const bool *is_set = option_field_of(base, option->also);

    value_dump_address(dump, option, base, *is_set);
}

const struct option_type type_advertise = {
    .parse = value_advertise_parse,
    .dump = value_advertise_dump,
    .manual = "none or IPv4 address",
};

int
value_parse_ports(struct parse *parse, const struct option *option,
                  const struct node *node, uint16_t *first, uint16_t *last)
{
    char head[8] = "";
    uint64_t low, high;

    if (diag_expect_scalar(parse, option, node, "80 or 8000-8100") != 0)
        return -1;
    const char *dash = strchr(node->text, '-');
    size_t len = dash ? (size_t)(dash - node->text) : node->len;
    if (len < sizeof(head))
        memcpy(head, node->text, len);
    if (text_number(head, &low) != 0 || low > UINT16_MAX ||
        text_number(dash ? dash + 1 : head, &high) != 0 || high > UINT16_MAX)
        return diag_value(parse, option, node,
                          "\"%s\" is neither a port (0 to 65535) nor a range; "
                          "write 80 or 8000-8100",
                          SHOW(node));
    if (high < low)
        return diag_value(parse, option, node,
                          "the range %s is reversed; write %u-%u", node->text,
                          (unsigned)high, (unsigned)low);
    *first = (uint16_t)low;
    *last = (uint16_t)high;
    return 0;
}

void
value_dump_ports(const struct dump *dump, uint16_t first, uint16_t last)
{
    fprintf(dump->to, first == last ? "%u" : "%u-%u", first, last);
}

#define PRIVILEGED_PORTS 1024

static int
value_ports_parse(struct parse *parse, const struct option *option,
                  const struct node *node, void *base)
{
    uint16_t *first = option_field(base, option->at);
    uint16_t *last = option_field(base, option->also);
    const char *example = "0, 40000 or 40000-40999";

    if (diag_expect_scalar(parse, option, node, example) != 0)
        return -1;
    if (strcmp(node->text, "0") == 0)
        return 0;
    if (value_parse_ports(parse, option, node, first, last) != 0)
        return -1;
    if (*first == 0)
        return diag_value(parse, option, node,
                          "port 0 cannot be listened on; write %s", example);
    if (*first < PRIVILEGED_PORTS)
        diag_warn(parse, node,
                  "%s: the workers have no privilege, and ports below %d need "
                  "one unless sysctl net.ipv4.ip_unprivileged_port_start is "
                  "lower; write %s",
                  option_label(option), PRIVILEGED_PORTS, example);
    return 0;
}

static void
value_ports_dump(const struct dump *dump, const struct option *option,
                 const void *base)
{
    const uint16_t *first = option_field_of(base, option->at);
    const uint16_t *last = option_field_of(base, option->also);

    value_dump_ports(dump, *first, *last);
}

const struct option_type type_ports = {
    .parse = value_ports_parse,
    .dump = value_ports_dump,
    .manual = "0, PORT or PORT-PORT",
};

#define DNS_PORT 53

static int
value_servers_parse(struct parse *parse, const struct option *option,
                    const struct node *list, void *base)
{
    struct config *config = base;
    const char *example = "[192.0.2.53, \"192.0.2.53:5353\"]";
    int rc = 0;

    if (diag_expect_list(parse, option, list, example) != 0)
        return -1;
    if (list->count > CONFIG_SERVERS_MAX)
        return diag_value(parse, option, list, "%zu servers; at most %d",
                          list->count, CONFIG_SERVERS_MAX);
    config->resolver_servers = arena_take(config->arena, list->count,
                                          sizeof(*config->resolver_servers));
    if (!config->resolver_servers)
        return diag_no_memory(parse);
    for (const struct node *node = list->first; node; node = node->next) {
        struct endpoint *at =
            &config->resolver_servers[config->resolver_server_count++];
        at->port = DNS_PORT;
        if (diag_expect_scalar(parse, option, node, example) != 0)
            rc = -1;
        else if (addr_parse(node->text, &at->addr) != 0 &&
                 (endpoint_parse(node->text, at) != 0 || at->port == 0))
            rc = diag_value(parse, option, node,
                            "\"%s\" is not an address; write %s", SHOW(node),
                            example);
    }
    return rc;
}

static void
value_servers_dump(const struct dump *dump, const struct option *option,
                   const void *base)
{
    const struct config *config = base;
    char text[ENDPOINT_TEXT_MAX];

    (void)option;
    fputc('[', dump->to);
    for (size_t i = 0; i < config->resolver_server_count; i++)
        fprintf(dump->to, "%s\"%s\"", i ? ", " : "",
                endpoint_format(&config->resolver_servers[i], text));
    fputc(']', dump->to);
}

const struct option_type type_servers = {
    .parse = value_servers_parse,
    .dump = value_servers_dump,
    .manual = "list of addresses",
};

/* "stderr", "syslog" or "file:PATH". */
static int
value_target_parse(struct parse *parse, const struct option *option,
                   const struct node *node, void *base)
{
    enum config_log_target *target = option_field(base, option->at);
    char **path = option_field(base, option->also);
    unsigned chosen;

    if (node->kind == NODE_SCALAR && strchr(node->text, '/') &&
        strncmp(node->text, "file:", 5) != 0)
        return diag_value(parse, option, node,
                          "\"%s\" is a path; write \"file:%s\"", SHOW(node),
                          SHOW(node));
    if (node->kind != NODE_SCALAR || strncmp(node->text, "file:", 5) != 0) {
        if (value_parse_choice(parse, option, node, &chosen) != 0)
            return -1;
        *target = (enum config_log_target)chosen;
        return 0;
    }
    if (node->len == 5 || node->len > 4096)
        return diag_value(parse, option, node, "wants a path behind file:");
    if (diag_expect_path(parse, option, node) != 0)
        return -1;
    *target = CONFIG_LOG_FILE;
    *path = arena_copy(parse->config->arena, node->text + 5, node->len - 5);
    return *path ? 0 : diag_no_memory(parse);
}

static void
value_target_dump(const struct dump *dump, const struct option *option,
                  const void *base)
{
    const enum config_log_target *target = option_field_of(base, option->at);
    char *const *path = option_field_of(base, option->also);

    if (*target != CONFIG_LOG_FILE) {
        fputs(option->choices[*target], dump->to);
        return;
    }
    fputs("\"file:", dump->to);
    dump_octets(dump, *path, strlen(*path));
    fputc('"', dump->to);
}

const struct option_type type_target = {
    .parse = value_target_parse,
    .dump = value_target_dump,
};

/* "auto", "off" or a path. */
static int
value_control_parse(struct parse *parse, const struct option *option,
                    const struct node *node, void *base)
{
    enum config_control *control = option_field(base, option->at);
    char **path = option_field(base, option->also);
    unsigned chosen;

    if (node->kind != NODE_SCALAR || strcmp(node->text, "auto") == 0 ||
        value_is_off(node)) {
        if (value_parse_choice(parse, option, node, &chosen) != 0)
            return -1;
        *control = (enum config_control)chosen;
        return 0;
    }
    if (node->len > CONFIG_CONTROL_PATH_MAX || node->text[0] != '/')
        return diag_value(parse, option, node,
                          "wants auto, off or a path that begins with / and "
                          "has at most %d octets",
                          CONFIG_CONTROL_PATH_MAX);
    if (diag_expect_path(parse, option, node) != 0)
        return -1;
    *control = CONFIG_CONTROL_PATH;
    *path = arena_copy(parse->config->arena, node->text, node->len);
    return *path ? 0 : diag_no_memory(parse);
}

static void
value_control_dump(const struct dump *dump, const struct option *option,
                   const void *base)
{
    const enum config_control *control = option_field_of(base, option->at);
    char *const *path = option_field_of(base, option->also);

    if (*control == CONFIG_CONTROL_PATH)
        dump_text(dump, *path);
    else
        fputs(option->choices[*control], dump->to);
}

const struct option_type type_control = {
    .parse = value_control_parse,
    .dump = value_control_dump,
    .manual = "auto, off or path",
};
