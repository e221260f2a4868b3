#include "gateway/config/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A quota: the hierarchy that has it, and its files there. Version 1 has a
   hierarchy for each controller, and a file of its own for the period. */
struct cgroup_quota {
    const char *type, *controller, *file, *period;
};

static const struct cgroup_quota cpu[] = {
    {"cgroup2", "", "cpu.max", NULL},
    {"cgroup", "cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us"},
};
static const struct cgroup_quota memory[] = {
    {"cgroup2", "", "memory.max", NULL},
    {"cgroup", "memory", "memory.limit_in_bytes", NULL},
};

#define VERSIONS 2

/* A line of /proc/self/mountinfo. */
struct cgroup_mount {
    char group[PATH_MAX]; /* the one that is seen at the mount point */
    char point[PATH_MAX];
    char type[16], options[256];
};

static FILE *
cgroup_open(const char *root, const char *path)
{
    char whole[2 * PATH_MAX];
    int len = snprintf(whole, sizeof(whole), "%s%s", root, path);
    return (size_t)len < sizeof(whole) ? fopen(whole, "re") : NULL;
}

/* Whether a list with commas has that word. */
static bool
cgroup_lists(const char *list, const char *word)
{
    size_t len = strlen(word);
    while (strncmp(list, word, len) != 0 ||
           (list[len] != ',' && list[len] != '\0')) {
        list += strcspn(list, ",");
        if (*list++ == '\0')
            return false;
    }
    return true;
}

/* Whether that quota's files are in that hierarchy. */
static bool
cgroup_has(const struct cgroup_mount *mount, const struct cgroup_quota *quota)
{
    return strcmp(mount->type, quota->type) == 0 &&
           (quota->controller[0] == '\0' ||
            cgroup_lists(mount->options, quota->controller));
}

/* Our group in the hierarchy of that controller: a line is
   "NUMBER:CONTROLLERS:GROUP", for version 2 without controllers. */
static bool
cgroup_find_own(const char *root, const char *controller, char group[PATH_MAX])
{
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    FILE *file = cgroup_open(root, "/proc/self/cgroup");

    while (file != NULL && !found && getline(&line, &room, file) > 0) {
        char *list = strchr(line, ':');
        char *path = list != NULL ? strchr(list + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        found = cgroup_lists(list + 1, controller) &&
                snprintf(group, PATH_MAX, "%s", path) < PATH_MAX;
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return found;
}

/* "ID PARENT DEVICE GROUP POINT OPTIONS [FIELD...] - TYPE SOURCE OPTIONS" */
static bool
cgroup_parse_mount(const char *line, struct cgroup_mount *mount)
{
    const char *rest = strstr(line, " - ");
    return rest != NULL &&
           sscanf(line, "%*s %*s %*s %4095s %4095s", mount->group,
                  mount->point) == 2 &&
           sscanf(rest, " - %15s %*s %255s", mount->type, mount->options) == 2;
}

/* Appends the first line of a group's file, if there is one. */
static void
cgroup_read(const char *folder, const char *name, char text[128])
{
    char path[64];
    size_t len = strlen(text);
    snprintf(path, sizeof(path), "/%s", name);
    FILE *file = cgroup_open(folder, path);

    if (file == NULL)
        return;
    if (fgets(text + len, 64, file) == NULL)
        text[len] = '\0';
    fclose(file);
}

/* "QUOTA [PERIOD]": how many periods the quota has, rounded up. The quota of
   version 2 may be "max", and that of version 1 negative: no limit. */
static uint64_t
cgroup_parse(const char *text)
{
    long long quota, period = 1;
    int read = sscanf(text, "%lld %lld", &quota, &period);

    if (read < 1 || quota < 0 || period <= 0)
        return UINT64_MAX;
    return quota <= period ? 1
                           : (uint64_t)(quota / period) + (quota % period != 0);
}

/* The least of what the group in `folder` and those above it allow, up to the
   mount point, which is `top` octets long. */
static uint64_t
cgroup_least(char *folder, size_t top, const struct cgroup_quota *quota)
{
    uint64_t least = UINT64_MAX;

    for (;;) {
        char text[128] = "";
        cgroup_read(folder, quota->file, text);
        if (quota->period != NULL)
            cgroup_read(folder, quota->period, text);
        uint64_t allowed = cgroup_parse(text);
        least = allowed < least ? allowed : least;
        char *slash = strrchr(folder, '/');
        if (slash == NULL || slash < folder + top)
            return least;
        *slash = '\0';
    }
}

/* The folder of our group: the mount point, and what our group's path has
   below the group that is seen there. */
static uint64_t
cgroup_read_mounted(const char *root, const struct cgroup_mount *mount,
                    const struct cgroup_quota *quota)
{
    char own[PATH_MAX], folder[3 * PATH_MAX];
    size_t above = strcmp(mount->group, "/") == 0 ? 0 : strlen(mount->group);

    if (!cgroup_find_own(root, quota->controller, own))
        return UINT64_MAX;
    bool is_below = strncmp(own, mount->group, above) == 0 &&
                    (own[above] == '/' || own[above] == '\0');
    int len = snprintf(folder, sizeof(folder), "%s%s%s", root, mount->point,
                       is_below ? own + above : "");
    return (size_t)len < sizeof(folder)
               ? cgroup_least(folder, strlen(root) + strlen(mount->point),
                              quota)
               : UINT64_MAX;
}

static uint64_t
cgroup_read_quota(const char *root, const struct cgroup_quota quotas[VERSIONS])
{
    uint64_t least = UINT64_MAX;
    char *line = NULL;
    size_t room = 0;
    struct cgroup_mount mount;
    FILE *file = cgroup_open(root, "/proc/self/mountinfo");

    while (file != NULL && getline(&line, &room, file) > 0) {
        if (!cgroup_parse_mount(line, &mount))
            continue;
        for (size_t i = 0; i < VERSIONS; i++) {
            if (!cgroup_has(&mount, &quotas[i]))
                continue;
            uint64_t allowed = cgroup_read_mounted(root, &mount, &quotas[i]);
            least = allowed < least ? allowed : least;
        }
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return least;
}

struct cgroup_quotas
cgroup_read_quotas(const char *root)
{
    return (struct cgroup_quotas){.processors = cgroup_read_quota(root, cpu),
                                  .memory = cgroup_read_quota(root, memory)};
}
