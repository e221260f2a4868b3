#include "tools/preload/settings.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static struct settings read_once;

static const char *
settings_variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "";
}

/* `socks4 run` has found the addresses; only names for the gateways to
   resolve are left. */
static bool
settings_fill_route(struct route *route)
{
    struct addr addr;

    for (size_t i = 0; i < route->count; i++) {
        bool numeric = addr_parse(route->hops[i].host, &addr) == 0;

        if (i == 0 && !numeric)
            return false;
        if (i > 0) {
            route->named[i] = !numeric;
            route->ips[i] = numeric ? addr_to_v4(addr) : 1;
        }
    }
    addr_parse(route->hops[0].host, &addr);
    read_once.gateway = (struct endpoint){addr, route->hops[0].port};
    endpoint_to_sockaddr(&read_once.gateway, &route->first[0]);
    route->first_count = 1;
    return true;
}

static void
settings_read(void)
{
    const char *flags = settings_variable("SOCKS4_RUN_FLAGS");
    struct route_fault fault;

    read_once.socks4a = strchr(flags, 'a') != NULL;
    read_once.lenient = strchr(flags, 'l') != NULL;
    read_once.loopback = strchr(flags, 'o') != NULL;
    read_once.verbose = strchr(flags, 'v') != NULL;
    read_once.bypass = strdup(settings_variable("SOCKS4_RUN_BYPASS"));
    if (text_number(settings_variable("SOCKS4_RUN_TIMEOUT"),
                    &read_once.timeout_ms))
        read_once.timeout_ms = 150000;
    if (route_parse(&read_once.route, settings_variable("SOCKS4_RUN_ROUTE"),
                    settings_variable("SOCKS4_RUN_USERID"), &fault) != 0)
        return;
    read_once.active =
        read_once.bypass != NULL && settings_fill_route(&read_once.route);
}

const struct settings *
settings(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, settings_read);
    return &read_once;
}

/* The next word of a list with commas, as a string; false: no more. */
static bool
settings_next_word(const char **list, char word[static 256])
{
    size_t len = strcspn(*list, ",");

    if (**list == '\0')
        return false;
    snprintf(word, 256, "%.*s", (int)(len < 255 ? len : 255), *list);
    *list += len + ((*list)[len] == ',');
    return true;
}

static bool
settings_is_loopback(struct addr addr)
{
    struct addr ipv6 = {0, 1};

    if (!addr_is_v4(addr))
        return addr_equal(addr, ipv6);
    return addr_to_v4(addr) >> 24 == 127 || addr_to_v4(addr) == 0;
}

bool
settings_bypass_address(struct addr addr)
{
    const char *list = settings()->bypass;
    struct addr first, last;
    char word[256];

    if (settings_is_loopback(addr) && !settings()->loopback)
        return true;
    while (settings_next_word(&list, word))
        if (addr_parse_cidr(word, &first, &last) != -EINVAL &&
            addr_cmp(addr, first) >= 0 && addr_cmp(addr, last) <= 0)
            return true;
    return false;
}

/* ".suffix" means what ends in it. */
static bool
settings_name_fits(const char *name, const char *pattern)
{
    size_t len = strlen(name), size = strlen(pattern);

    if (pattern[0] != '.')
        return strcasecmp(name, pattern) == 0;
    return len > size && strcasecmp(name + len - size, pattern) == 0;
}

bool
settings_bypass_name(const char *name)
{
    const char *list = settings()->bypass;
    char word[256];

    if (!settings()->loopback && (settings_name_fits(name, "localhost") ||
                                  settings_name_fits(name, ".localhost")))
        return true;
    while (settings_next_word(&list, word))
        if (settings_name_fits(name, word))
            return true;
    return false;
}

void
settings_say(const char *format, ...)
{
    char text[512];
    va_list args;

    if (!settings()->verbose)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    dprintf(2, "socks4 run: %s\n", text);
}
