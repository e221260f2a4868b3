#ifndef GATEWAY_CONFINE_SECCOMP_H
#define GATEWAY_CONFINE_SECCOMP_H

#include "base/must_check.h"
#include "gateway/confine/table.h"

/*
 * From now on this process makes the calls of its role and those of
 * confine_common, and is killed at any other. 0; 1: this kernel cannot;
 * or a negative errno.
 */
MUST_CHECK int seccomp_confine(const struct confine_table *table);

#endif
