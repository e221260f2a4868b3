/* Replies, and how a connection ends behind one; the clock. */

#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"
#include "socks4/v5.h"
#include "tools/route/v5_address.h"

#define LINGER_MS 1000

struct endpoint
session_near_end(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    struct endpoint at = {addr_v4(0), 0};

    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        endpoint_from_sockaddr(&at, &sa);
    return at;
}

uint64_t
session_now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

bool
session_wait(int fd, short events, uint64_t until)
{
    struct pollfd poller = {.fd = fd, .events = events};
    uint64_t now = session_now();

    return poll(&poller, 1, now < until ? (int)(until - now) : 0) > 0;
}

ssize_t
session_recv(const struct session *session, void *octets, size_t len)
{
    ssize_t count = recv(session->fd, octets, len, 0);

    if (count > 0)
        session->tally->in += (size_t)count;
    else
        session_ended_by(session, count == 0 ? "the client"
                                             : "the client, with a reset");
    return count;
}

void
session_send(const struct session *session, const void *octets, size_t len)
{
    ssize_t count = send(session->fd, octets, len, MSG_NOSIGNAL);

    if (count > 0)
        session->tally->out += (size_t)count;
}

void
session_ended_by(const struct session *session, const char *who)
{
    if (session->tally->ended_by == NULL)
        session->tally->ended_by = who;
}

static void
reply_send_pieces(const struct session *session, const uint8_t *octets,
                  size_t len)
{
    for (size_t i = 0; i < len; i++) {
        session_send(session, octets + i, 1);
        usleep(20000);
    }
}

/* How many octets of it are sent. */
static size_t
reply_length(unsigned command, unsigned code)
{
    if (code == 90 && command == 1 && defect_is(DEFECT_GRANT_LONG))
        return 9;
    if (code == 90)
        return defect_is(DEFECT_GRANT_SHORT) ? 7 : 8;
    if (defect_is(DEFECT_REFUSAL_SHORT))
        return 4;
    return defect_is(DEFECT_REFUSAL_LONG) ? 9 : 8;
}

static unsigned
reply_code(unsigned code)
{
    if (code == 90)
        return defect_is(DEFECT_GRANT_CODE_0) ? 0 : 90;
    if (code != 91)
        return code;
    if (defect_is(DEFECT_REFUSAL_CODE_0))
        return 0;
    if (defect_is(DEFECT_REFUSAL_CODE_94))
        return 94;
    return defect_is(DEFECT_REFUSAL_92) ? 92 : 91;
}

/* How many octets too many, or too few, the reply has. */
static int
reply_excess_of_5(const struct session *session, unsigned code)
{
    if (code == 90)
        return session->command == 1 && defect_is(DEFECT_5_REPLY_LONG);
    if (defect_is(DEFECT_5_REFUSAL_CUT))
        return -6;
    return defect_is(DEFECT_5_REFUSAL_LONG);
}

static uint8_t
reply_rep(const struct session *session)
{
    if ((session->rep == SOCKS4_V5_NO_TYPE && defect_is(DEFECT_5_TYPE_1)) ||
        (session->rep == SOCKS4_V5_NO_COMMAND &&
         defect_is(DEFECT_5_COMMAND_1)) ||
        (session->rep == SOCKS4_V5_REFUSED && defect_is(DEFECT_5_REFUSED_1)) ||
        session->rep == 0)
        return SOCKS4_V5_FAILURE;
    return session->rep;
}

void
session_reply_at(const struct session *session, unsigned code,
                 const struct endpoint *at)
{
    uint8_t octets[SOCKS4_V5_REPLY_MAX + 1] = {0};
    struct socks4_v5_reply reply = {.code = code == 90 ? SOCKS4_V5_SUCCEEDED
                                                       : reply_rep(session),
                                    .address = v5_address(at)};
    bool refuses = code != 90;

    ssize_t len = socks4_v5_reply_encode(&reply, octets, SOCKS4_V5_REPLY_MAX);
    if (refuses ? defect_is(DEFECT_5_REFUSAL_VERSION)
                : defect_is(DEFECT_5_REPLY_VERSION))
        octets[0] = 4;
    if (!refuses && defect_is(DEFECT_5_REPLY_RESERVED))
        octets[2] = 1;
    session_send(session, octets,
                 (size_t)(len + reply_excess_of_5(session, code)));
}

void
session_reply(const struct session *session, unsigned code, uint16_t port,
              uint32_t ip)
{
    if (session->version == 5) {
        struct endpoint at = {addr_v4(code == 90 ? ip : 0),
                              code == 90 ? port : 0};
        session_reply_at(session, code, &at);
        return;
    }
    uint8_t octets[9] = {0, (uint8_t)reply_code(code)};
    size_t len = reply_length(session->command, code);

    if (defect_is(DEFECT_REPLY_VERSION) ||
        (session->command > 2 && defect_is(DEFECT_COMMAND_VERSION)) ||
        (code == 90 && defect_is(DEFECT_GRANT_4)))
        octets[0] = 4;
    if (defect_is(DEFECT_ADDRESS_SET) && session->command == 1) {
        port = 0xffff;
        ip = 0xffffffff;
    }
    octets[2] = (uint8_t)(port >> 8);
    octets[3] = (uint8_t)port;
    for (unsigned i = 0; i < 4; i++)
        octets[4 + i] = (uint8_t)(ip >> (24 - 8 * i));
    if (defect_is(DEFECT_PIECES))
        reply_send_pieces(session, octets, len);
    else
        session_send(session, octets, len);
    if (len == 7) {
        session_ended_by(session, "this server");
        shutdown(session->fd, SHUT_RDWR);
    }
}

void
session_linger(const struct session *session)
{
    uint64_t until = session_now() + LINGER_MS;
    uint8_t octets[4096];

    session_ended_by(session, "this server");
    shutdown(session->fd, SHUT_WR);
    while (session_wait(session->fd, POLLIN, until))
        if (session_recv(session, octets, sizeof octets) <= 0)
            break;
}

void
session_refuse(struct session *session, unsigned code)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    session_reply(session, code, session->port, session->ip);
    if (defect_is(DEFECT_REFUSAL_OPEN)) {
        session_keep(session);
    } else if (defect_is(DEFECT_REFUSAL_RESET) &&
               session_wait(session->fd, POLLIN, session_now() + 50)) {
        setsockopt(session->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else {
        session_linger(session);
    }
}

void
session_keep(struct session *session)
{
    uint64_t until = session_now() + FOR_EVER_MS;
    uint8_t octets[4096];

    while (session_wait(session->fd, POLLIN, until)) {
        ssize_t count = session_recv(session, octets, sizeof octets);
        if (count < 0)
            return;
        if (count == 0) { /* a half-close is no reason to go */
            session_wait(session->fd, 0, until);
            return;
        }
    }
}
