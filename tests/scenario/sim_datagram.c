/* Datagrams: what arrives at a socket waits there, and what is sent is kept
   until the script asks for it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/sim_fd.h"

/* Of UDP over IPv4, behind both headers. */
#define DATAGRAM_MAX 65507
#define QUEUE_MAX 64

static uint32_t
datagrams_poll(struct sim_source *source)
{
    struct sim_datagrams *socket =
        container_of(source, struct sim_datagrams, source);
    return socket->first != NULL ? EPOLLIN | EPOLLOUT : EPOLLOUT;
}

static struct sim_datagram *
datagram_new(const struct endpoint *from, const struct endpoint *to,
             const void *octets, size_t len)
{
    struct sim_datagram *datagram = sim_new(sizeof(*datagram) + len);

    datagram->from = *from;
    datagram->to = *to;
    datagram->len = len;
    if (len > 0)
        memcpy(datagram->octets, octets, len);
    return datagram;
}

static struct sim_datagrams *
datagrams_at(const struct endpoint *at)
{
    for (int i = 0; i < SIM_FDS; i++) {
        const struct sim_fd *fd = &sim_kernel.fds[i];
        if (fd->kind == SIM_FD_DATAGRAMS &&
            fd->datagrams->at.port == at->port &&
            (addr_equal(fd->datagrams->at.addr, at->addr) ||
             (addr_is_any(fd->datagrams->at.addr) &&
              addr_is_v4(fd->datagrams->at.addr) == addr_is_v4(at->addr))))
            return fd->datagrams;
    }
    return NULL;
}

int
sim_datagrams_open(struct endpoint *at)
{
    struct sim_datagrams *socket;

    if (datagrams_at(at) != NULL)
        return -EADDRINUSE;
    socket = sim_new(sizeof(*socket));
    sim_source_init(&socket->source, datagrams_poll);
    socket->at = *at;
    return sim_fd_open(SIM_FD_DATAGRAMS, socket);
}

bool
sim_datagram_arrives(const struct endpoint *from, const struct endpoint *to,
                     const void *octets, size_t len)
{
    struct sim_datagrams *socket = datagrams_at(to);
    struct sim_datagram **end;
    int count = 0;

    if (socket == NULL)
        return false;
    for (end = &socket->first; *end != NULL; end = &(*end)->next)
        count++;
    if (count < QUEUE_MAX)
        *end = datagram_new(from, to, octets, len);
    sim_wake(&socket->source, EPOLLIN);
    return true;
}

struct sim_datagram *
sim_datagrams_take(struct sim_datagrams *socket)
{
    struct sim_datagram *datagram = socket->first;

    if (datagram != NULL)
        socket->first = datagram->next;
    return datagram;
}

int
sim_datagram_leaves(const struct sim_datagrams *socket,
                    const struct endpoint *to, const void *octets, size_t len)
{
    struct sim_datagram **end = &sim_kernel.sent;
    struct endpoint from = socket->at;

    if (len > DATAGRAM_MAX)
        return -EMSGSIZE;
    if (addr_is_any(from.addr) && addr_is_v4(to->addr))
        from.addr = sim_kernel.locals[0];
    while (*end != NULL)
        end = &(*end)->next;
    *end = datagram_new(&from, to, octets, len);
    return 0;
}

struct sim_datagram *
sim_take_datagram(void)
{
    struct sim_datagram *datagram = sim_kernel.sent;

    if (datagram != NULL)
        sim_kernel.sent = datagram->next;
    return datagram;
}

void
sim_datagrams_close(struct sim_datagrams *socket)
{
    struct sim_datagram *datagram;

    sim_poll_remove(&socket->source);
    while ((datagram = sim_datagrams_take(socket)) != NULL)
        free(datagram);
    free(socket);
}
