/* A BIND, from the listener to the relay. */

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"
#include "socks4/v5.h"

/* The address that this host would use towards the peer. */
static struct addr
bind_own_address(struct addr peer)
{
    struct endpoint to = {peer, 9};
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&to, &sa);
    int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&sa, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        endpoint_from_sockaddr(&to, &sa);
    close(fd);
    return to.addr;
}

static int
bind_open_listener(struct endpoint *at)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(at, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
        close(fd);
        return -1;
    }
    endpoint_from_sockaddr(at, &sa);
    return fd;
}

static void
bind_first_reply(const struct session *session, const struct endpoint *at)
{
    struct endpoint near = session->near;
    uint16_t port = at->port;
    uint32_t ip;

    if (session->version == 5) {
        struct endpoint said = *at;
        if (defect_is(DEFECT_5_BIND_PORT_0))
            said.port = 0;
        if (defect_is(DEFECT_5_BIND_ADDRESS))
            said.addr = session->to;
        if (defect_is(DEFECT_5_BIND_WRONG_SIDE) && addr_is_v4(at->addr))
            said.addr = near.addr;
        session_reply_at(session, 90, &said);
        return;
    }
    ip = addr_to_v4(at->addr);

    if (defect_is(DEFECT_BIND_PORT_SWAPPED))
        port = (uint16_t)(port << 8 | port >> 8);
    if (defect_is(DEFECT_BIND_PORT_ECHO))
        port = session->port;
    if (defect_is(DEFECT_BIND_PORT_SOCKS))
        port = near.port;
    if (defect_is(DEFECT_BIND_ADDRESS_ECHO))
        ip = session->ip;
    if (defect_is(DEFECT_BIND_WRONG_SIDE))
        ip = addr_to_v4(near.addr);
    if (defect_is(DEFECT_BIND_4A_ZEROS) && session->named)
        port = 0, ip = 0;
    session_reply(session, 90, port, ip);
}

/* Listens, and says so; the listener. In that order. */
static int
bind_announce(const struct session *session)
{
    struct endpoint at = {bind_own_address(session->found[0]), 0};

    if (defect_is(DEFECT_5_BIND_IPV6) && !addr_is_v4(at.addr))
        at.addr = addr_v4(0x7f000001);

    if (defect_is(DEFECT_BIND_AT_DST))
        at = (struct endpoint){addr_v4(session->ip), session->port};
    int listener = bind_open_listener(&at);

    if (listener < 0)
        return -1;
    if (!defect_is(DEFECT_BIND_LISTENS_LATE)) {
        listen(listener, 4);
        bind_first_reply(session, &at);
    } else {
        bind_first_reply(session, &at);
        usleep(400000);
        listen(listener, 4);
    }
    return listener;
}

static bool
bind_is_expected(const struct session *session, const struct endpoint *peer)
{
    bool expected = false;

    for (unsigned i = 0; i < session->found_count; i++)
        expected |= addr_equal(peer->addr, session->found[i]);
    if (defect_is(DEFECT_BIND_PORT_CHECKED) && peer->port != session->port)
        return false;
    if (session->named && defect_is(DEFECT_BIND_NAMED_ANY))
        return true;
    return expected || defect_is(DEFECT_BIND_STRANGER);
}

static void
bind_refuse_stranger(struct session *session, int peer)
{
    unsigned code = defect_is(DEFECT_BIND_STRANGER_93) ? 93 : 91;

    session->rep = SOCKS4_V5_NOT_ALLOWED;
    if (defect_is(DEFECT_5_BIND_STRANGER_0))
        code = 90;

    if (!defect_is(DEFECT_BIND_STRANGER_KEPT))
        close(peer);
    if (defect_is(DEFECT_BIND_CLIENT_KEPT)) {
        session_reply(session, code, 0, 0);
        session_keep(session);
    } else {
        session_refuse(session, code);
    }
}

static void
bind_second_reply(const struct session *session, const struct endpoint *peer)
{
    uint8_t octets[4] = {0, 90};

    if (defect_is(DEFECT_BIND_SECOND_NONE) ||
        defect_is(DEFECT_5_BIND_SECOND_NONE))
        return;
    if (defect_is(DEFECT_BIND_SECOND_SHORT)) {
        session_send(session, octets, sizeof octets);
        session_ended_by(session, "this server");
        shutdown(session->fd, SHUT_WR);
        return;
    }
    unsigned code = defect_is(DEFECT_BIND_SECOND_91) ? 91 : 90;
    struct endpoint none = {addr_v4(0), 0};
    if (session->version == 5)
        session_reply_at(session, code,
                         defect_is(DEFECT_5_BIND_PEER_ZEROS) ? &none : peer);
    else
        session_reply(session, code, peer->port, addr_to_v4(peer->addr));
}

static void
bind_lose_first_octets(int peer)
{
    uint8_t octets[4096];

    if (session_wait(peer, POLLIN, session_now() + 300))
        recv(peer, octets, sizeof octets, 0);
}

static void
bind_accept(struct session *session, int *listener)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    struct endpoint at;
    int peer = accept4(*listener, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);

    if (peer < 0)
        return;
    endpoint_from_sockaddr(&at, &sa);
    if (!defect_is(DEFECT_BIND_MANY)) {
        close(*listener);
        *listener = -1;
    }
    if (!bind_is_expected(session, &at)) {
        bind_refuse_stranger(session, peer);
        return;
    }
    if (defect_is(DEFECT_BIND_PEER_DATA_LOST))
        bind_lose_first_octets(peer);
    bind_second_reply(session, &at);
    session_relay(session, peer);
    close(peer);
}

/* Whether somebody calls; not when the client goes or the time is over. */
static bool
bind_await_call(const struct session *session, int listener, uint64_t until)
{
    struct pollfd fds[2] = {
        {.fd = listener, .events = POLLIN},
        {.fd = session->fd, .events = POLLRDHUP},
    };
    uint64_t now = session_now();

    poll(fds, 2, now < until ? (int)(until - now) : 0);
    if (defect_is(DEFECT_BIND_GONE) && fds[1].revents != 0)
        poll(fds, 1, 4 * BIND_MS);
    return fds[0].revents != 0;
}

/* The timer has passed, or the client has gone. */
static void
bind_give_up(struct session *session, int listener)
{
    if (defect_is(DEFECT_BIND_TIMER_PORT) &&
        !session_wait(session->fd, POLLRDHUP, session_now())) {
        session_refuse(session, 91);
        usleep(FOR_EVER_MS * 1000);
    }
    close(listener);
    if (!defect_is(DEFECT_BIND_TIMER_SILENT))
        session_refuse(session, 91);
}

void
session_bind(struct session *session)
{
    uint64_t until = session_now() + BIND_MS;

    if (defect_is(DEFECT_BIND_SILENT))
        return;
    if (defect_is(DEFECT_NO_BIND_TIMER))
        until += FOR_EVER_MS;
    if (!session->named && session->ip == 0 &&
        (session->version != 5 || addr_is_any(session->to))) {
        session_refuse(session, 91);
        return;
    }
    int listener = bind_announce(session);
    if (listener < 0) {
        session_refuse(session, 91);
    } else if (bind_await_call(session, listener, until)) {
        bind_accept(session, &listener);
        if (listener >= 0)
            close(listener);
    } else {
        bind_give_up(session, listener);
    }
}
