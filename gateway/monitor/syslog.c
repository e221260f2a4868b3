#include "gateway/monitor/syslog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway/line_level.h"
#include "gateway/monitor/log_socket.h"

#define FACILITY_DAEMON 3

/* RFC 5424's severities. */
static const int severity[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARNING] = 4, [LOG_LEVEL_NOTICE] = 5,
    [LOG_LEVEL_INFO] = 6,  [LOG_LEVEL_DEBUG] = 7,
};

int
syslog_connect(void)
{
    return log_socket_connect("/dev/log");
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
