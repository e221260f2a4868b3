#include "tools/preload/settings.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tools/route/bypass.h"
#include "tools/stream/tunnel_proto.h"

static struct settings read_once;
static struct route_fault settings_fault;

static bool __attribute__((format(printf, 2, 3)))
settings_refuse(const char *name, const char *format, ...)
{
    char reason[300];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    snprintf(settings_fault.text, sizeof(settings_fault.text), "%s %s", name,
             reason);
    return false;
}

/* A copy, since the program may change its environment. */
static const char *
settings_variable(const char *name)
{
    const char *value = getenv(name);
    const char *copy = value != NULL ? strdup(value) : NULL;

    if (copy == NULL)
        settings_refuse(name, value != NULL ? "does not fit into memory"
                                            : "is missing");
    return copy;
}

static bool
settings_read_flags(void)
{
    const char *flags = settings_variable("SOCKS4_RUN_FLAGS");

    if (flags == NULL)
        return false;
    if (flags[strspn(flags, "lov")] != '\0')
        return settings_refuse("SOCKS4_RUN_FLAGS", "has an unknown letter");
    read_once.lenient = strchr(flags, 'l') != NULL;
    read_once.loopback = strchr(flags, 'o') != NULL;
    read_once.verbose = strchr(flags, 'v') != NULL;
    return true;
}

static bool
settings_read_timeout(void)
{
    const char *timeout = settings_variable("SOCKS4_RUN_TIMEOUT");

    if (timeout == NULL)
        return false;
    if (text_number(timeout, &read_once.timeout_ms) != 0 ||
        read_once.timeout_ms == 0)
        return settings_refuse("SOCKS4_RUN_TIMEOUT", "is not a time");
    return true;
}

static bool
settings_read_bypass(void)
{
    struct route_fault fault;

    read_once.bypass = settings_variable("SOCKS4_RUN_BYPASS");
    if (read_once.bypass == NULL)
        return false;
    if (bypass_check(read_once.bypass, &fault) != 0)
        return settings_refuse("SOCKS4_RUN_BYPASS", "is wrong: %.200s",
                               fault.text);
    return true;
}

static bool
settings_read_tunnel(void)
{
    read_once.tunnel = settings_variable("SOCKS4_RUN_TLS");
    if (read_once.tunnel == NULL)
        return false;
    if (strlen(read_once.tunnel) >= TUNNEL_NAME_MAX)
        return settings_refuse("SOCKS4_RUN_TLS", "is too long");
    return true;
}

static bool
settings_read_password_file(void)
{
    read_once.password_file = settings_variable("SOCKS4_RUN_PASSWORD_FILE");
    return read_once.password_file != NULL;
}

/* `socks4 run` has resolved the names; only those that a gateway is to
   resolve are left. */
static bool
settings_fill_route(struct route *route)
{
    struct addr addr;

    if (addr_parse(route->hops[0].host, &addr) != 0)
        return false;
    read_once.gateway = (struct endpoint){addr, route->hops[0].port};
    endpoint_to_sockaddr(&read_once.gateway, &route->first[0]);
    route->first_count = 1;
    for (size_t i = 1; i < route->count; i++) {
        route->named[i] = addr_parse(route->hops[i].host, &addr) != 0;
        if (route->named[i] ? !route->hops[i - 1].resolves
                            : !addr_is_v4(addr) && !route->hops[i - 1].socks5)
            return false;
        route->addrs[i] = addr;
    }
    return true;
}

static bool
settings_read_route(void)
{
    static const struct route_defaults defaults = {.userid = "", .user = ""};
    const char *list = settings_variable("SOCKS4_RUN_ROUTE");
    struct route_fault fault;

    if (list == NULL)
        return false;
    if (route_parse(&read_once.route, list, &defaults, &fault) != 0)
        return settings_refuse("SOCKS4_RUN_ROUTE", "is wrong: %.250s",
                               fault.text);
    if (!settings_fill_route(&read_once.route))
        return settings_refuse("SOCKS4_RUN_ROUTE",
                               "has a name where an address is expected");
    return true;
}

static void
settings_read(void)
{
    read_once.broken = !settings_read_flags() || !settings_read_timeout() ||
                       !settings_read_bypass() ||
                       !settings_read_password_file() ||
                       !settings_read_tunnel() || !settings_read_route();
}

const struct settings *
settings(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, settings_read);
    return &read_once;
}

/* Before the program can change its environment. */
static void __attribute__((constructor)) settings_open(void)
{
    settings();
}

void
settings_say_broken(void)
{
    static int said;

    if (!__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
        dprintf(2,
                "socks4 run: %s; nothing may connect. Pass on the environment "
                "of socks4 run, or remove LD_PRELOAD from it\n",
                settings_fault.text);
}

bool
settings_resolve_names(void)
{
    return route_resolves_names(&settings()->route);
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
    return (settings_is_loopback(addr) && !settings()->loopback) ||
           bypass_has_address(settings()->bypass, addr);
}

bool
settings_bypass_name(const char *name)
{
    if (!settings()->loopback && (bypass_name_fits(name, "localhost") ||
                                  bypass_name_fits(name, ".localhost")))
        return true;
    return bypass_has_name(settings()->bypass, name);
}

void
settings_say(const char *format, ...)
{
    char text[ROUTE_FAULT_MAX + 512];
    va_list args;

    if (!settings()->verbose)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    dprintf(2, "socks4 run: %s\n", text);
}
