/* What `auto` comes to on this machine. */

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/config/config.h"

#define SESSION_OCTETS (24 << 10) /* a session, kernel memory included */
#define SESSION_FDS 2
#define PIPES_MAX 200 /* of all workers together; see relay.c */
/* Standard streams, channels, segment, configuration, loop; eight free for
   messages, and one in reserve for accept. */
#define FIXED_FDS (3 + 4 + 1 + 8 + 1)

static uint64_t
lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The path of our control group (version 2), below /sys/fs/cgroup. */
static bool
cgroup_path(char *path, size_t room)
{
    char line[512];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");

    while (file && !found && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        found =
            (size_t)snprintf(path, room, "/sys/fs/cgroup%s", line + 3) < room;
    }
    if (file)
        fclose(file);
    return found;
}

/* The first line of a group's file; false where there is none. */
static bool
cgroup_read(const char *group, const char *name, char line[64])
{
    char path[640];
    bool read;

    snprintf(path, sizeof(path), "%s/%s", group, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    read = fgets(line, 64, file) != NULL;
    fclose(file);
    return read;
}

static uint64_t
cpu_allowance(const char *line)
{
    unsigned long long quota, period;

    if (sscanf(line, "%llu %llu", &quota, &period) != 2 || period == 0)
        return UINT64_MAX;
    return quota < period ? 1 : (quota + period - 1) / period;
}

static uint64_t
memory_allowance(const char *line)
{
    unsigned long long octets;

    return sscanf(line, "%llu", &octets) == 1 ? octets : UINT64_MAX;
}

/* The least of what our group and those above it allow. */
static uint64_t
cgroup_least(const char *name, uint64_t (*allowance)(const char *line))
{
    char group[560], line[64];
    uint64_t least = UINT64_MAX;

    if (!cgroup_path(group, sizeof(group)))
        return least;
    for (;;) {
        if (cgroup_read(group, name, line))
            least = lesser(least, allowance(line));
        char *slash = strrchr(group, '/');
        if (slash - group < (int)strlen("/sys/fs/cgroup"))
            return least;
        *slash = '\0';
    }
}

uint64_t
config_workers(const struct config *config)
{
    cpu_set_t set;
    uint64_t count = 1;

    if (config->workers != CONFIG_AUTO)
        return config->workers;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = (uint64_t)CPU_COUNT(&set);
    count = lesser(count, cgroup_least("cpu.max", cpu_allowance));
    return lesser(count, CONFIG_WORKERS_MAX);
}

uint64_t
config_memory(const struct config *config)
{
    if (config->limits.memory != CONFIG_AUTO)
        return config->limits.memory;
    uint64_t octets =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return lesser(octets, cgroup_least("memory.max", memory_allowance));
}

uint64_t
config_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    return limit.rlim_cur;
}

uint64_t
config_sessions(const struct config *config)
{
    uint64_t workers = config_workers(config);
    uint64_t fds = config_descriptors();
    uint64_t taken =
        FIXED_FDS + config->listener_count + 2 * PIPES_MAX / workers;

    if (config->limits.sessions != CONFIG_AUTO)
        return config->limits.sessions;
    uint64_t by_fds = fds > taken ? (fds - taken) / SESSION_FDS * workers : 1;
    return lesser(by_fds, config_memory(config) / SESSION_OCTETS);
}

uint64_t
config_worker_sessions(const struct config *config)
{
    uint64_t workers = config_workers(config);

    return (config_sessions(config) + workers - 1) / workers;
}

uint64_t
config_pending(const struct config *config)
{
    if (config->limits.pending != CONFIG_AUTO)
        return config->limits.pending;
    uint64_t quarter = config_sessions(config) / 4;
    return quarter ? quarter : 1;
}
