#ifndef GATEWAY_MONITOR_MEMORY_H
#define GATEWAY_MONITOR_MEMORY_H

#include <stddef.h>

#include "base/must_check.h"

/*
 * A memory file that holds these octets and can never be changed, by any
 * process that gets it. Its descriptor, close-on-exec, or a negative errno.
 */
MUST_CHECK int memory_seal(const char *name, const void *octets, size_t len);

#endif
