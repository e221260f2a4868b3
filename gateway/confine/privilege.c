#include "gateway/confine/privilege.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool
is_already(uid_t uid, gid_t gid)
{
    uid_t real, effective, saved;
    gid_t group, effective_group, saved_group;
    getresuid(&real, &effective, &saved);
    getresgid(&group, &effective_group, &saved_group);
    return real == uid && effective == uid && saved == uid && group == gid &&
           effective_group == gid && saved_group == gid;
}

/* An ordinary user who could become root, or its group, again. */
static bool
can_return(uid_t uid, gid_t gid)
{
    if (uid == 0)
        return false;
    return seteuid(0) == 0 || (gid != 0 && setegid(0) == 0);
}

/* Groups first: without uid 0 they could not be changed any more. */
static int
become(uid_t uid, gid_t gid)
{
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return -errno;
    if (!is_already(uid, gid) || getgroups(0, NULL) != 0)
        return -EPERM;
    return can_return(uid, gid) ? -EPERM : 0;
}

int
privilege_drop(uid_t uid, gid_t gid)
{
    int error = is_already(uid, gid) ? 0 : become(uid, gid);
    if (error != 0)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}
