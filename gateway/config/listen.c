#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config/parse.h"

static bool
is_loopback(struct addr addr)
{
    if (addr_is_v4(addr))
        return addr_to_v4(addr) >> 24 == 127;
    return addr.hi == 0 && addr.lo == 1;
}

static const struct node *
address_of(const struct node *map)
{
    const struct node *key = map->first;

    while (strcmp(key->text, "address") != 0)
        key = key->next->next;
    return key->next;
}

static int
listener_check(struct parse *parse, const struct node *map,
               const struct config_listener *listener)
{
    const struct config_listener *all = parse->config->listeners;
    char text[ENDPOINT_TEXT_MAX];

    endpoint_format(&listener->at, text);
    /* Without TLS around it the protocol hides nothing (draft, C.5). */
    if (!is_loopback(listener->at.addr) && !listener->insecure_plaintext)
        return parse_fail(parse, address_of(map),
                          "address: %s is not on loopback, and everything "
                          "would pass it readable; if that is meant, add "
                          "insecure_plaintext: true",
                          text);
    for (const struct config_listener *other = all; other < listener; other++) {
        if (strcmp(other->name, listener->name) == 0)
            return parse_fail(parse, map,
                              "name: duplicate listener \"%s\"; use another",
                              other->name);
        if (addr_equal(other->at.addr, listener->at.addr) &&
            other->at.port == listener->at.port)
            return parse_fail(parse, address_of(map),
                              "address: duplicate, %s is \"%s\" already; "
                              "remove one",
                              text, other->name);
    }
    return 0;
}

static int
listener_name(struct config *config, struct config_listener *listener,
              size_t number)
{
    char name[32];
    int len = snprintf(name, sizeof(name), "listener-%zu", number);

    if (!listener->name)
        listener->name = arena_copy(config->arena, name, (size_t)len);
    return listener->name ? 0 : -1;
}

static int
listener_parse(struct parse *parse, const struct node *map)
{
    struct config *config = parse->config;
    struct config_listener *listener =
        &config->listeners[config->listener_count++];

    if (map->kind != NODE_MAP)
        return parse_fail(parse, map,
                          "listen: each is a mapping; write - address: "
                          "127.0.0.1:1080");
    if (parse_section(parse, map, map, "listen[].", listener) != 0)
        return -1;
    if (listener_name(config, listener, config->listener_count) != 0)
        return parse_no_memory(parse);
    return listener_check(parse, map, listener);
}

/* What a file without `listen` gets: 127.0.0.1:1080 [V4-D.4-1]. */
static int
listener_default(struct parse *parse)
{
    struct config *config = parse->config;

    config->listeners =
        arena_take(config->arena, 1, sizeof(*config->listeners));
    if (!config->listeners)
        return parse_no_memory(parse);
    config->listener_count = 1;
    config->listeners->at.addr = addr_v4(0x7f000001);
    config->listeners->at.port = 1080;
    config->listeners->name = arena_copy(config->arena, "local", 5);
    return config->listeners->name ? 0 : parse_no_memory(parse);
}

int
listeners_publish(struct config *config)
{
    struct policy *policy = &config->policy;

    policy->listeners = arena_take(config->arena, config->listener_count,
                                   sizeof(*policy->listeners));
    if (!policy->listeners)
        return -ENOMEM;
    policy->listener_count = config->listener_count;
    for (size_t i = 0; i < config->listener_count; i++)
        policy->listeners[i] = config->listeners[i].at;
    return 0;
}

int
listeners_parse(struct parse *parse, const struct option *option,
                const struct node *list, void *base)
{
    struct config *config = base;

    if (!list)
        return listener_default(parse);
    if (parse_list(parse, option, list, "- address: 127.0.0.1:1080") != 0)
        return -1;
    if (list->count == 0)
        return parse_fail(parse, list,
                          "listen: names nothing; write - address: "
                          "127.0.0.1:1080");
    if (list->count > CONFIG_LISTENERS_MAX)
        return parse_fail(parse, list, "listen: %zu listeners; at most %d",
                          list->count, CONFIG_LISTENERS_MAX);
    config->listeners =
        arena_take(config->arena, list->count, sizeof(*config->listeners));
    if (!config->listeners)
        return parse_no_memory(parse);
    for (const struct node *map = list->first; map; map = map->next)
        if (listener_parse(parse, map) != 0)
            return -1;
    return 0;
}

#define DNS_PORT 53

int
servers_parse(struct parse *parse, const struct option *option,
              const struct node *list, void *base)
{
    struct config *config = base;
    const char *example = "[192.0.2.53, \"192.0.2.53:5353\"]";

    if (parse_list(parse, option, list, example) != 0)
        return -1;
    if (list->count > CONFIG_SERVERS_MAX)
        return parse_fail(parse, list, "%s: %zu servers; at most %d",
                          option_label(option), list->count,
                          CONFIG_SERVERS_MAX);
    config->resolver_servers = arena_take(config->arena, list->count,
                                          sizeof(*config->resolver_servers));
    if (!config->resolver_servers)
        return parse_no_memory(parse);
    for (const struct node *node = list->first; node; node = node->next) {
        struct endpoint *at =
            &config->resolver_servers[config->resolver_server_count++];
        if (parse_scalar(parse, option, node, example) != 0)
            return -1;
        at->port = DNS_PORT;
        if (addr_parse(node->text, &at->addr) != 0 &&
            (endpoint_parse(node->text, at) != 0 || at->port == 0))
            return parse_fail(parse, node, "%s: \"%s\" is no address; write %s",
                              option_label(option), SHOW(node), example);
    }
    return 0;
}

static int __attribute__((format(printf, 2, 3)))
override_fail(struct config_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

static int
override_parse(const char *text, struct endpoint *at,
               struct config_error *error)
{
    if (endpoint_parse(text, at) != 0 || at->port == 0)
        return override_fail(error,
                             "-l %.60s: no address and port; write "
                             "127.0.0.1:1080 or [::1]:1080",
                             text);
    if (!is_loopback(at->addr))
        return override_fail(error,
                             "-l %.60s: not on loopback, and everything would "
                             "pass it readable; if that is meant, put it into "
                             "a file with insecure_plaintext: true",
                             text);
    return 0;
}

/* Rules name listeners by number, so those must stay what they were. */
static int
override_check_rules(const struct config *config, struct config_error *error)
{
    for (size_t i = 0; i < config->policy.rule_count; i++)
        if (config->policy.rules[i].listeners)
            return override_fail(error,
                                 "-l: replaces the listeners, but rule \"%s\" "
                                 "names one; change the file instead",
                                 config->policy.rules[i].name);
    return 0;
}

static int
override_fill(struct config *config, struct config_listener *listeners,
              const char *const *at, size_t count, struct config_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (override_parse(at[i], &listeners[i].at, error) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (addr_equal(listeners[j].at.addr, listeners[i].at.addr) &&
                listeners[j].at.port == listeners[i].at.port)
                return override_fail(error, "-l %.60s: given twice", at[i]);
        if (listener_name(config, &listeners[i], i + 1) != 0)
            return override_fail(error, "-l: out of memory");
    }
    return 0;
}

int
config_set_listeners(struct config *config, const char *const *at, size_t count,
                     bool socks4a, struct config_error *error)
{
    if (count == 0 && socks4a && config->file)
        return override_fail(error, "--socks4a: is for -l and the built-in "
                                    "default; write socks4a: true into the "
                                    "file instead");
    if (count == 0) {
        for (size_t i = 0; socks4a && i < config->listener_count; i++)
            config->listeners[i].socks4a = CONFIG_4A_ON;
        return 0;
    }
    if (count > CONFIG_LISTENERS_MAX)
        return override_fail(error, "-l: at most %d", CONFIG_LISTENERS_MAX);
    if (override_check_rules(config, error) != 0)
        return -1;
    struct config_listener *listeners =
        arena_take(config->arena, count, sizeof(*listeners));
    if (!listeners)
        return override_fail(error, "-l: out of memory");
    if (override_fill(config, listeners, at, count, error) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        listeners[i].socks4a = socks4a ? CONFIG_4A_ON : CONFIG_4A_OFF;
    config->listeners = listeners;
    config->listener_count = count;
    if (listeners_publish(config) != 0)
        return override_fail(error, "-l: out of memory");
    return 0;
}
