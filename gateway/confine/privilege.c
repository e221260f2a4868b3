#include "gateway/confine/privilege.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

/* --- the bounding set ---------------------------------------------------- */

/* Those that this kernel knows end where asking for one is an error. */
static bool
privilege_is_bounded(int capability, int *error)
{
    int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0)
        return false;
    if (held == 1 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
        *error = -errno;
    return true;
}

int
privilege_empty_bounding(void)
{
    int error = 0;
    for (int capability = 0; privilege_is_bounded(capability, &error);
         capability++)
        ;
    return error == -EPERM ? 1 : error;
}

/* --- user and groups ----------------------------------------------------- */

/* A list that only repeats the group itself, as initgroups makes it, gives
   nothing. */
static bool
privilege_has_groups(gid_t gid)
{
    gid_t only;
    int count = getgroups(1, &only);
    return count != 0 && (count != 1 || only != gid);
}

int
privilege_leave_groups(gid_t gid)
{
    if (!privilege_has_groups(gid))
        return 0;
    if (setgroups(0, NULL) != 0)
        return errno == EPERM ? 1 : -errno;
    return privilege_has_groups(gid) ? -EPERM : 0;
}

static bool
privilege_is_already(uid_t uid, gid_t gid)
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
privilege_can_return(uid_t uid, gid_t gid)
{
    if (uid == 0)
        return false;
    return seteuid(0) == 0 || (gid != 0 && setegid(0) == 0);
}

/* Groups first: without uid 0 they could not be changed any more. */
static int
privilege_change(uid_t uid, gid_t gid)
{
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return -errno;
    if (!privilege_is_already(uid, gid) || privilege_has_groups(gid))
        return -EPERM;
    return privilege_can_return(uid, gid) ? -EPERM : 0;
}

int
privilege_become(uid_t uid, gid_t gid)
{
    int error = privilege_is_already(uid, gid) ? 0 : privilege_change(uid, gid);
    return error == 0 && geteuid() == 0 ? 1 : error;
}

/* --- capabilities -------------------------------------------------------- */

static struct __user_cap_header_struct
privilege_ourselves(void)
{
    return (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 0};
}

static bool
privilege_has_capability(void)
{
    struct __user_cap_header_struct header = privilege_ourselves();
    struct __user_cap_data_struct held[2] = {0};
    if (syscall(SYS_capget, &header, held) != 0)
        return true;
    return (held[0].effective | held[0].permitted | held[0].inheritable |
            held[1].effective | held[1].permitted | held[1].inheritable) != 0;
}

bool
privilege_may_change_user(void)
{
    struct __user_cap_header_struct header = privilege_ourselves();
    struct __user_cap_data_struct held[2] = {0};
    const __u32 wanted = 1u << CAP_SETUID | 1u << CAP_SETGID;
    return syscall(SYS_capget, &header, held) != 0 ||
           (held[0].effective & wanted) == wanted;
}

/* What root's monitor still does: it changes the children's user, ends them,
   binds ports below 1024, and may give its log file away. */
static const int monitor_capabilities[] = {CAP_SETUID, CAP_SETGID, CAP_KILL,
                                           CAP_NET_BIND_SERVICE, CAP_CHOWN};

/* Those of them that it has, and that exec may pass on. */
static __u32
privilege_monitor_set(const struct __user_cap_data_struct *held)
{
    __u32 kept = 0;
    for (size_t i = 0; i < sizeof(monitor_capabilities) / sizeof(int); i++) {
        int capability = monitor_capabilities[i];
        __u32 bit = 1u << capability;
        if ((held->permitted & bit) != 0 &&
            ((held->inheritable & bit) != 0 ||
             prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1))
            kept |= bit;
    }
    return kept;
}

int
privilege_keep_monitor(void)
{
    struct __user_cap_header_struct header = privilege_ourselves();
    struct __user_cap_data_struct held[2] = {0};
    if (syscall(SYS_capget, &header, held) != 0)
        return -errno;
    /* Before the bounding set is emptied: what is not in it cannot become
       inheritable. */
    __u32 kept = privilege_monitor_set(&held[0]);
    held[0].inheritable = kept;
    held[1].inheritable = 0;
    if (syscall(SYS_capset, &header, held) != 0)
        return -errno;
    int result = privilege_empty_bounding();
    held[0].permitted = held[0].effective = kept;
    held[1].permitted = held[1].effective = 0;
    if (syscall(SYS_capset, &header, held) != 0)
        return -errno;
    return result;
}

int
privilege_override_files(bool on)
{
    struct __user_cap_header_struct header = privilege_ourselves();
    struct __user_cap_data_struct held[2] = {0};
    const __u32 override = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
    if (syscall(SYS_capget, &header, held) != 0)
        return -errno;
    held[0].effective &= ~override;
    if (on)
        held[0].effective |= held[0].permitted & override;
    return syscall(SYS_capset, &header, held) == 0 ? 0 : -errno;
}

void
privilege_use_files_as(uid_t uid, gid_t gid)
{
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    setfsgid(gid);
    setfsuid(uid);
    if (dumpable == 1) /* the kernel takes that away */
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* The ambient set is never more than the permitted one. Where there is
   nothing to give up nothing is asked: whoever started us may have left
   capset out of what is allowed. */
int
privilege_drop_capabilities(void)
{
    struct __user_cap_header_struct header = privilege_ourselves();
    struct __user_cap_data_struct none[2] = {0};
    if (!privilege_has_capability())
        return 0;
    if (syscall(SYS_capset, &header, none) != 0)
        return -errno;
    return privilege_has_capability() ? -EPERM : 0;
}

/* --- what cannot be taken back ------------------------------------------- */

int
privilege_gain_none(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}

int
privilege_hide(void)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -errno;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -EPERM;
}
