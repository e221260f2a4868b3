#include "gateway/resolver/resolver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/channel.h"

/* Descriptors kept free: the hosts file, resolv.conf, the process's own. */
#define RESERVE 32

/* --- messages from the monitor ------------------------------------------ */

static void
resolver_tell(struct resolver *resolver, uint32_t kind, uint32_t arg)
{
    struct channel_message message = {.kind = kind, .arg = arg};
    channel_tell(resolver->control.fd, &message);
}

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
        resolver_tell(resolver, CHANNEL_PONG, 0);
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
        resolver_tell(resolver, CHANNEL_ASK_LINK, message.arg);
    else if (got != -EAGAIN)
        loop_stop(&resolver->loop);
}

/* --- files of the system ------------------------------------------------ */

/* A process that is confined cannot be allowed more: the monitor starts another
   one, which may read what the path leads to now. The workers ask it again. */
static bool
resolver_start_again(struct resolver *resolver, const struct system_file *file)
{
    resolver->ends = true;
    fprintf(stderr,
            "socks4d: resolver: %s leads elsewhere now: starting again to be "
            "allowed to read it\n",
            file->path);
    loop_stop(&resolver->loop);
    return false;
}

bool
resolver_refresh(struct pending *pending)
{
    struct resolver *resolver = container_of(pending, struct resolver, pending);

    if (resolver->ends)
        return false;
    if (!hosts_refresh(&resolver->hosts))
        return resolver_start_again(resolver, &resolver->hosts.file);
    switch (nameservers_refresh(&resolver->servers)) {
    case NAMESERVERS_START_AGAIN:
        return resolver_start_again(resolver, &resolver->servers.file);
    case NAMESERVERS_CHANGED:
        pending_forget(pending);
        break;
    case NAMESERVERS_SAME:
        break;
    }
    return true;
}

/* --- start -------------------------------------------------------------- */

/* `texts` are in the monitor's own format, from the configuration; none: the
   system's servers. */
static int
resolver_add_servers(struct resolver *resolver, int count, char **texts)
{
    nameservers_init(&resolver->servers, count > 0 ? NULL : "/etc/resolv.conf");
    for (int i = 0; i < count; i++) {
        struct endpoint at;
        int error = endpoint_parse(texts[i], &at);
        if (error == 0)
            error = nameservers_add(&resolver->servers, at, 0);
        if (error < 0)
            return error;
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

int
resolver_init(struct resolver *resolver, int count, char **servers)
{
    int error = resolver_add_servers(resolver, count, servers);
    if (error == 0)
        error = loop_init(&resolver->loop);
    if (error == 0)
        error = query_prepare();
    if (error < 0)
        return error;
    hosts_init(&resolver->hosts, "/etc/hosts");
    resolver->pending.context =
        (struct query_context){.loop = &resolver->loop,
                               .servers = &resolver->servers,
                               .sockets_max = resolver_count_sockets()};
    resolver->pending.hosts = &resolver->hosts;
    resolver->pending.refresh = resolver_refresh;
    resolver->pending.answered = link_answered;
    pending_init(&resolver->pending);
    for (size_t i = 0; i < LOOKUP_LINKS_MAX; i++)
        link_init(&resolver->links[i], &resolver->pending);
    return 0;
}

int
resolver_listen(struct resolver *resolver, int control)
{
    return loop_watch(&resolver->loop, &resolver->control, control, EPOLLIN,
                      resolver_control_ready);
}
