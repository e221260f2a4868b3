/*
 * A worker that was taken over, as far as its confinement goes: confined as a
 * worker is, it does something to a socket of the worker's. Its arguments:
 * what, user and group, the descriptor, and what it says. Built by taken.py.
 * Exit status 0: it was done; 1: it failed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/confine/confine.h"

static int sock;

static int
disconnect(void)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    return connect(sock, &nowhere, sizeof(nowhere));
}

/* It listens no more, and cannot be told to: it is a connection now. */
static int
connect_elsewhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int other = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    if (bind(other, (struct sockaddr *)&at, len) < 0 || listen(other, 1) < 0 ||
        getsockname(other, (struct sockaddr *)&at, &len) < 0 ||
        disconnect() < 0)
        return -1;
    connect(sock, (struct sockaddr *)&at, len); /* EINPROGRESS */
    return 0;
}

/* A socket of this process alone has the address, until the first connection
   comes. */
static int
take_address(void)
{
    struct sockaddr_in at;
    socklen_t len = sizeof(at);
    int on = 1, own = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    setsockopt(own, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (getsockname(sock, (struct sockaddr *)&at, &len) < 0 ||
        disconnect() < 0 || bind(own, (struct sockaddr *)&at, len) < 0 ||
        listen(own, 1) < 0)
        return -1;
    return accept4(own, NULL, NULL, 0);
}

/* Each close of what inherits it is a reset. */
static int
linger(void)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    return setsockopt(sock, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* What inherits them loses urgent data's place, is late, gives up early, is
   slow, and keeps the next gateway from the address. */
static int
inherit(void)
{
    static const struct {
        int level, option, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 0},  {SOL_SOCKET, SO_KEEPALIVE, 0},
        {IPPROTO_TCP, TCP_KEEPIDLE, 1}, {IPPROTO_TCP, TCP_KEEPINTVL, 1},
        {IPPROTO_TCP, TCP_KEEPCNT, 1},  {SOL_SOCKET, SO_OOBINLINE, 0},
        {SOL_SOCKET, SO_REUSEADDR, 0},  {SOL_SOCKET, SO_RCVBUF, 1},
        {SOL_SOCKET, SO_SNDBUF, 1},     {IPPROTO_TCP, TCP_WINDOW_CLAMP, 1},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (setsockopt(sock, options[i].level, options[i].option,
                       &options[i].value, sizeof(options[i].value)) != 0)
            return -1;
    return 0;
}

/* It listens as before, and what it accepts cannot send. */
static int
shut_sending(void)
{
    if (disconnect() != 0 || shutdown(sock, SHUT_WR) == 0)
        return -1;
    return listen(sock, 65535);
}

static int
attempt(const char *what, const char *text)
{
    if (strcmp(what, "shutdown") == 0)
        return shutdown(sock, SHUT_RD);
    if (strcmp(what, "disconnect") == 0)
        return disconnect();
    if (strcmp(what, "connect-elsewhere") == 0)
        return connect_elsewhere();
    if (strcmp(what, "linger") == 0)
        return linger();
    if (strcmp(what, "inherit") == 0)
        return inherit();
    if (strcmp(what, "shut-sending") == 0)
        return shut_sending();
    if (strcmp(what, "cut-queue") == 0)
        return listen(sock, 1);
    if (strcmp(what, "take-address") == 0)
        return take_address();
    if (strcmp(what, "say") == 0)
        return (int)send(sock, text, strlen(text), MSG_NOSIGNAL);
    return -1;
}

int
main(int argc, char **argv)
{
    struct confinement had;

    if (argc != 6)
        return 2;
    sock = atoi(argv[4]);
    if (confine(&confine_worker, CONFINE_TRY, (uid_t)atoi(argv[2]),
                (gid_t)atoi(argv[3]), &had) != 0 ||
        (had.missing & 1u << CONFINE_SECCOMP) != 0)
        return 3;
    return attempt(argv[1], argv[5]) >= 0 ? 0 : 1;
}
