#include "gateway/monitor/other_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/monitor/certificates.h"
#include "gateway/monitor/control_socket.h"
#include "gateway/monitor/log_file.h"
#include "gateway/monitor/user.h"
#include "gateway/monitor/users_copy.h"

#define OTHER_USER_GROUPS_MAX 1024

struct other_user {
    uid_t uid;
    gid_t gid;
    char name[64];
    gid_t groups[OTHER_USER_GROUPS_MAX];
    size_t group_count;
    bool runs; /* a gateway of this user, on this configuration */
};

/* --- which user ---------------------------------------------------------- */

/* Of a process: its unit may give it more groups than /etc/group does. */
static void
other_user_find_groups(struct other_user *other, pid_t pid)
{
    char path[64], *line = NULL, *end;
    size_t room = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    if (status == NULL)
        return;
    while (getline(&line, &room, status) > 0) {
        if (strncmp(line, "Groups:", 7) != 0)
            continue;
        for (char *at = line + 7; other->group_count < OTHER_USER_GROUPS_MAX;
             at = end) {
            unsigned long gid = strtoul(at, &end, 10);
            if (end == at)
                break;
            other->groups[other->group_count++] = (gid_t)gid;
        }
    }
    free(line);
    fclose(status);
}

/* Whether the process was started with the file: `-c FILE', an absolute path.
   Of another file it is not known what that gateway would do with it. */
static bool
other_user_has_file(pid_t pid, const struct stat *file)
{
    char path[64], *word = NULL;
    size_t room = 0;
    struct stat status;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    FILE *words = fopen(path, "re");
    while (words != NULL && !found && getdelim(&word, &room, '\0', words) > 0) {
        const char *slash = strchr(word, '/'); /* -c/etc/socks4d.yaml, too */
        found = slash != NULL && stat(slash, &status) == 0 &&
                status.st_dev == file->st_dev && status.st_ino == file->st_ino;
    }
    free(word);
    if (words != NULL)
        fclose(words);
    return found;
}

/* False: files are root's affair, or nobody's. */
static bool
other_user_find(struct other_user *other, const struct config *config,
                const struct stat *file)
{
    struct ucred server;
    struct user user = {0};
    int count = OTHER_USER_GROUPS_MAX;

    *other = (struct other_user){.runs = false};
    if (control_socket_find_server(config, &server) == 0) {
        other->runs = other_user_has_file(server.pid, file);
        other->uid = server.uid;
        other->gid = server.gid;
        other_user_find_groups(other, server.pid);
    } else if (user_exists(config->user != NULL ? config->user : "socks4d") &&
               user_find(config->user, &user) == 0) {
        other->uid = user.uid;
        other->gid = user.gid;
    }
    const struct passwd *entry = other->uid != 0 ? getpwuid(other->uid) : NULL;
    if (entry != NULL)
        snprintf(other->name, sizeof(other->name), "%s", entry->pw_name);
    else
        snprintf(other->name, sizeof(other->name), "%u", other->uid);
    if (other->group_count == 0 && entry != NULL && !other->runs &&
        getgrouplist(entry->pw_name, other->gid, other->groups, &count) > 0)
        other->group_count = (size_t)count;
    return other->uid != 0;
}

/* --- as that user -------------------------------------------------------- */

/* What the start reads, in its order. The certificates need no check again. */
static int
other_user_read(const struct other_user *other, const struct config *config,
                const struct config_source *source, struct config_error *error)
{
    struct certificates certificates;
    struct users_copy users;

    if (!other->runs && access(source->file, R_OK) != 0)
        return 0; /* one that is not in its place yet */
    struct config *again = config_open(source, true, error, NULL);
    if (again == NULL)
        return -1;
    config_unref(again);
    if (certificates_read(&certificates, config, NULL, error) != 0)
        return -1;
    certificates_free(&certificates);
    if (users_copy_read(&users, config, error, NULL) != 0)
        return -1;
    users_copy_free(&users);
    if (!other->runs || config->log.target != CONFIG_LOG_FILE)
        return 0; /* the folder may come with the service */
    int failed = log_file_try(config->log.path, NULL);
    if (failed != 0)
        snprintf(error->text, sizeof(error->text),
                 "%.200s: log.target: cannot write %.200s: %s", config->file,
                 config->log.path, log_file_error(failed));
    return failed;
}

static void
other_user_say(const struct other_user *other, const char *why, FILE *to)
{
    if (other->runs)
        fprintf(to,
                "socks4d: warning: the gateway that runs is of user %s, and "
                "its reload and its next start will fail: %s\n",
                other->name, why);
    else
        fprintf(to,
                "socks4d: note: root can start this, but a unit with User=%s "
                "(as socks4d.service) cannot: %s\n",
                other->name, why);
}

/* The child: 0, or 1 after a line. */
static int
other_user_try(const struct other_user *other, const struct config *config,
               const struct config_source *source, FILE *to)
{
    struct config_error error;

    if (setgroups(other->group_count, other->groups) != 0 ||
        setresgid(other->gid, other->gid, other->gid) != 0 ||
        setresuid(other->uid, other->uid, other->uid) != 0)
        return 0; /* in this container nobody can be that user */
    if (other_user_read(other, config, source, &error) == 0)
        return 0;
    other_user_say(other, error.text, to);
    return fflush(to) == 0;
}

bool
other_user_warn(const struct config *config, const struct config_source *source,
                FILE *to)
{
    struct other_user other;
    struct stat status;
    siginfo_t ended = {0};

    if (source->file == NULL || stat(source->file, &status) != 0 ||
        !S_ISREG(status.st_mode) || !other_user_find(&other, config, &status) ||
        fflush(to) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        _exit(other_user_try(&other, config, source, to));
    return pid > 0 && waitid(P_PID, (id_t)pid, &ended, WEXITED) == 0 &&
           ended.si_code == CLD_EXITED && ended.si_status == 1 && other.runs;
}
