#include "gateway/monitor/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/confine/privilege.h"

#define CONTROL_SOCKET_FOLDER "/run/socks4d"
#define CONTROL_SOCKET_BACKLOG 64

/* The uid of nobody, and of users of another namespace. */
#define CONTROL_SOCKET_NOBODY 65534

/* --- where --------------------------------------------------------------- */

/* Whether files can be made in the folder, which is made if need be. */
static bool
control_socket_has_folder(const char *folder, mode_t mode)
{
    return (mkdir(folder, mode) == 0 || errno == EEXIST) &&
           faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Empty: there is no place for it. */
static void
control_socket_find(char path[CONFIG_CONTROL_PATH_MAX + 1])
{
    char folder[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    path[0] = '\0';
    snprintf(folder, sizeof(folder), CONTROL_SOCKET_FOLDER);
    if (!control_socket_has_folder(folder, 0755)) {
        if (geteuid() == 0 || runtime == NULL || runtime[0] != '/')
            return;
        snprintf(folder, sizeof(folder), "%s/socks4d", runtime);
        if (!control_socket_has_folder(folder, 0700))
            return;
    }
    int len =
        snprintf(path, CONFIG_CONTROL_PATH_MAX + 1, "%.4000s/control", folder);
    if (len > CONFIG_CONTROL_PATH_MAX)
        path[0] = '\0';
}

/* --- whether it is used -------------------------------------------------- */

static socklen_t
control_socket_address(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, strlen(path));
    return (socklen_t)sizeof(*address);
}

static int
control_socket_connect(const char *path)
{
    struct sockaddr_un address;
    socklen_t len = control_socket_address(path, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)channel_refuse_fds(fd); /* whoever listens there may send one */
    int error = connect(fd, (struct sockaddr *)&address, len) == 0 ? 0 : -errno;
    close(fd);
    return error;
}

/* 0: nobody listens on it; -EADDRINUSE; or another negative errno. */
static int
control_socket_check(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    int error = control_socket_connect(path);
    if (error == -EACCES && geteuid() == 0) { /* root without that right */
        privilege_use_files_as(status.st_uid, status.st_gid); /* its owner's */
        error = control_socket_connect(path);
        privilege_use_files_as(geteuid(), getegid());
    }
    if (error == 0 || error == -EAGAIN)
        return -EADDRINUSE;
    return error == -ECONNREFUSED || error == -ENOENT ? 0 : error;
}

/* --- the file ------------------------------------------------------------ */

/* Another gateway that is about to do the same waits for the lock. A process
   that never gives it back does not keep us from starting. */
static int
control_socket_lock_folder(const char *path)
{
    char folder[CONFIG_CONTROL_PATH_MAX + 1];
    snprintf(folder, sizeof(folder), "%s", path);
    *(strrchr(folder, '/') + 1) = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < 50 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++)
        usleep(10000);
    return fd;
}

/* Of a socket that is made and not in its place yet. */
#define CONTROL_SOCKET_NEW ".new"

static void
control_socket_name_new(const struct control_socket *control,
                        char name[CONTROL_SOCKET_NAME_MAX])
{
    snprintf(name, CONTROL_SOCKET_NAME_MAX, "%s" CONTROL_SOCKET_NEW,
             control->path);
}

static int
control_socket_bind(struct control_socket *control, const char *name)
{
    struct sockaddr_un address;
    socklen_t len = control_socket_address(name, &address);
    int error;
    if (unlink(name) != 0 && errno != ENOENT)
        return -errno;
    mode_t mask = umask(control->gid != 0 ? 0117 : 0177);
    error =
        bind(control->fd, (struct sockaddr *)&address, len) == 0 ? 0 : -errno;
    umask(mask);
    return error;
}

static void
control_socket_note(struct control_socket *control, const struct stat *status)
{
    control->device = status->st_dev;
    control->inode = status->st_ino;
}

/* What was made, and not what others who can write in the folder have put in
   its place: they would be given a file of root's. */
static int
control_socket_open_made(const char *name, struct stat *status)
{
    int fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, status) == 0 && S_ISSOCK(status->st_mode) &&
        status->st_nlink == 1 && status->st_uid == geteuid())
        return fd;
    close(fd);
    return -ELOOP;
}

static int
control_socket_give(struct control_socket *control, const char *name,
                    const struct user *user)
{
    struct stat status;
    bool own = geteuid() == 0 && user->uid != CONTROL_SOCKET_NOBODY;
    uid_t uid = own ? user->uid : (uid_t)-1;
    gid_t gid = control->gid != 0 ? (gid_t)(control->gid - 1) : (gid_t)-1;
    int error = 0, fd = control_socket_open_made(name, &status);

    if (fd < 0)
        return fd;
    /* Only where it changes something: the filter of a unit may refuse it. */
    if (((uid != (uid_t)-1 && uid != status.st_uid) ||
         (gid != (gid_t)-1 && gid != status.st_gid)) &&
        fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0)
        error = -errno;
    close(fd);
    control_socket_note(control, &status);
    if (error == 0 && listen(control->fd, CONTROL_SOCKET_BACKLOG) != 0)
        error = -errno;
    return error;
}

static int
control_socket_make(struct control_socket *control,
                    const struct control_socket *now, const struct user *user)
{
    control->fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (control->fd < 0)
        return -errno;
    /* Accepted connections inherit this: they take no descriptors from clients.
       Closing a client's descriptor can block the observer as long as the
       client wants. Before Linux 6.16 the kernel lacks this option. */
    (void)channel_refuse_fds(control->fd);
    char name[CONTROL_SOCKET_NAME_MAX];
    bool replaces =
        now != NULL && now->fd != -1 && strcmp(now->path, control->path) == 0;
    control_socket_name_new(control, name);
    int lock = control_socket_lock_folder(control->path);
    int error = replaces ? 0 : control_socket_check(control->path);
    if (error == 0)
        error = control_socket_bind(control, name);
    if (error == 0) {
        error = control_socket_give(control, name, user);
        if (error == 0 && !replaces && rename(name, control->path) != 0)
            error = -errno;
        if (error != 0)
            (void)unlink(name);
    }
    control->is_new = error == 0 && replaces;
    if (lock >= 0)
        close(lock);
    if (error != 0)
        close(control->fd);
    return error;
}

/* --- open, close --------------------------------------------------------- */

static int
control_socket_find_group(struct control_socket *control, const char *name,
                          char why[CONTROL_SOCKET_WHY_MAX])
{
    const struct group *group = name != NULL ? getgrnam(name) : NULL;
    control->gid = group != NULL ? (uint32_t)group->gr_gid + 1 : 0;
    if (name == NULL || group != NULL)
        return 0;
    snprintf(why, CONTROL_SOCKET_WHY_MAX,
             "there is no group \"%.64s\" (control.group); make it with "
             "`groupadd --system %.64s', or set it to none",
             name, name);
    return -ENOENT;
}

static const char *
control_socket_error(int error, bool group)
{
    switch (-error) {
    case EADDRINUSE:
        return "another gateway uses it; set control.socket to another path, "
               "or off";
    case EEXIST:
        return "a file is there that is not a socket; remove it, or set "
               "control.socket to another path";
    case ELOOP:
        return "somebody else has changed its folder meanwhile; let none but "
               "root and the gateway's user write there";
    case ENOENT:
    case ENOTDIR:
        return "its folder does not exist; create it";
    case EPERM:
        if (group)
            return "the user that starts socks4d is not in control.group; add "
                   "it (systemd: Group= is that group)";
        return strerror(EPERM);
    case EACCES:
        return "permission denied; make its folder writable for the user that "
               "starts socks4d";
    default:
        return strerror(-error);
    }
}

int
control_socket_open(struct control_socket *control,
                    const struct control_socket *now,
                    const struct config *config, const struct user *user,
                    char why[CONTROL_SOCKET_WHY_MAX])
{
    bool given = config->control.socket == CONFIG_CONTROL_PATH;

    *control = (struct control_socket){.fd = -1};
    why[0] = '\0';
    if (config->control.socket == CONFIG_CONTROL_OFF)
        return 0;
    if (given)
        snprintf(control->path, sizeof(control->path), "%s",
                 config->control.path);
    else
        control_socket_find(control->path);
    if (control->path[0] == '\0')
        return 0;
    int error = control_socket_find_group(control, config->control.group, why);
    if (error != 0)
        return error;
    error = control_socket_make(control, now, user);
    if (error == 0)
        return 0;
    snprintf(why, CONTROL_SOCKET_WHY_MAX, "control socket %.107s: %s",
             control->path, control_socket_error(error, control->gid != 0));
    *control = (struct control_socket){.fd = -1};
    return given ? error : 0;
}

void
control_socket_take(struct control_socket *control, int fd, const char *path,
                    uint32_t gid)
{
    struct stat status;
    *control = (struct control_socket){.fd = fd, .gid = gid};
    if (fd == -1)
        return;
    snprintf(control->path, sizeof(control->path), "%s", path);
    if (lstat(path, &status) == 0)
        control_socket_note(control, &status);
}

static bool
control_socket_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
control_socket_is_same(const struct config *from, const struct config *to)
{
    return from->control.socket == to->control.socket &&
           control_socket_same_text(from->control.path, to->control.path) &&
           control_socket_same_text(from->control.group, to->control.group);
}

static void
control_socket_remove(const struct control_socket *control, const char *name)
{
    struct stat status;
    if (lstat(name, &status) == 0 && status.st_dev == control->device &&
        status.st_ino == control->inode)
        (void)unlink(name);
}

void
control_socket_replace(struct control_socket *now,
                       const struct control_socket *next)
{
    char name[CONTROL_SOCKET_NAME_MAX];
    control_socket_name_new(next, name);
    if (next->is_new)
        (void)rename(name, next->path);
    control_socket_close(now);
    *now = *next;
    now->is_new = false;
}

void
control_socket_close(struct control_socket *control)
{
    char name[CONTROL_SOCKET_NAME_MAX];
    if (control->fd == -1)
        return;
    close(control->fd);
    control->fd = -1;
    control_socket_name_new(control, name);
    control_socket_remove(control, control->is_new ? name : control->path);
}

/* The kernel tells a client who has called listen(2). */
int
control_socket_find_server(const struct config *config, struct ucred *server)
{
    struct sockaddr_un address;
    socklen_t len = sizeof(*server);
    const char *path = config->control.socket == CONFIG_CONTROL_PATH
                           ? config->control.path
                           : CONTROL_SOCKET_FOLDER "/control";

    if (config->control.socket == CONFIG_CONTROL_OFF)
        return -ENOENT;
    socklen_t address_len = control_socket_address(path, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)channel_refuse_fds(fd);
    int error =
        connect(fd, (struct sockaddr *)&address, address_len) != 0 ||
                getsockopt(fd, SOL_SOCKET, SO_PEERCRED, server, &len) != 0
            ? -errno
            : 0;
    close(fd);
    return error;
}

size_t
control_socket_warn(const struct config *config, FILE *to)
{
    struct control_socket control;
    char why[CONTROL_SOCKET_WHY_MAX], folder[CONFIG_CONTROL_PATH_MAX + 1];
    const char *path = config->control.path;
    size_t count = 0;

    if (config->control.socket == CONFIG_CONTROL_OFF)
        return 0;
    if (control_socket_find_group(&control, config->control.group, why) != 0) {
        fprintf(to, "%s: warning: %s\n", config->file, why);
        count++;
    }
    if (config->control.socket != CONFIG_CONTROL_PATH)
        return count;
    int len = (int)(strrchr(path, '/') - path);
    snprintf(folder, sizeof(folder), "%.*s", len > 0 ? len : 1, path);
    if (access(folder, W_OK | X_OK) == 0)
        return count;
    fprintf(to,
            "%s: warning: control.socket: this user cannot make %s: %s; make "
            "its folder, writable for the user that starts socks4d\n",
            config->file, path, strerror(errno));
    return count + 1;
}
