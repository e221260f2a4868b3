#include "gateway/monitor/user.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/confine/privilege.h"

/* Where no file says who nobody is. */
#define USER_NOBODY "65534"

/* Only an attempt tells whether root may become another user: a user namespace
   may lack the user or forbid setgroups, and /proc, which would tell, may be
   missing. A child process makes it, since it cannot be undone. */
static bool
user_can_become(const struct passwd *entry)
{
    siginfo_t ended;

    signal(SIGCHLD, SIG_DFL); /* if it were ignored, the child would be lost */
    pid_t pid = fork();
    if (pid == 0)
        _exit(privilege_leave_groups(entry->pw_gid) < 0 ||
              privilege_become(entry->pw_uid, entry->pw_gid) < 0);
    return pid > 0 && waitid(P_PID, (id_t)pid, &ended, WEXITED) == 0 &&
           ended.si_code == CLD_EXITED && ended.si_status == 0;
}

/* A user by number needs no entry in any file: containers have none. */
static bool
user_is_number(const char *name, uid_t *uid)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(name, &end, 10);
    bool is_number = isdigit((unsigned char)name[0]) && *end == '\0' &&
                     errno == 0 && number < UINT32_MAX;
    if (is_number)
        *uid = (uid_t)number;
    return is_number;
}

static const struct passwd *
user_look_up(const char *name)
{
    static struct passwd numbered;
    if (!user_is_number(name, &numbered.pw_uid))
        return getpwnam(name);
    const struct passwd *entry = getpwuid(numbered.pw_uid);
    numbered.pw_gid = entry != NULL ? entry->pw_gid : numbered.pw_uid;
    return &numbered;
}

bool
user_exists(const char *name)
{
    return user_look_up(name) != NULL;
}

static int
user_find_named(const char *name, struct user *user)
{
    const struct passwd *entry = user_look_up(name);
    if (entry == NULL) {
        fprintf(stderr,
                "socks4d: there is no user \"%s\" (user:); make it with "
                "`useradd --system %s', or set user: auto\n",
                name, name);
        return -1;
    }
    if (entry->pw_uid != geteuid() && !privilege_may_change_user()) {
        fprintf(stderr,
                "socks4d: cannot become user \"%s\": root lacks CAP_SETUID or "
                "CAP_SETGID here; grant both, or start socks4d as that user\n",
                name);
        return -1;
    }
    if (!user_can_become(entry)) {
        fprintf(stderr,
                "socks4d: user \"%s\" does not exist in this user namespace; "
                "set user: auto\n",
                name);
        return -1;
    }
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    return 0;
}

static int
user_find_auto(struct user *user)
{
    const struct passwd *entry = getpwnam("socks4d");
    bool shared = entry == NULL;
    if (shared)
        entry = getpwnam("nobody");
    if (entry == NULL)
        entry = user_look_up(USER_NOBODY);
    if (!privilege_may_change_user()) {
        user->warning = "root lacks CAP_SETUID or CAP_SETGID here: the workers "
                        "stay root, without any capability; start socks4d as "
                        "an ordinary user instead";
        return 0;
    }
    if (!user_can_become(entry)) {
        user->warning = "only root exists in this user namespace: the "
                        "workers run as it";
        return 0;
    }
    if (shared)
        user->warning =
            "there is no user socks4d: the workers run as nobody, and any "
            "other "
            "program that runs as nobody can kill them; create the user with "
            "`useradd --system --shell /usr/sbin/nologin socks4d' and restart";
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    return 0;
}

int
user_find(const char *name, struct user *user)
{
    *user = (struct user){geteuid(), getegid(), NULL};
    if (user->uid != 0)
        return 0;
    return name != NULL ? user_find_named(name, user) : user_find_auto(user);
}
