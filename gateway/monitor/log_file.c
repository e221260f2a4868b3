#include "gateway/monitor/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "gateway/confine/privilege.h"

#define LOG_FILE_FLAGS                                                         \
    (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define LOG_FILE_MODE 0640

/* What the checks say, beside what open itself may. */
#define LOG_FILE_LINKED EMLINK
#define LOG_FILE_FOREIGN EKEYREJECTED

/* Follows no link. A kernel or a filter without openat2 leaves the last part of
   the path alone to be checked. */
static int
log_file_open_directly(const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)flags,
        .mode = mode,
        .resolve = RESOLVE_NO_SYMLINKS,
    };
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open(path, flags | O_NOFOLLOW, mode);
    return fd < 0 ? -errno : fd;
}

static int
log_file_check(int fd, uid_t user)
{
    struct stat stat;

    if (fstat(fd, &stat) < 0)
        return -errno;
    if (!S_ISREG(stat.st_mode))
        return -LOG_FILE_NOT_REGULAR;
    if (stat.st_nlink != 1)
        return -LOG_FILE_LINKED;
    if (stat.st_uid != 0 && stat.st_uid != user)
        return -LOG_FILE_FOREIGN;
    return 0;
}

int
log_file_open_strictly(const char *path, int flags, mode_t mode,
                       const struct user *user)
{
    int fd = log_file_open_directly(path, flags, mode);
    if (fd == -EACCES && geteuid() == 0 && user->uid != 0) {
        privilege_use_files_as(user->uid, user->gid);
        fd = log_file_open_directly(path, flags, mode);
        privilege_use_files_as(geteuid(), getegid());
    }
    if (fd < 0)
        return fd;
    int error = log_file_check(fd, user->uid);
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

int
log_file_open(const char *path, const struct user *user)
{
    if (geteuid() == 0)
        return log_file_open_strictly(path, LOG_FILE_FLAGS, LOG_FILE_MODE,
                                      user);
    int fd = open(path, LOG_FILE_FLAGS, LOG_FILE_MODE);
    return fd < 0 ? -errno : fd;
}

/* Whether it could be made in its folder. */
static int
log_file_try_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(folder, sizeof(folder), "%.*s",
             slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0 ? -errno
                                                                    : 0;
}

static int
log_file_try_root(const char *path, const struct user *user)
{
    int fd = log_file_open_strictly(path, LOG_FILE_FLAGS & ~O_CREAT, 0, user);

    if (fd >= 0)
        close(fd);
    if (fd != -ENOENT)
        return fd < 0 ? fd : 0;
    int error = log_file_try_folder(path);
    if (error == -EACCES && user->uid != 0) {
        privilege_use_files_as(user->uid, user->gid);
        error = log_file_try_folder(path);
        privilege_use_files_as(geteuid(), getegid());
    }
    return error;
}

int
log_file_try(const char *path, const struct user *user)
{
    struct stat stat_of;

    if (geteuid() == 0)
        return log_file_try_root(path, user);
    if (stat(path, &stat_of) == 0) {
        if (!S_ISREG(stat_of.st_mode))
            return -LOG_FILE_NOT_REGULAR;
        return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0 ? -errno : 0;
    }
    return errno != ENOENT ? -errno : log_file_try_folder(path);
}

const char *
log_file_error(int error)
{
    switch (-error) {
    case ELOOP:
        return "a symbolic link is on its path, which is not followed as root; "
               "write the path that the link leads to";
    case EISDIR:
    case ENXIO:
    case LOG_FILE_NOT_REGULAR:
        return "it is not a regular file; write a file's path, or set log: "
               "{target: stderr}";
    case LOG_FILE_LINKED:
        return "it has a second name (a hard link); remove one of them";
    case LOG_FILE_FOREIGN:
        return "it belongs to neither root nor the gateway's user; give it to "
               "one of them (chown)";
    case EACCES:
    case EPERM:
        if (geteuid() == 0)
            return "permission denied to root and to the gateway's user; make "
                   "its folder writable for one of them, and give the file to "
                   "the same one (chown)";
        return "permission denied; make its folder writable for the user that "
               "starts socks4d";
    case ENOENT:
        return "its folder does not exist; create it";
    default:
        return strerror(-error);
    }
}
