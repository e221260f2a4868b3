#include "gateway/monitor/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool
journal_has_stderr(void)
{
    struct stat status;
    char ours[64];
    const char *told = getenv("JOURNAL_STREAM");
    if (told == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return strcmp(told, ours) == 0;
}

int
journal_connect(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX,
                             .sun_path = "/run/systemd/journal/socket"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

/* Nothing else that the log writer writes to is a socket of datagrams: stderr
   in the journal is a stream. */
bool
journal_is(int fd)
{
    int type;
    socklen_t len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_DGRAM;
}
