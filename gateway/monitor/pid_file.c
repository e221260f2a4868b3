#include "gateway/monitor/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/confine/privilege.h"
#include "gateway/monitor/log_file.h"

#define PID_FILE_FLAGS (O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define PID_FILE_MODE 0644

/* It holds something else than a process id. */
#define PID_FILE_OTHER EEXIST

/* Empty, or digits and a line's end: of a gateway that was killed. */
static int
pid_file_check(int fd)
{
    char text[32];
    ssize_t len = read(fd, text, sizeof(text));
    if (len < 0)
        return -errno;
    for (ssize_t i = 0; i < len; i++)
        if ((text[i] < '0' || text[i] > '9') && text[i] != '\n')
            return -PID_FILE_OTHER;
    return len < (ssize_t)sizeof(text) ? 0 : -PID_FILE_OTHER;
}

static int
pid_file_fill(struct pid_file *file, int fd)
{
    struct stat status;
    char text[16];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    int error = pid_file_check(fd);
    if (error != 0)
        return error;
    if (fstat(fd, &status) != 0 || ftruncate(fd, 0) != 0)
        return -errno;
    ssize_t wrote = pwrite(fd, text, (size_t)len, 0);
    if (wrote != len)
        return wrote < 0 ? -errno : -ENOSPC;
    file->written = true;
    file->device = status.st_dev;
    file->inode = status.st_ino;
    return 0;
}

int
pid_file_write(struct pid_file *file, const struct user *user)
{
    if (file->path == NULL)
        return 0;
    int fd =
        log_file_open_strictly(file->path, PID_FILE_FLAGS, PID_FILE_MODE, user);
    if (fd < 0)
        return fd;
    int error = pid_file_fill(file, fd);
    close(fd);
    return error;
}

/* If it is still the one that was written. 0 or a negative errno. */
static int
pid_file_unlink(const struct pid_file *file)
{
    struct stat status;
    if (lstat(file->path, &status) != 0)
        return -errno;
    if (status.st_dev != file->device || status.st_ino != file->inode)
        return 0;
    return unlink(file->path) == 0 ? 0 : -errno;
}

void
pid_file_remove(const struct pid_file *file, const struct user *user)
{
    if (!file->written || pid_file_unlink(file) != -EACCES || geteuid() != 0)
        return;
    privilege_use_files_as(user->uid, user->gid);
    (void)pid_file_unlink(file);
    privilege_use_files_as(geteuid(), getegid());
}

const char *
pid_file_error(int error)
{
    switch (-error) {
    case ELOOP:
        return "a symbolic link is on its path, which is not followed; write "
               "the path that the link leads to";
    case ENXIO:
    case EISDIR:
    case LOG_FILE_NOT_REGULAR:
        return "it is not a regular file; write a file's path";
    case PID_FILE_OTHER:
        return "it holds something else than a process id and is left alone; "
               "write another path, or remove it";
    default:
        return log_file_error(error);
    }
}
