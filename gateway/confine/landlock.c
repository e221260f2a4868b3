#include "gateway/confine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The kernel's interface, which grows: what is handled is denied unless a
 * rule allows it, and only what the running kernel knows may be handled.
 * Written out here, so that it does not depend on the headers of the
 * machine that builds it.
 */
struct landlock_rights {
    uint64_t files, tcp, scopes; /* what is handled */
};

struct landlock_rule {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

struct landlock_port_rule {
    uint64_t allowed, port;
};

enum { READ_FILE = 1 << 2 };
enum { BIND_TCP = 1, CONNECT_TCP = 2 };
enum { RULE_BELOW_FOLDER = 1, RULE_PORT };
enum { ASK_VERSION = 1 };

/* What each version of the interface has brought. */
static const struct landlock_rights brought[] = {
    [1] = {.files = 0x1fff},  /* read, write, execute, make and remove */
    [2] = {.files = 1 << 13}, /* link and rename between folders */
    [3] = {.files = 1 << 14}, /* truncate */
    [4] = {.tcp = 3},         /* bind, connect */
    [5] = {.files = 1 << 15}, /* ioctl on devices */
    [6] = {.scopes = 3},      /* abstract sockets, signals */
};

#define NEWEST (sizeof(brought) / sizeof(brought[0]) - 1)

/* What is handled of TCP: all, or where only some ports are allowed. */
static uint64_t
landlock_tcp(const struct confine_table *table)
{
    uint64_t handled = 0;
    if (!table->tcp)
        return BIND_TCP | CONNECT_TCP;
    if (table->ports != NULL && !table->ports->bind.all)
        handled |= BIND_TCP;
    if (table->ports != NULL && !table->ports->connect.all)
        handled |= CONNECT_TCP;
    return handled;
}

static struct landlock_rights
landlock_handled(size_t version, uint64_t tcp)
{
    struct landlock_rights all = {0};
    for (size_t i = 1; i <= version && i <= NEWEST; i++) {
        all.files |= brought[i].files;
        all.tcp |= tcp & brought[i].tcp;
        all.scopes |= brought[i].scopes;
    }
    return all;
}

/* A path that leads to nothing is not allowed, which is no error. */
static bool
landlock_leads_nowhere(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP ||
           error == EACCES;
}

static int
landlock_allow_folder(int ruleset, const struct confine_folder *folder)
{
    struct landlock_rule rule = {
        .allowed = READ_FILE, .folder = open(folder->path, O_PATH | O_CLOEXEC)};
    if (rule.folder < 0)
        return landlock_leads_nowhere(errno) ? 0 : -errno;
    struct stat found;
    if (folder->is_file &&
        (fstat(rule.folder, &found) != 0 || S_ISDIR(found.st_mode))) {
        close(rule.folder);
        return 0;
    }
    long done =
        syscall(SYS_landlock_add_rule, ruleset, RULE_BELOW_FOLDER, &rule, 0);
    int error = done == 0 ? 0 : -errno;
    close(rule.folder);
    return error;
}

static int
landlock_allow_ports(int ruleset, const struct ports *ports, uint64_t allowed)
{
    for (size_t i = 0; i < ports->count; i++) {
        const struct ports_range *range = &ports->ranges[i];
        struct landlock_port_rule rule = {.allowed = allowed,
                                          .port = range->first};
        for (; rule.port <= range->last; rule.port++)
            if (syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) !=
                0)
                return -errno;
    }
    return 0;
}

static int
landlock_allow_tcp(int ruleset, const struct confine_table *table, uint64_t tcp)
{
    int error = 0;
    if (!table->tcp)
        return 0;
    if ((tcp & BIND_TCP) != 0)
        error = landlock_allow_ports(ruleset, &table->ports->bind, BIND_TCP);
    if (error == 0 && (tcp & CONNECT_TCP) != 0)
        error =
            landlock_allow_ports(ruleset, &table->ports->connect, CONNECT_TCP);
    return error;
}

/* `tcp`: what is handled of it. */
static int
landlock_apply(int ruleset, const struct confine_table *table, uint64_t tcp)
{
    for (size_t i = 0; i < table->folder_count; i++) {
        int error = landlock_allow_folder(ruleset, &table->folders[i]);
        if (error != 0)
            return error;
    }
    int error = landlock_allow_tcp(ruleset, table, tcp);
    if (error != 0)
        return error;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : -errno;
}

int
landlock_confine(const struct confine_table *table)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
    if (version < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 1 : -errno;
    struct landlock_rights rights =
        landlock_handled((size_t)version, landlock_tcp(table));
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof(rights), 0);
    if (ruleset < 0)
        return -errno;
    int error = landlock_apply(ruleset, table, rights.tcp);
    close(ruleset);
    return error;
}

bool
landlock_bounds_ports(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION) >= 4;
}
