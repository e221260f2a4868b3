#include "gateway/monitor/own_addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/local_routes.h"

#define PRIVILEGED_PORTS 1024

/* How soon the list is read again where it could not be. */
#define OWN_ADDRESSES_AGAIN_MS 1000

/* For each ms of reading, how many pass until it is read again. */
#define OWN_ADDRESSES_REST 10

static int
own_addresses_add(struct netset *set, const struct sockaddr *from)
{
    struct sockaddr_storage sa;
    struct endpoint at;
    int family = from != NULL ? from->sa_family : AF_UNSPEC;

    if (family != AF_INET && family != AF_INET6)
        return 0;
    memset(&sa, 0, sizeof(sa));
    memcpy(&sa, from,
           family == AF_INET ? sizeof(struct sockaddr_in)
                             : sizeof(struct sockaddr_in6));
    endpoint_from_sockaddr(&at, &sa);
    return netset_add(set, at.addr, at.addr);
}

/* Those of the interfaces, too: of one that belongs to a virtual router (VRF)
   the routes are in its table. */
static int
own_addresses_gather(struct netset *set)
{
    struct ifaddrs *all = NULL;
    int error = getifaddrs(&all) == 0 ? local_routes_read(set) : -errno;

    for (const struct ifaddrs *one = all; one != NULL && error == 0;
         one = one->ifa_next)
        error = own_addresses_add(set, one->ifa_addr);
    netset_seal(set);
    if (all != NULL)
        freeifaddrs(all);
    return error;
}

/* Publishes what there is now. Where it cannot be read it is not known, and
   read later; where there is too much of it, until something changes. */
static void
own_addresses_read(struct own_addresses *own)
{
    uint64_t began_us = sys_now_us();
    struct netset set;

    netset_init(&set);
    int error = own_addresses_gather(&set);
    addresses_publish(own->map, error == 0 ? &set : NULL);
    netset_fini(&set);
    uint64_t now_us = sys_now_us();
    own->rested_us = now_us + OWN_ADDRESSES_REST * (now_us - began_us);
    if (error == 0 || error == -E2BIG)
        loop_cancel_timer(own->loop, &own->again);
    else
        loop_start_timer(own->loop, &own->again, OWN_ADDRESSES_AGAIN_MS);
}

static void
own_addresses_again(struct timer *timer)
{
    own_addresses_read(container_of(timer, struct own_addresses, again));
}

/* What it says does not matter, only that something changed: so it does not
   matter either if some of it was lost (ENOBUFS). Many changes in turn do not
   keep the monitor busy. */
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
    uint64_t now_us = sys_now_us();
    if (now_us >= own->rested_us)
        own_addresses_read(own);
    else
        loop_start_timer(own->loop, &own->again,
                         (own->rested_us - now_us) / 1000 + 1);
}

/* 0 or a negative errno. */
static int
own_addresses_listen(struct own_addresses *own)
{
    int fd = local_routes_listen();

    if (fd < 0)
        return fd;
    int error = loop_watch(own->loop, &own->netlink, fd, EPOLLIN | EPOLLET,
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

void
own_addresses_forget(struct own_addresses *own)
{
    if (own->netlink.fd != -1)
        addresses_publish(own->map, NULL);
}

void
own_addresses_recall(struct own_addresses *own)
{
    if (own->netlink.fd != -1)
        own_addresses_read(own);
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
                  "there; write one that it has (`ip address'), or freebind: "
                  "true if it comes later");
    for (size_t i = 0; i < 2; i++)
        if (observed[i]->port != 0)
            own_addresses_try_listener(
                &missing, observed[i],
                "not an address of this machine (observe): the gateway cannot "
                "listen there; add the address, or write off");
    own_addresses_try_all(&missing, config);
    return missing.count;
}
