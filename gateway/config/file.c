#include "gateway/config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (64 << 20)

/* A pipe that is open and has no octets now. */
static bool
file_wait(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    return poll(&readable, 1, -1) >= 0 || errno == EINTR;
}

char *
file_read(int fd, size_t *len)
{
    size_t used = 0, room = 0;
    char *text = NULL;

    for (;;) {
        if (used == room) {
            room = room ? room * 2 : 16384;
            char *more = realloc(text, room);
            if (!more)
                break;
            text = more;
        }
        ssize_t n = read(fd, text + used, room - used);
        if (n == 0) {
            *len = used;
            return text;
        }
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && file_wait(fd))))
            continue;
        if (n < 0)
            break;
        used += (size_t)n;
        errno = EFBIG;
        if (used > FILE_SIZE_MAX)
            break;
    }
    int error = errno;
    free(text);
    errno = error;
    return NULL;
}

char *
file_read_path(const char *path, size_t *len)
{
    char *text = NULL;
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode))
        text = file_read(fd, len);
    else
        errno = EINVAL;
    int error = errno;
    close(fd);
    errno = error;
    return text;
}

void
file_beside(const char *config_file, const char *written, char path[PATH_MAX])
{
    const char *slash = config_file ? strrchr(config_file, '/') : NULL;
    int folder =
        slash && written[0] != '/' ? (int)(slash - config_file) + 1 : 0;

    snprintf(path, PATH_MAX, "%.*s%s", folder, folder > 0 ? config_file : "",
             written);
}

/* FNV-1a: whoever can force a collision can also replace the files. */
void
file_identify(uint64_t *identity, const struct stat *status)
{
    const uint64_t figures[] = {
        status->st_dev,
        status->st_ino,
        (uint64_t)status->st_size,
        (uint64_t)status->st_ctim.tv_sec * UINT64_C(1000000000) +
            (uint64_t)status->st_ctim.tv_nsec,
        (uint64_t)status->st_mtim.tv_sec * UINT64_C(1000000000) +
            (uint64_t)status->st_mtim.tv_nsec,
    };
    const unsigned char *octets = (const void *)figures;

    for (size_t i = 0; i < sizeof(figures); i++)
        *identity = (*identity ^ octets[i]) * UINT64_C(0x100000001b3);
}

const char *
file_error(int error)
{
    if (error == EISDIR)
        return "Is a directory; name a file in it";
    if (error == ENXIO)
        return "it is a socket or a device, not a file";
    if (error == EACCES && geteuid() == 0)
        return "permission denied (root lacks CAP_DAC_OVERRIDE here); chown "
               "the file to root or chmod it, and its folders";
    if (error == EACCES)
        return "permission denied to this user; change the group or mode of "
               "the file, and of its folders";
    return strerror(error);
}
