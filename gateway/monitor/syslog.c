#include "gateway/monitor/syslog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gateway/line_level.h"

#define FACILITY_DAEMON 3

/* RFC 5424's severities. */
static const int severity[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARNING] = 4, [LOG_LEVEL_NOTICE] = 5,
    [LOG_LEVEL_INFO] = 6,  [LOG_LEVEL_DEBUG] = 7,
};

int
syslog_connect(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

/* "<29>Nov 23 20:31:00 socks4d[42]: ", RFC 3164 with local time. */
static size_t
syslog_head(char *text, size_t size, enum log_level level)
{
    time_t now = time(NULL);
    struct tm tm;
    char stamp[32];
    localtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
    int len = snprintf(text, size, "<%d>%s socks4d[%d]: ",
                       FACILITY_DAEMON * 8 + severity[level], stamp, getpid());
    return (size_t)len;
}

int
syslog_send(int fd, const char *line, size_t len)
{
    char front[64];
    struct iovec parts[] = {
        {front, 0},
        {(char *)line, len},
    };
    struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = 2};
    parts[0].iov_len = syslog_head(front, sizeof(front), line_level(line, len));
    for (;;) {
        if (sendmsg(fd, &datagram, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}
