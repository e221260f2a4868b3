#include "gateway/monitor/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

int
memory_begin(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

int
memory_write(int fd, const void *octets, size_t len)
{
    const char *at = octets;
    while (len > 0) {
        ssize_t count = write(fd, at, len);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0) {
            at += count;
            len -= (size_t)count;
        }
    }
    return 0;
}

int
memory_copy(int fd, int from, size_t len)
{
    off_t at = 0;
    while ((size_t)at < len) {
        ssize_t count = sendfile(fd, from, &at, len - (size_t)at);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count == 0)
            return -EAGAIN;
    }
    char more;
    return pread(from, &more, 1, at) == 0 ? 0 : -EAGAIN;
}

int
memory_end(int fd)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    return fcntl(fd, F_ADD_SEALS, seals) != 0 ? -errno : 0;
}

int
memory_make(const char *name, size_t size)
{
    int fd = memory_begin(name);
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

bool
memory_has_size(int fd, size_t size)
{
    struct stat status;
    return fstat(fd, &status) == 0 && (size_t)status.st_size == size;
}

int
memory_seal(const char *name, const void *octets, size_t len)
{
    int fd = memory_begin(name);
    if (fd < 0)
        return fd;
    int error = memory_write(fd, octets, len);
    if (error == 0)
        error = memory_end(fd);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}
