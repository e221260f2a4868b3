#ifndef GATEWAY_CONFINE_LANDLOCK_H
#define GATEWAY_CONFINE_LANDLOCK_H

#include "base/must_check.h"
#include "gateway/confine/table.h"

/*
 * From now on this process has no file system but what it has open already
 * and what its role may read; as far as this kernel knows how, it makes no
 * TCP connections unless its role does, and then to the ports of its table,
 * signals nobody outside itself, and reaches no abstract socket. Needs
 * no_new_privs. 0; 1: this kernel cannot; or a negative errno.
 */
MUST_CHECK int landlock_confine(const struct confine_table *table);

/* Whether this kernel can allow TCP by ports (Linux 6.7). */
bool landlock_bounds_ports(void);

#endif
