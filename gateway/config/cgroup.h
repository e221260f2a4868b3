#ifndef GATEWAY_CONFIG_CGROUP_H
#define GATEWAY_CONFIG_CGROUP_H

#include <stdint.h>

/* What the control groups of this process allow; UINT64_MAX: no limit. */
struct cgroup_quotas {
    uint64_t processors; /* rounded up, at least 1 */
    uint64_t memory;     /* octets */
};

/*
 * Reads the quotas of this process's control groups and of those above them,
 * of version 2, version 1, or both. They are found by /proc/self/cgroup and
 * /proc/self/mountinfo. `root` stands before every path: "" but in tests.
 * What cannot be read is no limit.
 */
struct cgroup_quotas cgroup_read_quotas(const char *root);

#endif
