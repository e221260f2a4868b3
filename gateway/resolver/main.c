#include "gateway/resolver/resolver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/readiness.h"
#include "gateway/resolver/link.h"

/* Descriptors kept free: the hosts file, resolv.conf, the process's own. */
#define RESERVE 32

struct resolver {
    struct loop loop;
    struct watch control;
    struct ares_addr_port_node servers[LOOKUP_SERVERS_MAX];
    struct pending pending;
    struct link links[LOOKUP_LINKS_MAX];
};

static int
resolver_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: resolver: %s: %s\n", what, strerror(-error));
    return 1;
}

static void
resolver_tell(uint32_t kind, uint32_t arg)
{
    struct channel_message message = {.kind = kind, .arg = arg};
    channel_tell(CHANNEL_FD_CONTROL, &message);
}

/* --- messages from the monitor ------------------------------------------ */

static void
resolver_handle_message(struct resolver *resolver,
                        const struct channel_message *message, int fd)
{
    if (message->kind == CHANNEL_LINK && fd != -1 &&
        message->arg < LOOKUP_LINKS_MAX)
        link_open(&resolver->links[message->arg], fd);
    else if (fd != -1)
        close(fd);
    if (message->kind == CHANNEL_PING)
        resolver_tell(CHANNEL_PONG, 0);
}

/* Ends the process where the monitor is gone or sends what is not a message. */
static void
resolver_control_ready(struct watch *watch, uint32_t events)
{
    struct resolver *resolver = container_of(watch, struct resolver, control);
    struct channel_message message;
    int fd, got;

    (void)events;
    got = channel_receive(watch->fd, &message, &fd);
    if (got == 1)
        resolver_handle_message(resolver, &message, fd);
    else if (got == -EMFILE) /* the descriptor is lost */
        resolver_tell(CHANNEL_ASK_LINK, message.arg);
    else if (got != -EAGAIN)
        loop_stop(&resolver->loop);
}

/* --- start -------------------------------------------------------------- */

/* `text` is the monitor's own format, from the configuration. */
static int
resolver_add_server(struct ares_addr_port_node *server, const char *text)
{
    struct endpoint at;
    struct sockaddr_storage sa;

    int error = endpoint_parse(text, &at);
    if (error < 0)
        return error;
    endpoint_to_sockaddr(&at, &sa);
    server->udp_port = server->tcp_port = at.port;
    server->family = sa.ss_family;
    if (sa.ss_family == AF_INET)
        server->addr.addr4 = ((struct sockaddr_in *)&sa)->sin_addr;
    else
        memcpy(&server->addr.addr6, &((struct sockaddr_in6 *)&sa)->sin6_addr,
               sizeof(server->addr.addr6));
    return 0;
}

static int
resolver_add_servers(struct resolver *resolver, int count, char **texts)
{
    if (count > LOOKUP_SERVERS_MAX)
        return -E2BIG;
    for (int i = 0; i < count; i++) {
        struct ares_addr_port_node *server = &resolver->servers[i];
        int error = resolver_add_server(server, texts[i]);
        if (error < 0)
            return error;
        server->next = i + 1 < count ? server + 1 : NULL;
    }
    return 0;
}

/* As many as the limit on descriptors leaves; at least one. */
static unsigned
resolver_count_sockets(void)
{
    struct rlimit limit;
    rlim_t most = (rlim_t)PENDING_QUERIES * QUERY_SOCKETS;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1;
    if (limit.rlim_cur <= LOOKUP_LINKS_MAX + RESERVE)
        return 1;
    rlim_t left = limit.rlim_cur - LOOKUP_LINKS_MAX - RESERVE;
    return (unsigned)(left < most ? left : most);
}

static int
resolver_prepare(struct resolver *resolver, int count, char **servers)
{
    int error = resolver_add_servers(resolver, count, servers);
    if (error == 0)
        error = loop_init(&resolver->loop);
    if (error == 0)
        error = query_prepare();
    if (error < 0)
        return error;
    pending_init(&resolver->pending, &resolver->loop,
                 count > 0 ? resolver->servers : NULL, resolver_count_sockets(),
                 link_answered);
    for (size_t i = 0; i < LOOKUP_LINKS_MAX; i++)
        link_init(&resolver->links[i], &resolver->pending);
    return loop_watch(&resolver->loop, &resolver->control, CHANNEL_FD_CONTROL,
                      EPOLLIN, resolver_control_ready);
}

int
resolver_main(int argc, char **argv)
{
    static struct resolver resolver;

    if (argc < 5)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    clearenv(); /* no LOCALDOMAIN, no RES_OPTIONS */
    int error = resolver_prepare(&resolver, argc - 5, argv + 5);
    if (error < 0)
        return resolver_fail("cannot start", error);
    /* Nothing has been read yet. */
    error = readiness_reach(
        &confine_resolver, (enum confine_mode)strtoul(argv[4], NULL, 10),
        (uid_t)strtoul(argv[2], NULL, 10), (gid_t)strtoul(argv[3], NULL, 10));
    if (error < 0)
        return 1;
    loop_run(&resolver.loop);
    return 0;
}
