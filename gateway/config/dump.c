#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config/config.h"
#include "gateway/config/option.h"
#include "socks4/codec.h"

struct dump {
    FILE *to;
    const struct config *config;
};

typedef void dump_fn(const struct dump *dump, const struct option *option,
                     const void *base);

static const void *
field(const void *base, size_t at)
{
    return (const char *)base + at;
}

/* For between quotes: ASCII only, nothing that YAML could mistake. */
static void
dump_octets(const struct dump *dump, const char *text, size_t len)
{
    uint32_t c;

    for (size_t at = 0; at < len; at += text_utf8_char(text + at, &c)) {
        text_utf8_char(text + at, &c);
        if (c == '"' || c == '\\')
            fprintf(dump->to, "\\%c", (char)c);
        else if (c >= 0x20 && c <= 0x7e)
            fputc((int)c, dump->to);
        else
            fprintf(dump->to, "\\U%08" PRIX32, c);
    }
}

static void
dump_text(const struct dump *dump, const char *text)
{
    fputc('"', dump->to);
    dump_octets(dump, text, strlen(text));
    fputc('"', dump->to);
}

static void
dump_texts(const struct dump *dump, char *const *texts, size_t count)
{
    fputc('[', dump->to);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", dump->to);
        dump_text(dump, texts[i]);
    }
    fputc(']', dump->to);
}

static void
dump_bool(const struct dump *dump, const struct option *option,
          const void *base)
{
    const bool *truth = field(base, option->at);

    fputs(*truth ? "true" : "false", dump->to);
}

static void
dump_choice(const struct dump *dump, const struct option *option,
            const void *base)
{
    unsigned chosen;

    memcpy(&chosen, field(base, option->at), sizeof(chosen));
    fputs(option->choices[chosen], dump->to);
}

static void
dump_figure(const struct dump *dump, const struct option *option,
            const void *base)
{
    const uint64_t *value = field(base, option->at);
    char text[TEXT_FIGURE_MAX];

    if (*value == CONFIG_AUTO && option_may_be_auto(option))
        fputs("auto", dump->to);
    else if (option->kind == OPTION_DURATION)
        fputs(text_format_duration(*value, text), dump->to);
    else if (option->kind == OPTION_SIZE)
        fputs(text_format_size(*value, text), dump->to);
    else
        fprintf(dump->to, "%" PRIu64, *value);
}

static void
dump_name(const struct dump *dump, const struct option *option,
          const void *base)
{
    char *const *text = field(base, option->at);

    if (*text)
        dump_text(dump, *text);
    else
        fputs(option->fallback, dump->to);
}

static void
dump_endpoint(const struct dump *dump, const struct option *option,
              const void *base)
{
    char text[ENDPOINT_TEXT_MAX];

    fprintf(dump->to, "\"%s\"", endpoint_format(field(base, option->at), text));
}

static void
dump_address(const struct dump *dump, const struct option *option,
             const void *base)
{
    const uint32_t *ip = field(base, option->at);
    const bool *flag = field(base, option->also);
    bool has_address = (option->kind == OPTION_SOURCE) != *flag;
    char text[ADDR_TEXT_MAX];

    fputs(has_address ? addr_format(addr_v4(*ip), text) : option->fallback,
          dump->to);
}

static void
dump_range(const struct dump *dump, uint16_t first, uint16_t last)
{
    fprintf(dump->to, first == last ? "%u" : "%u-%u", first, last);
}

static void
dump_ports(const struct dump *dump, const struct option *option,
           const void *base)
{
    const uint16_t *first = field(base, option->at);
    const uint16_t *last = field(base, option->also);

    dump_range(dump, *first, *last);
}

static void
dump_servers(const struct dump *dump, const struct option *option,
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

static void
dump_target(const struct dump *dump, const struct option *option,
            const void *base)
{
    const enum config_log_target *target = field(base, option->at);
    char *const *path = field(base, option->also);

    if (*target != CONFIG_LOG_FILE) {
        fputs(option->choices[*target], dump->to);
        return;
    }
    fputs("\"file:", dump->to);
    dump_octets(dump, *path, strlen(*path));
    fputc('"', dump->to);
}

static void
dump_action(const struct dump *dump, const struct option *option,
            const void *base)
{
    const bool *allow = field(base, option->at);

    fputs(option->choices[*allow], dump->to);
}

static void
dump_from(const struct dump *dump, const struct option *option,
          const void *base)
{
    const struct rule *rule = base;

    (void)option;
    dump_texts(dump, rule->from_text, rule->from_text_count);
}

static void
dump_to(const struct dump *dump, const struct option *option, const void *base)
{
    const struct rule *rule = base;

    (void)option;
    dump_texts(dump, rule->to_text, rule->to_text_count);
}

static void
dump_rule_listeners(const struct dump *dump, const struct option *option,
                    const void *base)
{
    const struct rule *rule = base;
    const struct config *config = dump->config;
    const char *separator = "";

    (void)option;
    fputc('[', dump->to);
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!(rule->listeners >> i & 1))
            continue;
        fputs(separator, dump->to);
        dump_text(dump, config->listeners[i].name);
        separator = ", ";
    }
    fputc(']', dump->to);
}

static void
dump_commands(const struct dump *dump, const struct option *option,
              const void *base)
{
    static const char *const names[] = {"", "connect", "bind", "connect, bind"};
    const struct rule *rule = base;

    (void)option;
    fprintf(dump->to, "[%s]", names[rule->commands >> SOCKS4_CONNECT & 3]);
}

static void
dump_rule_ports(const struct dump *dump, const struct option *option,
                const void *base)
{
    const struct rule *rule = base;

    (void)option;
    fputc('[', dump->to);
    for (size_t i = 0; i < rule->port_count; i++) {
        fputs(i ? ", " : "", dump->to);
        dump_range(dump, rule->ports[i].first, rule->ports[i].last);
    }
    fputc(']', dump->to);
}

static void
dump_userids(const struct dump *dump, const struct option *option,
             const void *base)
{
    const struct rule *rule = base;

    (void)option;
    fputc('[', dump->to);
    for (size_t i = 0; i < rule->user_count; i++) {
        const struct rule_word *word = &rule->users[i];
        fputs(i ? ", \"" : "\"", dump->to);
        dump_octets(dump, word->text, word->len);
        fputs(word->prefix ? "*\"" : "\"", dump->to);
    }
    fputc(']', dump->to);
}

static void
dump_peer(const struct dump *dump, const struct option *option,
          const void *base)
{
    const struct rule *rule = base;

    if (rule->peer == RULE_PEER_NETS)
        dump_texts(dump, rule->peer_text, rule->peer_text_count);
    else
        fputs(option->choices[rule->peer], dump->to);
}

static dump_fn *const dump_fns[OPTION_KINDS] = {
    [OPTION_BOOL] = dump_bool,
    [OPTION_CHOICE] = dump_choice,
    [OPTION_COUNT] = dump_figure,
    [OPTION_SIZE] = dump_figure,
    [OPTION_DURATION] = dump_figure,
    [OPTION_NAME] = dump_name,
    [OPTION_ENDPOINT] = dump_endpoint,
    [OPTION_USER] = dump_name,
    [OPTION_SOURCE] = dump_address,
    [OPTION_ADVERTISE] = dump_address,
    [OPTION_PORTS] = dump_ports,
    [OPTION_SERVERS] = dump_servers,
    [OPTION_TARGET] = dump_target,
    [OPTION_ACTION] = dump_action,
    [OPTION_FROM] = dump_from,
    [OPTION_TO] = dump_to,
    [OPTION_RULE_LISTENERS] = dump_rule_listeners,
    [OPTION_COMMANDS] = dump_commands,
    [OPTION_RULE_PORTS] = dump_rule_ports,
    [OPTION_USERIDS] = dump_userids,
    [OPTION_PEER] = dump_peer,
};

/* What `auto` comes to here, behind the value. */
static void
dump_computed(const struct dump *dump, const struct option *option)
{
    static const struct {
        const char *path;
        uint64_t (*figure)(const struct config *config);
        const char *unit;
    } computed[] = {
        {"workers", config_workers, ""},
        {"limits.sessions", config_sessions, ""},
        {"limits.pending", config_pending, ""},
        {"limits.memory", config_memory, " octets"},
    };

    for (size_t i = 0; i < sizeof(computed) / sizeof(computed[0]); i++)
        if (strcmp(computed[i].path, option->path) == 0)
            fprintf(dump->to, " # %" PRIu64 "%s",
                    computed[i].figure(dump->config), computed[i].unit);
    if (strcmp(option->path, "workers") == 0)
        fprintf(dump->to, ", each of %" PRIu64 " descriptors",
                config_descriptors());
}

static void dump_section(const struct dump *dump, const char *prefix,
                         const void *base, const char *indent);

static void
dump_sets(const struct dump *dump)
{
    const struct config *config = dump->config;

    fputs(config->set_count ? "\n" : " {}\n", dump->to);
    for (size_t i = 0; i < config->set_count; i++) {
        fprintf(dump->to, "  %s: ", config->sets[i].name);
        dump_texts(dump, config->sets[i].members, config->sets[i].member_count);
        fputc('\n', dump->to);
    }
}

static void
dump_listeners(const struct dump *dump)
{
    fputc('\n', dump->to);
    for (size_t i = 0; i < dump->config->listener_count; i++)
        dump_section(dump, "listen[].", &dump->config->listeners[i], "  - ");
}

static void
dump_rules(const struct dump *dump)
{
    fputs(dump->config->policy.rule_count ? "\n" : " []\n", dump->to);
    for (size_t i = 0; i < dump->config->policy.rule_count; i++)
        dump_section(dump, "rules[].", &dump->config->policy.rules[i], "  - ");
}

static void
dump_row(const struct dump *dump, const struct option *option, const void *base,
         const char *indent)
{
    char below[64];

    fprintf(dump->to, "%s%s:", indent, option_key(option));
    switch (option->kind) {
    case OPTION_SECTION:
        fputc('\n', dump->to);
        snprintf(below, sizeof(below), "%s.", option->path);
        dump_section(dump, below, base, strlen(indent) ? "    " : "  ");
        break;
    case OPTION_LISTENERS:
        dump_listeners(dump);
        break;
    case OPTION_SETS:
        dump_sets(dump);
        break;
    case OPTION_RULES:
        dump_rules(dump);
        break;
    default:
        fputc(' ', dump->to);
        dump_fns[option->kind](dump, option, base);
        dump_computed(dump, option);
        fputc('\n', dump->to);
    }
}

/* A list's member has its dash before the first row. */
static void
dump_section(const struct dump *dump, const char *prefix, const void *base,
             const char *indent)
{
    for (size_t i = 0; i < option_count; i++) {
        if (!option_within(&options[i], prefix))
            continue;
        dump_row(dump, &options[i], base, indent);
        if (strcmp(indent, "  - ") == 0)
            indent = "    ";
    }
}

int
config_dump(const struct config *config, FILE *to)
{
    struct dump dump = {.to = to, .config = config};

    dump_section(&dump, "", config, "");
    return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}
