#ifndef GATEWAY_MONITOR_USER_H
#define GATEWAY_MONITOR_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/must_check.h"

/* Whom the children run as. */
struct user {
    uid_t uid;
    gid_t gid;
    /* Why it is root after all, where a change was due and could not be, or one
       that other programs run as, too; static, or NULL. */
    const char *warning;
};

/*
 * `name` as configured, NULL for auto. Started as an ordinary user: that
 * one. As root: `name`, or with auto socks4d if there is such a user, else
 * nobody. In a user namespace that has no such user, auto stays root there.
 * 0, or -1 after one line on stderr that says why not.
 */
MUST_CHECK int user_find(const char *name, struct user *user);

/* Whether there is such a user; by number there always is. */
bool user_exists(const char *name);

#endif
