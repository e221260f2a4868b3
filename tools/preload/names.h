#ifndef TOOLS_PRELOAD_NAMES_H
#define TOOLS_PRELOAD_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "socks4/codec.h"

/*
 * Names that the gateway resolves. In the program an address of
 * 198.18.0.0/15 stands for each; no host has one (RFC 2544).
 */

enum { NAMES_MAX = 4096 };

/* The address that stands for the name, always the same. 0: the list is full,
   or 4A cannot carry the name. */
uint32_t names_address(const char *name);

/* Finds the name of such an address. */
bool names_find(uint32_t ip, char name[SOCKS4_DOMAIN_MAX + 1]);

#endif
