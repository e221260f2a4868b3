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

/*
 * The monitor, started as root, keeps only SETUID, SETGID, KILL,
 * NET_BIND_SERVICE and CHOWN, as far as it has them. They are inheritable and
 * the bounding set is empty: programs that it executes start with them and can
 * have no others. A child needs no CAP_SETPCAP to have an empty bounding set.
 * 0; 1: the bounding set stays, for want of CAP_SETPCAP; or a negative errno.
 */
MUST_CHECK int privilege_keep_monitor(void);

/* Whether permissions of files and folders are ignored, as root ignores them;
   on: as far as root may. 0 or a negative errno. */
MUST_CHECK int privilege_override_files(bool on);

/*
 * The file system takes this process for that user, until it is told
 * otherwise; nothing else does: the user can neither signal nor trace it. For
 * root that has given up its right to ignore permissions. Supplementary groups
 * stay.
 */
void privilege_use_files_as(uid_t uid, gid_t gid);

/* No capability in any set. */
MUST_CHECK int privilege_drop_capabilities(void);

/* Nothing is gained by exec any more. */
MUST_CHECK int privilege_gain_none(void);

/* Nobody of the same user traces it, reads its memory or its descriptors,
   and it leaves no core behind. */
MUST_CHECK int privilege_hide(void);

#endif
