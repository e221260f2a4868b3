#ifndef TOOLS_ROUTE_BYPASS_H
#define TOOLS_ROUTE_BYPASS_H

#include <stdbool.h>

#include "base/addr.h"
#include "tools/route/route.h"

/*
 * Destinations that a program reaches directly, not through the gateway:
 * addresses, networks (10.0.0.0/8), names and suffixes of names (.example),
 * with commas between them. The list stays text; it is short.
 */

#define BYPASS_WORD_MAX 256   /* NUL included */
#define BYPASS_LIST_MAX 16384 /* NUL included */

/* Checks each word, so that none has another meaning than its author's. 0,
   or -EINVAL and the fault. */
int bypass_check(const char *list, struct route_fault *fault);

/* Whether the list, which passed bypass_check, has a name or a suffix. */
bool bypass_has_names(const char *list);

bool bypass_has_address(const char *list, struct addr addr);
bool bypass_has_name(const char *list, const char *name);

/* Whether the name is the pattern, or ends in it where that begins with a
   dot. */
bool bypass_name_fits(const char *name, const char *pattern);

#endif
