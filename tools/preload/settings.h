#ifndef TOOLS_PRELOAD_SETTINGS_H
#define TOOLS_PRELOAD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "tools/route/route.h"

/*
 * The settings that `socks4 run` passes in the environment:
 *
 *   SOCKS4_RUN_ROUTE     the gateways as URLs, the first with its address
 *   SOCKS4_RUN_FLAGS     letters: l lenient, o loopback too, v verbose
 *   SOCKS4_RUN_TIMEOUT   of a handshake, in milliseconds
 *   SOCKS4_RUN_BYPASS    see tools/route/bypass.h
 *   SOCKS4_RUN_PASSWORD_FILE
 *                        of the gateway of SOCKS5 that has a user name; empty:
 *                        none has
 *   SOCKS4_RUN_TLS       the name of the process that speaks TLS with the
 *                        gateway; empty: there is none
 *
 * All six must be there and valid. Otherwise the settings are broken: the
 * library does not know the gateway, so no connection and no name resolution
 * is allowed. It must never fall back on a direct connection.
 */
struct settings {
    bool broken;
    bool lenient, loopback, verbose;
    uint64_t timeout_ms;
    struct route route;
    struct endpoint gateway; /* the first */
    const char *bypass;
    const char *password_file; /* empty: none */
    const char *tunnel;        /* of tools/stream/tunnel_proto.h; empty: none */
};

/* Read when the library is loaded; never changes. */
const struct settings *settings(void);

/* Prints, once in a process, why nothing may connect. */
void settings_say_broken(void);

/* Whether the gateway resolves the program's names. */
bool settings_resolve_names(void);

/* Whether the program reaches it directly. */
bool settings_bypass_address(struct addr addr);
bool settings_bypass_name(const char *name);

/* Prints on standard error if the settings are verbose. */
void __attribute__((format(printf, 1, 2)))
settings_say(const char *format, ...);

#endif
