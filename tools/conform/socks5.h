#ifndef CONFORM_SOCKS5_H
#define CONFORM_SOCKS5_H

#include "play.h"

/*
 * What a client of version 5 says before its request: the methods, and the
 * password where the server asks for one. `drips`: octet by octet. Whether a
 * request may follow; if not, `why` says in words what came instead.
 */
bool socks5_negotiate(const struct setting *setting, struct actor *actor,
                      bool drips, unsigned wait, char why[WHY_MAX]);

/* A request for that address, or for that name; its length. */
size_t socks5_request(enum socks4_v5_command command, const struct endpoint *to,
                      const char *name, uint8_t octets[SOCKS4_V5_REQUEST_MAX]);

#endif
