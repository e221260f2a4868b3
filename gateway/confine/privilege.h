#ifndef GATEWAY_CONFINE_PRIVILEGE_H
#define GATEWAY_CONFINE_PRIVILEGE_H

#include <sys/types.h>

/*
 * Becomes uid and gid for good, with no supplementary groups, and can gain
 * no privilege by exec any more. Where this process is uid and gid already
 * (not started as root), only the latter.
 *
 * It is verified afterwards: 0 means that it holds. Otherwise a negative
 * errno (-EPERM: something could be taken back), and the process must end.
 */
int privilege_drop(uid_t uid, gid_t gid);

#endif
