#include "gateway/monitor/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/monitor/log_socket.h"

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
    return log_socket_connect("/run/systemd/journal/socket");
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
