#ifndef TOOLS_PRELOAD_NAMES_H
#define TOOLS_PRELOAD_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "socks4/codec.h"

/*
 * Names that the gateway is to resolve, and the addresses that stand for
 * them in the program: one each of 198.18.0.0/15, which is nobody's (RFC
 * 2544).
 */

enum { NAMES_MAX = 4096 };

/* The address for the name, always the same one. 0: the list is full, or it
   is no name that 4A can carry. */
uint32_t names_address(const char *name);

/* The name behind such an address. */
bool names_find(uint32_t ip, char name[SOCKS4_DOMAIN_MAX + 1]);

#endif
