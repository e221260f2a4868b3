#ifndef GATEWAY_CONFINE_PRIVILEGE_H
#define GATEWAY_CONFINE_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/must_check.h"

/*
 * Giving up privileges, a layer a function, in this order. Each verifies
 * afterwards that it holds. 0; 1: it does not, because who started us may
 * not do it; or a negative errno.
 */

/* No exec will ever give a capability. Needs CAP_SETPCAP. */
MUST_CHECK int privilege_empty_bounding(void);

/* No supplementary groups, but for gid itself. */
MUST_CHECK int privilege_leave_groups(gid_t gid);

/*
 * Becomes uid and gid for good. Where this process is that already (not
 * started as root) nothing changes. -EPERM: something could be taken back,
 * and the process must end. 1: it is root.
 */
MUST_CHECK int privilege_become(uid_t uid, gid_t gid);

/* Whether this process may become another user and leave its groups: root
   whose capabilities were taken away may not. */
bool privilege_may_change_user(void);

/* No capability in any set. */
MUST_CHECK int privilege_drop_capabilities(void);

/* Nothing is gained by exec any more. */
MUST_CHECK int privilege_gain_none(void);

/* Nobody of the same user traces it, reads its memory or its descriptors,
   and it leaves no core behind. */
MUST_CHECK int privilege_hide(void);

#endif
