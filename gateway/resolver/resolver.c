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
#include "gateway/resolver/line.h"

/* Workers, as the monitor numbers them; see gateway/segment.h. */
#define LINES 256
/* Descriptors kept free: the hosts file, resolv.conf, our own few. */
#define RESERVE 32
#define SERVERS_MAX 8

struct resolver {
    struct loop loop;
    struct watch control;
    struct ares_addr_port_node servers[SERVERS_MAX];
    struct desk desk;
    struct line lines[LINES];
};

static int
fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: resolver: %s: %s\n", what, strerror(-error));
    return 1;
}

static void
tell(uint32_t kind, uint32_t arg)
{
    struct channel_message message = {.kind = kind, .arg = arg};
    channel_send(CHANNEL_FD_CONTROL, &message, -1);
}

/* --- what the monitor says ---------------------------------------------- */

static void
obey(struct resolver *resolver, const struct channel_message *message, int fd)
{
    if (message->kind == CHANNEL_LINE && fd != -1 && message->arg < LINES)
        line_open(&resolver->lines[message->arg], fd);
    else if (fd != -1)
        close(fd);
    if (message->kind == CHANNEL_PING)
        tell(CHANNEL_PONG, 0);
}

/* The monitor gone, or incomprehensible, is the end. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    struct resolver *resolver = container_of(watch, struct resolver, control);
    struct channel_message message;
    int fd, got;

    (void)events;
    got = channel_receive(watch->fd, &message, &fd);
    if (got == 1)
        obey(resolver, &message, fd);
    else if (got == -EMFILE) /* the descriptor is lost */
        tell(CHANNEL_ASK_LINE, message.arg);
    else if (got != -EAGAIN)
        loop_stop(&resolver->loop);
}

/* --- the beginning ------------------------------------------------------ */

/* What the monitor found in the configuration: it parses. */
static int
add_server(struct ares_addr_port_node *server, const char *text)
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
add_servers(struct resolver *resolver, int count, char **texts)
{
    if (count > SERVERS_MAX)
        return -E2BIG;
    for (int i = 0; i < count; i++) {
        struct ares_addr_port_node *server = &resolver->servers[i];
        int error = add_server(server, texts[i]);
        if (error < 0)
            return error;
        server->next = i + 1 < count ? server + 1 : NULL;
    }
    return 0;
}

/* As many as the limit on descriptors leaves; at least one. */
static unsigned
count_sockets(void)
{
    struct rlimit limit;
    rlim_t most = (rlim_t)DESK_QUESTIONS * QUESTION_SOCKETS;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1;
    if (limit.rlim_cur <= LINES + RESERVE)
        return 1;
    rlim_t left = limit.rlim_cur - LINES - RESERVE;
    return (unsigned)(left < most ? left : most);
}

static int
prepare(struct resolver *resolver, int count, char **servers)
{
    int error = add_servers(resolver, count, servers);
    if (error == 0)
        error = loop_init(&resolver->loop);
    if (error == 0)
        error = question_prepare();
    if (error < 0)
        return error;
    desk_init(&resolver->desk, &resolver->loop,
              count > 0 ? resolver->servers : NULL, count_sockets(),
              line_answered);
    for (size_t i = 0; i < LINES; i++)
        line_init(&resolver->lines[i], &resolver->desk);
    return loop_watch(&resolver->loop, &resolver->control, CHANNEL_FD_CONTROL,
                      EPOLLIN, control_ready);
}

int
resolver_main(int argc, char **argv)
{
    static struct resolver resolver;

    if (argc < 5)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    clearenv(); /* no LOCALDOMAIN, no RES_OPTIONS */
    int error = prepare(&resolver, argc - 5, argv + 5);
    if (error < 0)
        return fail("cannot begin", error);
    /* Nothing has been read yet. */
    error = readiness_reach(
        CONFINE_RESOLVER, (enum confine_mode)strtoul(argv[4], NULL, 10),
        (uid_t)strtoul(argv[2], NULL, 10), (gid_t)strtoul(argv[3], NULL, 10));
    if (error < 0)
        return 1;
    loop_run(&resolver.loop);
    return 0;
}
