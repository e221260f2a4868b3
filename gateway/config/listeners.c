#include "gateway/config/listeners.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config/diag.h"
#include "gateway/config/section.h"

static bool
listener_is_loopback(struct addr addr)
{
    if (addr_is_v4(addr))
        return addr_to_v4(addr) >> 24 == 127;
    return addr.hi == 0 && addr.lo == 1;
}

bool
listener_is_covered(struct endpoint one, struct endpoint other)
{
    bool is_v4 = addr_is_v4(one.addr);
    struct addr any = is_v4 ? addr_v4(0) : (struct addr){0};

    return one.port == other.port && is_v4 == addr_is_v4(other.addr) &&
           (addr_equal(one.addr, any) || addr_equal(other.addr, any));
}

/* What a header says of client certificates, and what is asked of them. */
static int
listener_check_certificates(struct parse *parse, const struct node *map,
                            const struct config_listener *listener)
{
    const struct config_tls *tls = listener->tls;

    if (listener->proxy_certificate && listener->proxy_protocol.nets.count == 0)
        return diag_error(parse, section_value(map, "proxy_certificate"),
                          "proxy_certificate: no balancer sends a header that "
                          "could be believed; add proxy_protocol: [NETWORK], "
                          "or remove proxy_certificate");
    if (tls && tls->user == CONFIG_TLS_USER_CERTIFICATE &&
        tls->client == CONFIG_TLS_CLIENT_OFF && !listener->proxy_certificate)
        return diag_error(parse,
                          section_value(section_value(map, "tls"), "user"),
                          "tls.user: clients are not asked for a certificate, "
                          "so that every request would be refused; add client: "
                          "require and ca, or remove user");
    return 0;
}

static int
listener_check(struct parse *parse, const struct node *map,
               const struct config_listener *listener)
{
    const struct config_listener *all = parse->config->listeners;
    char text[ENDPOINT_TEXT_MAX];

    endpoint_format(&listener->at, text);
    /* Without TLS around it the protocol hides nothing (draft, C.5). */
    if (!listener_is_loopback(listener->at.addr) &&
        !listener->insecure_plaintext && !listener->tls)
        return diag_error(parse, section_value(map, "address"),
                          "address: %s is not on loopback, and everything "
                          "would pass it readable; add tls, or if that is "
                          "meant, insecure_plaintext: true",
                          text);
    if (listener_check_certificates(parse, map, listener) != 0)
        return -1;
    if (listener->socks5 == CONFIG_SOCKS5_ONLY &&
        listener->socks4a != CONFIG_4A_OFF)
        return diag_error(parse, section_value(map, "socks4a"),
                          "socks4a: with socks5: only the listener serves "
                          "nothing else; remove socks4a, or write socks5: "
                          "true");
    for (const struct config_listener *other = all; other < listener; other++) {
        if (strcmp(other->name, listener->name) == 0)
            return diag_error(parse, map,
                              "name: duplicate listener \"%s\"; use another",
                              other->name);
        if (addr_equal(other->at.addr, listener->at.addr) &&
            other->at.port == listener->at.port)
            return diag_error(parse, section_value(map, "address"),
                              "address: duplicate, %s is \"%s\" already; "
                              "remove one",
                              text, other->name);
        if (listener_is_covered(other->at, listener->at))
            return diag_error(parse, section_value(map, "address"),
                              "address: %s and that of \"%s\" cannot both be "
                              "open, since one covers the other; remove one",
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
    int rc;

    if (map->kind != NODE_MAP)
        rc = diag_error(parse, map,
                        "listen: each is a mapping; write - address: "
                        "127.0.0.1:1080");
    else
        rc = section_parse(parse, map, map, "listen[].", listener);
    /* Every listener has a name, even if there is an error: rules refer to
       it. */
    if (listener_name(config, listener, config->listener_count) != 0)
        return diag_no_memory(parse);
    return rc == 0 ? listener_check(parse, map, listener) : -1;
}

/* What a file without `listen` gets: 127.0.0.1:1080 [V4-D.4-1]. */
static int
listener_default(struct parse *parse)
{
    struct config *config = parse->config;

    config->listeners =
        arena_take(config->arena, 1, sizeof(*config->listeners));
    if (!config->listeners)
        return diag_no_memory(parse);
    config->listener_count = 1;
    config->listeners->at.addr = addr_v4(0x7f000001);
    config->listeners->at.port = 1080;
    config->listeners->name = arena_copy(config->arena, "local", 5);
    return config->listeners->name ? 0 : diag_no_memory(parse);
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

static int
listeners_parse(struct parse *parse, const struct option *option,
                const struct node *list, void *base)
{
    struct config *config = base;
    int rc = 0;

    if (!list)
        return listener_default(parse);
    if (diag_expect_members(parse, option, list, "- address: 127.0.0.1:1080") !=
        0)
        return -1;
    if (list->count > CONFIG_LISTENERS_MAX)
        return diag_value(parse, option, list, "%zu listeners; at most %d",
                          list->count, CONFIG_LISTENERS_MAX);
    config->listeners =
        arena_take(config->arena, list->count, sizeof(*config->listeners));
    if (!config->listeners)
        return diag_no_memory(parse);
    for (const struct node *map = list->first; map; map = map->next)
        rc |= listener_parse(parse, map);
    return rc;
}

static void
listeners_dump(const struct dump *dump, const struct option *option,
               const void *base)
{
    const struct config *config = base;

    (void)option;
    fputc('\n', dump->to);
    for (size_t i = 0; i < config->listener_count; i++)
        section_dump(dump, "listen[].", &config->listeners[i], "  - ");
}

const struct option_type type_listeners = {
    .parse = listeners_parse,
    .dump = listeners_dump,
    .manual = "list of mappings",
    .nested = true,
};

static int __attribute__((format(printf, 2, 3)))
listeners_refuse(struct config_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

static int
listeners_read_override(const char *text, struct endpoint *at,
                        struct config_error *error)
{
    if (endpoint_parse(text, at) != 0 || at->port == 0)
        return listeners_refuse(error,
                                "-l %.60s: not an address and port; write "
                                "127.0.0.1:1080 or [::1]:1080",
                                text);
    if (!listener_is_loopback(at->addr))
        return listeners_refuse(
            error,
            "-l %.60s: not on loopback, and everything would "
            "pass it readable; if that is meant, put it into "
            "a file with insecure_plaintext: true",
            text);
    return 0;
}

int
listeners_read_overrides(const char *const *texts, size_t count,
                         struct endpoint *at, struct config_error *error)
{
    if (count > CONFIG_LISTENERS_MAX)
        return listeners_refuse(error, "-l: at most %d", CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (listeners_read_override(texts[i], &at[i], error) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (endpoint_equal(&at[j], &at[i]))
                return listeners_refuse(error, "-l %.60s: given twice",
                                        texts[i]);
    }
    return 0;
}

/* Rules name listeners by number, so those must stay what they were. */
static int
listeners_check_rules(const struct config *config, struct config_error *error)
{
    for (size_t i = 0; i < config->policy.rule_count; i++)
        if (config->policy.rules[i].listeners)
            return listeners_refuse(
                error,
                "-l: replaces the listeners, but rule \"%s\" "
                "names one; change the file instead",
                config->policy.rules[i].name);
    return 0;
}

int
config_set_listeners(struct config *config, const char *const *at, size_t count,
                     bool socks4a, struct config_error *error)
{
    if (count == 0 && socks4a && config->file)
        return listeners_refuse(error, "--socks4a: is for -l and the built-in "
                                       "default; write socks4a: true into the "
                                       "file instead");
    if (count == 0) {
        for (size_t i = 0; socks4a && i < config->listener_count; i++)
            config->listeners[i].socks4a = CONFIG_4A_ON;
        return 0;
    }
    struct endpoint endpoints[CONFIG_LISTENERS_MAX];
    if (listeners_check_rules(config, error) != 0 ||
        listeners_read_overrides(at, count, endpoints, error) != 0)
        return -1;
    struct config_listener *listeners =
        arena_take(config->arena, count, sizeof(*listeners));
    if (!listeners)
        return listeners_refuse(error, "-l: out of memory");
    for (size_t i = 0; i < count; i++) {
        listeners[i].at = endpoints[i];
        listeners[i].socks4a = socks4a ? CONFIG_4A_ON : CONFIG_4A_OFF;
        if (listener_name(config, &listeners[i], i + 1) != 0)
            return listeners_refuse(error, "-l: out of memory");
    }
    for (size_t i = 0; i < config->listener_count; i++)
        netset_fini(&config->listeners[i].proxy_protocol.nets);
    config->listeners = listeners;
    config->listener_count = count;
    config->listeners_given = true;
    if (listeners_publish(config) != 0)
        return listeners_refuse(error, "-l: out of memory");
    return 0;
}
