#include "gateway/monitor/user.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether `id` exists in this user namespace. */
static bool
user_is_mapped(const char *map, unsigned long id)
{
    unsigned long first, outside, count;
    FILE *file = fopen(map, "re");
    if (file == NULL)
        return true;
    bool found = false;
    while (!found && fscanf(file, "%lu %lu %lu", &first, &outside, &count) == 3)
        found = id >= first && id - first < count;
    fclose(file);
    return found;
}

/* A namespace made by an ordinary user allows no setgroups. */
static bool
user_groups_can_be_dropped(void)
{
    char word[8] = "";
    FILE *file = fopen("/proc/self/setgroups", "re");
    if (file == NULL)
        return true;
    bool allowed =
        fgets(word, sizeof(word), file) == NULL || strncmp(word, "deny", 4);
    fclose(file);
    return allowed;
}

static bool
user_can_become(const struct passwd *entry)
{
    if (entry->pw_uid == geteuid() && entry->pw_gid == getegid())
        return true;
    return user_is_mapped("/proc/self/uid_map", entry->pw_uid) &&
           user_is_mapped("/proc/self/gid_map", entry->pw_gid) &&
           user_groups_can_be_dropped();
}

static int
user_find_named(const char *name, struct user *user)
{
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL) {
        fprintf(stderr,
                "socks4d: there is no user `%s' (user:); make it with "
                "`useradd --system %s', or set user: auto\n",
                name, name);
        return -1;
    }
    if (!user_can_become(entry)) {
        fprintf(stderr,
                "socks4d: user `%s' does not exist in this user namespace; "
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
    if (entry == NULL)
        entry = getpwnam("nobody");
    if (entry == NULL) {
        fprintf(stderr, "socks4d: started as root, and there is neither a "
                        "user socks4d nor nobody to run as; set user:\n");
        return -1;
    }
    if (!user_can_become(entry)) {
        user->warning = "only root exists in this user namespace: the "
                        "workers run as it";
        return 0;
    }
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
