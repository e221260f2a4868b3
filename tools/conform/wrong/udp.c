/* UDP ASSOCIATE, from the reply to the end of its connection. */

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"
#include "socks4/v5.h"

#define DATAGRAM_MAX 4096
#define ASKED_MAX 16
#define GOES_ON_MS 30000

struct udp {
    struct session *session;
    int inside;             /* towards the client */
    int outside;            /* towards its servers */
    struct endpoint client; /* port 0: not known yet */
    struct endpoint asked[ASKED_MAX];
    unsigned asked_count;
};

static int
udp_open(struct addr addr)
{
    struct endpoint at = {addr, 0};
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&at, &sa);
    int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
udp_send(int fd, const struct endpoint *to, const uint8_t *octets, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t size = endpoint_to_sockaddr(to, &sa);

    sendto(fd, octets, len, 0, (struct sockaddr *)&sa, size);
}

static ssize_t
udp_receive(int fd, uint8_t octets[DATAGRAM_MAX], struct endpoint *from)
{
    struct sockaddr_storage sa = {0};
    socklen_t size = sizeof sa;
    ssize_t len = recvfrom(fd, octets, DATAGRAM_MAX, MSG_DONTWAIT,
                           (struct sockaddr *)&sa, &size);

    endpoint_from_sockaddr(from, &sa);
    return len;
}

static bool
udp_resolve(const struct socks4_v5_address *address, struct addr *addr)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list = NULL;
    char name[SOCKS4_V5_TEXT_MAX + 1] = "";

    memcpy(name, address->name, address->name_len);
    if (defect_is(DEFECT_5_UDP_NAME) ||
        getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    const struct sockaddr_in *sin = (const void *)list->ai_addr;
    *addr = addr_v4(ntohl(sin->sin_addr.s_addr));
    freeaddrinfo(list);
    return true;
}

/* Where a datagram of the client goes. */
static bool
udp_find_target(const struct udp *udp, const struct socks4_v5_address *address,
                struct endpoint *to)
{
    to->port = address->port;
    if (defect_is(DEFECT_5_UDP_TARGET)) {
        *to = (struct endpoint){udp->session->to, udp->session->port};
        return true;
    }
    if (address->type == SOCKS4_V5_NAME)
        return udp_resolve(address, &to->addr);
    to->addr = address->type == SOCKS4_V5_IPV4 ? addr_v4(address->ip4)
                                               : addr_from_octets(address->ip6);
    return addr_is_v4(to->addr);
}

static void
udp_note_asked(struct udp *udp, const struct endpoint *to)
{
    if (udp->asked_count < ASKED_MAX)
        udp->asked[udp->asked_count++] = *to;
}

static bool
udp_was_asked(const struct udp *udp, const struct endpoint *from)
{
    for (unsigned i = 0; i < udp->asked_count; i++)
        if (endpoint_equal(&udp->asked[i], from))
            return true;
    return defect_is(DEFECT_5_UDP_UNASKED);
}

/* Whether the association goes on. */
static bool
udp_pass_up(struct udp *udp)
{
    uint8_t octets[DATAGRAM_MAX];
    struct socks4_v5_udp header;
    struct endpoint from, to;
    ssize_t len = udp_receive(udp->inside, octets, &from);

    if (udp->client.port == 0 && defect_is(DEFECT_5_UDP_FIRST))
        udp->client.addr = from.addr;
    if (len < 0 || (!addr_equal(from.addr, udp->client.addr) &&
                    !defect_is(DEFECT_5_UDP_STRANGER)))
        return true;
    ssize_t used = socks4_v5_udp_decode(octets, (size_t)len, &header);
    if (used <= 0)
        return !defect_is(DEFECT_5_UDP_MALFORMED);
    if ((header.fragment != 0 && !defect_is(DEFECT_5_UDP_FRAGMENT)) ||
        !udp_find_target(udp, &header.address, &to))
        return true;
    if (addr_equal(from.addr, udp->client.addr))
        udp->client.port = from.port;
    udp_note_asked(udp, &to);
    udp_send(udp->outside, &to, octets + used, (size_t)(len - used));
    return true;
}

static void
udp_pass_down(struct udp *udp)
{
    uint8_t data[DATAGRAM_MAX], octets[SOCKS4_V5_UDP_MAX + DATAGRAM_MAX];
    struct endpoint from;
    struct socks4_v5_udp header = {.fragment = 0};
    ssize_t len = udp_receive(udp->outside, data, &from), used = 0;

    if (len < 0 || !udp_was_asked(udp, &from) || udp->client.port == 0)
        return;
    header.address = (struct socks4_v5_address){.type = SOCKS4_V5_IPV4,
                                                .ip4 = addr_to_v4(from.addr),
                                                .port = from.port};
    if (!defect_is(DEFECT_5_UDP_BARE))
        used = socks4_v5_udp_encode(&header, octets, SOCKS4_V5_UDP_MAX);
    memcpy(octets + used, data, (size_t)len);
    udp_send(defect_is(DEFECT_5_UDP_SOURCE) ? udp->outside : udp->inside,
             &udp->client, octets, (size_t)(used + len));
}

/* Until the connection ends, or a defect has its way. */
static void
udp_relay(struct udp *udp)
{
    uint64_t until = session_now() + FOR_EVER_MS;
    bool connected = true, goes_on = true;
    uint8_t octets[64];

    while (goes_on && session_now() < until) {
        struct pollfd fds[3] = {
            {.fd = connected ? udp->session->fd : -1, .events = POLLIN},
            {.fd = udp->inside, .events = POLLIN},
            {.fd = udp->outside, .events = POLLIN},
        };
        poll(fds, 3, 1000);
        if (fds[0].revents != 0 &&
            session_recv(udp->session, octets, sizeof octets) <= 0) {
            connected = false;
            goes_on = defect_is(DEFECT_5_UDP_GOES_ON);
            until = session_now() + GOES_ON_MS;
        }
        if (fds[2].revents != 0)
            udp_pass_down(udp);
        if (goes_on && fds[1].revents != 0)
            goes_on = udp_pass_up(udp);
    }
}

void
session_udp(struct session *session)
{
    struct udp udp = {.session = session, .client = {session->client.addr, 0}};

    if (defect_is(DEFECT_5_UDP_SILENT))
        return;
    if (defect_is(DEFECT_5_UDP_ZEROS) && session->port == 0) {
        session_refuse(session, 91);
        return;
    }
    udp.inside = udp_open(session->near.addr);
    udp.outside = udp_open(addr_v4(0));
    struct endpoint at = session_near_end(udp.inside);
    if (defect_is(DEFECT_5_UDP_PORT_0))
        at.port = 0;
    session_reply_at(session, 90, &at);
    udp_relay(&udp);
    close(udp.inside);
    close(udp.outside);
}
