#ifndef TOOLS_PRELOAD_SETTINGS_H
#define TOOLS_PRELOAD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "tools/route/route.h"

/*
 * What `socks4 run` was told, from the settings_variable that it sets:
 *
 *   SOCKS4_RUN_ROUTE     the gateways, the first one's address numeric
 *   SOCKS4_RUN_USERID    for those that have none of their own
 *   SOCKS4_RUN_FLAGS     letters: a 4A, l lenient, o loopback too, v verbose
 *   SOCKS4_RUN_TIMEOUT   of a handshake, in milliseconds
 *   SOCKS4_RUN_BYPASS    CIDRs, names and .suffixes, with commas between
 */
struct settings {
    bool active; /* else everything is left alone */
    bool socks4a, lenient, loopback, verbose;
    uint64_t timeout_ms;
    struct route route;
    struct endpoint gateway; /* the first */
    const char *bypass;
};

/* Read at the first call; never changes. */
const struct settings *settings(void);

/* Whether the way to it is not through the gateway. */
bool settings_bypass_address(struct addr addr);
bool settings_bypass_name(const char *name);

/* Says something on standard error, where that is wished. */
void __attribute__((format(printf, 1, 2)))
settings_say(const char *format, ...);

#endif
