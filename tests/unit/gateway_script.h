#ifndef UNIT_GATEWAY_SCRIPT_H
#define UNIT_GATEWAY_SCRIPT_H

/*
 * A gateway on loopback that does as it is told, well or badly, in a thread
 * of its own: it serves one connection, step after step.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "tests/unit/unit.h"

enum deed {
    READ = 1, /* so many octets, which must be those */
    SAY,      /* these octets */
    DRIP,     /* these octets, each by itself */
    PAUSE,    /* so many ms */
    UNTIL,    /* the client's end of the stream */
    RESET,    /* and no more */
};

struct step {
    enum deed deed;
    const char *octets;
    size_t count;
};

struct gateway {
    const struct step *steps; /* up to one without a deed: close */
    int listener;
    struct sockaddr_storage at;
    socklen_t at_len;
    pthread_t thread;
};

/* No test waits for ever for what does not come. */
static inline void
gateway_limit(int fd)
{
    struct timeval limit = {.tv_sec = 30};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static inline void
gateway_read(int fd, const struct step *step)
{
    char got[4096];

    assert(step->count <= sizeof got);
    for (size_t have = 0; have < step->count;) {
        ssize_t more = recv(fd, got + have, step->count - have, 0);
        assert(more > 0);
        have += (size_t)more;
    }
    assert(memcmp(got, step->octets, step->count) == 0);
}

static inline void
gateway_say(int fd, const char *octets, size_t count)
{
    ssize_t sent = send(fd, octets, count, MSG_NOSIGNAL);
    assert(sent == (ssize_t)count);
}

static inline void
gateway_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static inline void
gateway_do(int fd, const struct step *step)
{
    char octet;

    switch (step->deed) {
    case READ:
        gateway_read(fd, step);
        break;
    case SAY:
        gateway_say(fd, step->octets, step->count);
        break;
    case DRIP:
        for (size_t i = 0; i < step->count; i++) {
            gateway_say(fd, step->octets + i, 1);
            usleep(2000);
        }
        break;
    case PAUSE:
        usleep((useconds_t)step->count * 1000);
        break;
    case UNTIL:
        while (recv(fd, &octet, 1, 0) > 0)
            continue;
        break;
    case RESET:
        gateway_reset(fd);
        break;
    }
}

static inline void *
gateway_serve(void *argument)
{
    const struct gateway *gateway = argument;
    int fd = accept(gateway->listener, NULL, NULL);

    assert(fd >= 0);
    gateway_limit(fd);
    for (const struct step *step = gateway->steps; step->deed != 0; step++)
        gateway_do(fd, step);
    close(fd);
    return NULL;
}

static inline void
gateway_listen(struct gateway *gateway, int family)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    memset(gateway, 0, sizeof *gateway);
    gateway->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(gateway->listener >= 0);
    if (family == AF_INET)
        assert(bind(gateway->listener, (struct sockaddr *)&v4, sizeof v4) == 0);
    else
        assert(bind(gateway->listener, (struct sockaddr *)&v6, sizeof v6) == 0);
    assert(listen(gateway->listener, 8) == 0);
    gateway->at_len = sizeof gateway->at;
    assert(getsockname(gateway->listener, (struct sockaddr *)&gateway->at,
                       &gateway->at_len) == 0);
}

static inline void
gateway_start(struct gateway *gateway, int family, const struct step *steps)
{
    gateway_listen(gateway, family);
    gateway->steps = steps;
    assert(pthread_create(&gateway->thread, NULL, gateway_serve, gateway) == 0);
}

/* Returns when the steps are done. */
static inline void
gateway_end(struct gateway *gateway)
{
    assert(pthread_join(gateway->thread, NULL) == 0);
    close(gateway->listener);
}

#endif
