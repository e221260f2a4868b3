#include "gateway/resolver/system_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_PATH reads nothing, so that landlock does not forbid it. */
static struct system_file_state
system_file_look(const char *path)
{
    struct stat found;
    int fd = open(path, O_PATH | O_CLOEXEC);
    int error = fd < 0 || fstat(fd, &found) != 0 ? -errno : 0;

    if (fd >= 0)
        close(fd);
    if (error == 0 && S_ISDIR(found.st_mode))
        error = -EISDIR;
    if (error != 0)
        return (struct system_file_state){.error = error};
    return (struct system_file_state){.device = found.st_dev,
                                      .inode = found.st_ino,
                                      .size = found.st_size,
                                      .modified = found.st_mtim,
                                      .changed = found.st_ctim};
}

static bool
system_file_time_equal(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
system_file_is_same(const struct system_file_state *a,
                    const struct system_file_state *b)
{
    return a->error == b->error && a->device == b->device &&
           a->inode == b->inode;
}

void
system_file_init(struct system_file *file, const char *path)
{
    *file = (struct system_file){.path = path};
    file->first = system_file_look(path);
}

bool
system_file_changed(struct system_file *file)
{
    struct system_file_state before = file->now;
    bool looked = file->looked;

    file->now = system_file_look(file->path);
    file->looked = true;
    return !looked || !system_file_is_same(&before, &file->now) ||
           before.size != file->now.size ||
           !system_file_time_equal(before.modified, file->now.modified) ||
           !system_file_time_equal(before.changed, file->now.changed);
}

/* Until the end, `room` is used up, or an error. */
static ssize_t
system_file_fill(int fd, char *text, size_t room)
{
    size_t len = 0;

    while (len < room) {
        ssize_t got = read(fd, text + len, room - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* The size is a hint: files of /proc have none. */
static size_t
system_file_room(int fd, size_t max)
{
    struct stat found;
    size_t least = 64 * 1024;

    if (fstat(fd, &found) != 0 || (uintmax_t)found.st_size < least)
        return least < max ? least : max;
    return (uintmax_t)found.st_size < max ? (size_t)found.st_size : max;
}

/* Does not wait where the path is a pipe or a terminal. */
int
system_file_read(const struct system_file *file, size_t max, char **text,
                 size_t *len)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) /* of a folder landlock says EACCES */
        return file->now.error != 0 ? file->now.error : -errno;
    size_t room = system_file_room(fd, max) + 1;
    char *made = malloc(room + 1);
    ssize_t got = made == NULL ? -ENOMEM : system_file_fill(fd, made, room);
    close(fd);
    if (got < 0) {
        free(made);
        return (int)got;
    }
    *text = made;
    *len = (size_t)got;
    return 0;
}

bool
system_file_is_beyond_reach(const struct system_file *file, int error)
{
    return error == -EACCES && file->now.error == 0 &&
           !system_file_is_same(&file->first, &file->now);
}

static bool
system_file_is_passing(int error)
{
    return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

void
system_file_complain(struct system_file *file, int error,
                     const char *consequence)
{
    if (system_file_is_passing(error)) {
        file->looked = false;
        return;
    }
    if (error != 0 && error != file->complained)
        fprintf(stderr, "socks4d: resolver: cannot read %s: %s: %s\n",
                file->path, strerror(-error), consequence);
    file->complained = error;
}
