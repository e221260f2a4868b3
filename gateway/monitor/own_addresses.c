#include "gateway/monitor/own_addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define PRIVILEGED_PORTS 1024

/* How soon the list is read again where it could not be. */
#define OWN_ADDRESSES_AGAIN_MS 1000

static size_t
own_addresses_count(const struct ifaddrs *all)
{
    size_t count = 0;

    for (; all != NULL; all = all->ifa_next)
        count += 2;
    return count;
}

static bool
own_addresses_endpoint(const struct sockaddr *from, struct endpoint *at)
{
    struct sockaddr_storage sa;
    int family = from != NULL ? from->sa_family : AF_UNSPEC;

    if (family != AF_INET && family != AF_INET6)
        return false;
    memset(&sa, 0, sizeof(sa));
    memcpy(&sa, from,
           family == AF_INET ? sizeof(struct sockaddr_in)
                             : sizeof(struct sockaddr_in6));
    endpoint_from_sockaddr(at, &sa);
    return true;
}

/* The first address of a network of IPv6 is every router's there (RFC 4291,
   section 2.6.1). If this machine is one, datagrams to it arrive here, though
   no interface has it, and nothing but the kernel's tables says so. In networks
   of one or two addresses it is nobody's. */
static bool
own_addresses_routers(const struct ifaddrs *one, struct addr addr,
                      struct addr *routers)
{
    struct endpoint mask;

    if (addr_is_v4(addr) || !own_addresses_endpoint(one->ifa_netmask, &mask) ||
        (mask.addr.lo & 3) != 0)
        return false;
    *routers = (struct addr){addr.hi & mask.addr.hi, addr.lo & mask.addr.lo};
    return true;
}

static size_t
own_addresses_copy(const struct ifaddrs *all, struct addr *list)
{
    size_t count = 0;
    struct addr routers, last = {0, 0};

    for (; all != NULL; all = all->ifa_next) {
        struct endpoint at;
        if (!own_addresses_endpoint(all->ifa_addr, &at))
            continue;
        list[count++] = at.addr;
        if (!own_addresses_routers(all, at.addr, &routers) ||
            addr_equal(routers, last))
            continue;
        list[count++] = last = routers;
    }
    return count;
}

/* Publishes what there is now; later, where it cannot be read. */
static void
own_addresses_read(struct own_addresses *own)
{
    struct ifaddrs *all = NULL;
    struct addr *list = NULL;

    if (getifaddrs(&all) == 0)
        list = calloc(own_addresses_count(all) + 1, sizeof(*list));
    if (list != NULL) {
        addresses_publish(own->map, list, own_addresses_copy(all, list));
        loop_cancel_timer(own->loop, &own->again);
    } else {
        loop_start_timer(own->loop, &own->again, OWN_ADDRESSES_AGAIN_MS);
    }
    free(list);
    if (all != NULL)
        freeifaddrs(all);
}

static void
own_addresses_again(struct timer *timer)
{
    own_addresses_read(container_of(timer, struct own_addresses, again));
}

/* What it says does not matter, only that something changed: so it does not
   matter either if some of it was lost (ENOBUFS). */
static void
own_addresses_ready(struct watch *watch, uint32_t events)
{
    struct own_addresses *own =
        container_of(watch, struct own_addresses, netlink);
    char octets[8192];
    ssize_t got;

    (void)events;
    do
        got = recv(watch->fd, octets, sizeof(octets), 0);
    while (got > 0 || (got < 0 && (errno == EINTR || errno == ENOBUFS)));
    own_addresses_read(own);
}

/* 0 or a negative errno. */
static int
own_addresses_listen(struct own_addresses *own)
{
    struct sockaddr_nl groups = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
    };
    int error = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&groups, sizeof(groups)) != 0)
        error = -errno;
    if (error == 0)
        error = loop_watch(own->loop, &own->netlink, fd, EPOLLIN | EPOLLET,
                           own_addresses_ready);
    if (error != 0)
        close(fd);
    return error;
}

/* Listens first and reads then, so that no change is missed between. */
int
own_addresses_open(struct own_addresses *own, struct loop *loop)
{
    own->loop = loop;
    own->netlink.fd = -1;
    timer_init(&own->again, own_addresses_again);
    own->fd = addresses_create(&own->map);
    if (own->fd < 0)
        return own->fd;
    if (own->map != NULL && own_addresses_listen(own) == 0)
        own_addresses_read(own);
    return 0;
}

void
own_addresses_close(struct own_addresses *own)
{
    int netlink = own->netlink.fd;

    loop_cancel_timer(own->loop, &own->again);
    if (netlink != -1) {
        loop_unwatch(own->loop, &own->netlink);
        close(netlink);
    }
    addresses_unmap(own->map);
    if (own->fd >= 0)
        close(own->fd);
}

/* --- addresses of the configuration that are not this machine's ----------- */

/* Where they are looked up, and what is done with one that is missing. */
struct own_missing {
    const struct own_addresses *own; /* NULL: the kernel is asked */
    void (*say)(const struct own_missing *missing, const char *event,
                const char *rule, struct addr addr, const char *message);
    struct sink *sink;
    const char *file;
    FILE *to;
    size_t count;
};

/* Why the kernel does not bind a socket there, or 0. A gateway that starts
   meanwhile is not in its way, since both have SO_REUSEADDR. */
static int
own_addresses_bind(const struct endpoint *at)
{
    struct sockaddr_storage sa;
    unsigned len = endpoint_to_sockaddr(at, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), reuse = 1;

    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    int error = bind(fd, (struct sockaddr *)&sa, len) != 0 ? errno : 0;
    close(fd);
    return error;
}

static bool
own_addresses_kernel_lacks(struct addr addr)
{
    const struct endpoint at = {.addr = addr};
    int error = own_addresses_bind(&at);

    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static void
own_addresses_try(struct own_missing *missing, struct addr addr,
                  const char *event, const char *rule, const char *message)
{
    if (missing->own ? addresses_has(missing->own->map, addr) != 0
                     : !own_addresses_kernel_lacks(addr))
        return;
    missing->count++;
    missing->say(missing, event, rule, addr, message);
}

static void
own_addresses_try_all(struct own_missing *missing, const struct config *config)
{
    if (!config->egress.address_auto)
        own_addresses_try(
            missing, addr_v4(config->egress.address), "egress_address", NULL,
            "egress.address is not an address of this machine: CONNECT is "
            "refused until it is; add the address, or write auto");
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        const struct rule *rule = &config->policy.rules[i];
        for (size_t j = 0; j < rule->egress_count; j++)
            own_addresses_try(missing, addr_v4(rule->egress[j]),
                              "egress_address", rule->name,
                              "the rule's egress is not an address of this "
                              "machine: CONNECT from it is refused until it "
                              "is; add the address, or remove it from egress");
    }
    if (!config->bind.address_auto)
        own_addresses_try(
            missing, addr_v4(config->bind.address), "bind_address", NULL,
            "bind.address is not an address of this machine: BIND is refused "
            "until it is; add the address, or write auto");
}

static void
own_addresses_log(const struct own_missing *missing, const char *event,
                  const char *rule, struct addr addr, const char *message)
{
    struct log_line line;
    char text[ADDR_TEXT_MAX];

    sink_begin(missing->sink, &line, event, LOG_LEVEL_WARNING);
    if (rule != NULL)
        log_text(&line, "rule", rule);
    log_text(&line, "address", addr_format(addr, text));
    log_text(&line, "message", message);
    sink_say(missing->sink, &line);
}

void
own_addresses_check(const struct own_addresses *own,
                    const struct config *config, struct sink *sink)
{
    struct own_missing missing = {
        .own = own, .say = own_addresses_log, .sink = sink};

    own_addresses_try_all(&missing, config);
}

static void
own_addresses_print(const struct own_missing *missing, const char *event,
                    const char *rule, struct addr addr, const char *message)
{
    char text[ADDR_TEXT_MAX];

    (void)event;
    fprintf(missing->to, "%s: warning: %s%s%s%s: %s\n", missing->file,
            rule ? "rule \"" : "", rule ? rule : "", rule ? "\": " : "",
            addr_format(addr, text), message);
}

static void
own_addresses_try_listener(struct own_missing *missing,
                           const struct endpoint *at, const char *message)
{
    char text[ENDPOINT_TEXT_MAX];

    if (message != NULL)
        own_addresses_try(missing, at->addr, NULL, NULL, message);
    if (at->port >= PRIVILEGED_PORTS || own_addresses_bind(at) != EACCES)
        return;
    missing->count++;
    fprintf(missing->to,
            "%s: warning: %s: this user may not listen on a port below %d; "
            "choose a higher one, or start as root or by socks4d.socket\n",
            missing->file, endpoint_format(at, text), PRIVILEGED_PORTS);
}

size_t
own_addresses_warn(const struct config *config, FILE *to)
{
    struct own_missing missing = {.say = own_addresses_print,
                                  .file =
                                      config->file ? config->file : "socks4d",
                                  .to = to};
    const struct endpoint *const observed[] = {&config->observe.address,
                                               &config->observe.agent};

    for (size_t i = 0; i < config->listener_count; i++)
        own_addresses_try_listener(
            &missing, &config->listeners[i].at,
            config->listeners[i].freebind
                ? NULL
                : "not an address of this machine: the gateway cannot listen "
                  "there; add the address, or write freebind: true");
    for (size_t i = 0; i < 2; i++)
        if (observed[i]->port != 0)
            own_addresses_try_listener(
                &missing, observed[i],
                "not an address of this machine (observe): the gateway cannot "
                "listen there; add the address, or write off");
    own_addresses_try_all(&missing, config);
    return missing.count;
}
