#include "gateway/monitor/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int
memory_write_all(int fd, const char *octets, size_t len)
{
    while (len > 0) {
        ssize_t count = write(fd, octets, len);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0) {
            octets += count;
            len -= (size_t)count;
        }
    }
    return 0;
}

int
memory_seal(const char *name, const void *octets, size_t len)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int error = memory_write_all(fd, octets, len);
    if (error == 0 && fcntl(fd, F_ADD_SEALS, seals) != 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}
