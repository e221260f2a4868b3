#ifndef GATEWAY_OBSERVER_CONFIG_HASH_H
#define GATEWAY_OBSERVER_CONFIG_HASH_H

#include <stddef.h>

/* SHA-256 of a text, in hexadecimal digits. */
#define CONFIG_HASH_MAX 65
void config_hash(const char *text, size_t len, char hash[CONFIG_HASH_MAX]);

#endif
