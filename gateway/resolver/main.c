#include "gateway/resolver/main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "gateway/channel.h"
#include "gateway/readiness.h"
#include "gateway/resolver/resolver.h"

static int
resolver_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: resolver: %s: %s\n", what, strerror(-error));
    return 1;
}

/* Ports for DNS over TCP. Servers of resolv.conf, whenever it is read, have the
   port of the one that stands for them until then. */
static void
resolver_find_ports(const struct nameservers *servers, struct confine_tcp *tcp)
{
    memset(tcp, 0, sizeof(*tcp));
    for (size_t i = 0; i < servers->count; i++) {
        uint16_t port = (uint16_t)servers->nodes[i].tcp_port;
        ports_add(&tcp->connect, port, port);
    }
}

int
resolver_main(int argc, char **argv)
{
    static struct resolver resolver;
    struct confine_tcp ports;

    if (argc < ROLE_OWN)
        return 2;
    prctl(PR_SET_NAME, "socks4d");
    clearenv(); /* no LOCALDOMAIN, no RES_OPTIONS */
    int error = resolver_init(&resolver, argc - ROLE_OWN, argv + ROLE_OWN);
    if (error == 0)
        error = resolver_listen(&resolver, CHANNEL_FD_CONTROL);
    if (error < 0)
        return resolver_fail("cannot start", error);
    /* Nothing has been read yet. */
    resolver_find_ports(&resolver.servers, &ports);
    error = readiness_reach(&roles[ROLE_RESOLVER], argv, &ports);
    if (error < 0)
        return 1;
    if (resolver_refresh(&resolver.pending)) /* now, not at the first query */
        loop_run(&resolver.loop);
    return 0;
}
