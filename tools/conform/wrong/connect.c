/* Towards the application server, and towards identd. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"
#include "socks4/ident.h"

/* A connected, blocking socket, or -errno. */
static int
connect_dial(const struct endpoint *to, const struct endpoint *from,
             uint64_t until)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(to, &sa);
    int fd =
        socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0, one = 1;
    socklen_t size = sizeof error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
    if (from != NULL) {
        struct sockaddr_storage own;
        socklen_t own_len = endpoint_to_sockaddr(from, &own);
        if (bind(fd, (struct sockaddr *)&own, own_len) < 0)
            error = errno;
    }
    if (error == 0 && connect(fd, (struct sockaddr *)&sa, len) < 0)
        error = errno;
    if (error == EINPROGRESS && !session_wait(fd, POLLOUT, until))
        error = ETIMEDOUT;
    else if (error == EINPROGRESS)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    fcntl(fd, F_SETFL, 0);
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

int
session_connect(const struct session *session)
{
    uint64_t until = session_now() + CONNECT_MS;
    int fd = -ENETUNREACH;

    if (defect_is(DEFECT_NO_CONNECT_TIMER))
        until += FOR_EVER_MS;
    for (unsigned i = 0; i < session->found_count && fd < 0; i++) {
        struct endpoint to = {session->found[i], session->port};
        if (defect_is(DEFECT_5_PORT_SWAPPED))
            to.port = (uint16_t)(to.port << 8 | to.port >> 8);
        if (!addr_is_any(to.addr))
            fd = connect_dial(&to, NULL, until);
    }
    return fd;
}

/* What identd's line says of USERID. */
static unsigned
connect_judge_answer(const struct session *session,
                     const struct socks4_ident_answer *answer)
{
    size_t len = session->userid_len;

    if (answer->kind == SOCKS4_IDENT_ERROR)
        return defect_is(DEFECT_IDENT_ERROR) ? 0 : 92;
    if (defect_is(DEFECT_IDENT_PREFIX) && answer->userid_len > len)
        return memcmp(answer->userid, session->userid, len) == 0 ? 0 : 93;
    if (defect_is(DEFECT_IDENT_SHORTER) && answer->userid_len < len)
        len = answer->userid_len;
    if (answer->userid_len == len &&
        memcmp(answer->userid, session->userid, len) == 0)
        return 0;
    return defect_is(DEFECT_IDENT_92_FOR_93) ? 92 : 93;
}

static unsigned
connect_no_answer(ssize_t error)
{
    if (defect_is(DEFECT_IDENT_GARBAGE) && error != SOCKS4_E_IDENT_PORTS)
        return 0;
    return defect_is(DEFECT_IDENT_93_FOR_92) ? 93 : 92;
}

/* The line that answers, or what its lack means. */
static unsigned
connect_read_answer(const struct session *session, int fd,
                    const struct socks4_ident_query *query, uint64_t until)
{
    uint8_t octets[2048];
    struct socks4_ident_answer answer;
    size_t len = 0;

    if (defect_is(DEFECT_IDENT_NO_TIMER))
        until += FOR_EVER_MS;
    while (len < sizeof octets && session_wait(fd, POLLIN, until)) {
        ssize_t count = recv(fd, octets + len, sizeof octets - len, 0);
        if (count <= 0)
            return connect_no_answer(0);
        len += (size_t)count;
        ssize_t used = socks4_ident_answer_decode(query, octets, len, &answer);
        if (used == SOCKS4_E_IDENT_PORTS && defect_is(DEFECT_IDENT_OTHER_PORTS))
            return 0;
        if (used > 0)
            return connect_judge_answer(session, &answer);
        if (used < 0)
            return defect_is(DEFECT_IDENT_93_FOR_92) ? 92
                                                     : connect_no_answer(used);
    }
    return defect_is(DEFECT_IDENT_93_FOR_92) ? 93 : 92;
}

unsigned
session_ask_identd(const struct session *session)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    struct endpoint peer, local;
    uint8_t octets[SOCKS4_IDENT_QUERY_MAX];
    uint64_t until = session_now() + IDENT_MS;

    if (defect_is(DEFECT_IDENT_UNASKED))
        return 0;
    getpeername(session->fd, (struct sockaddr *)&sa, &len);
    endpoint_from_sockaddr(&peer, &sa);
    len = sizeof sa;
    getsockname(session->fd, (struct sockaddr *)&sa, &len);
    endpoint_from_sockaddr(&local, &sa);
    struct socks4_ident_query query = {peer.port, local.port};
    if (defect_is(DEFECT_IDENT_PORTS))
        query = (struct socks4_ident_query){local.port, peer.port};
    peer.port = SOCKS4_IDENT_PORT;
    local.port = 0;
    int fd = connect_dial(&peer, &local, until);
    if (fd < 0)
        return defect_is(DEFECT_IDENT_93_FOR_92) ? 93 : 92;
    size_t size = socks4_ident_query_encode(&query, octets);
    send(fd, octets, size, MSG_NOSIGNAL);
    unsigned code = connect_read_answer(session, fd, &query, until);
    close(fd);
    return code;
}
