#include "gateway/monitor/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"

/* The kernel takes net.core.somaxconn where that is less. */
#define BACKLOG 65535

static void
complain(const struct endpoint *at, int error)
{
    char text[ENDPOINT_TEXT_MAX];
    fprintf(stderr,
            "socks4d: cannot listen on %s: ", endpoint_format(at, text));
    if (error == -EADDRINUSE)
        fprintf(stderr,
                "the address is taken; `ss -ltnp sport = :%u' shows by whom; "
                "end that or choose another with -l ADDR:PORT\n",
                at->port);
    else if (error == -EADDRNOTAVAIL)
        fprintf(stderr, "not an address of this machine; `ip address' shows "
                        "those it has\n");
    else if (error == -EACCES)
        fprintf(stderr, "ports below 1024 need root or "
                        "CAP_NET_BIND_SERVICE; choose a higher one\n");
    else
        fprintf(stderr, "%s\n", strerror(-error));
}

int
listeners_open(struct listeners *listeners, const struct config *config)
{
    listeners->count = 0;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct endpoint *at = &config->listeners[i].at;
        int fd = sys_listen(at, BACKLOG);
        if (fd < 0) {
            complain(at, fd);
            listeners_close(listeners);
            return -1;
        }
        listeners->fds[listeners->count++] = fd;
    }
    return 0;
}

void
listeners_close(struct listeners *listeners)
{
    while (listeners->count > 0)
        close(listeners->fds[--listeners->count]);
}

void
listeners_report(const struct listeners *listeners, const struct config *config,
                 struct sink *sink)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct log_line line;
        struct endpoint at = config->listeners[i].at;
        char text[ENDPOINT_TEXT_MAX];
        sys_local(listeners->fds[i], &at);
        sink_begin(sink, &line, "listening", LOG_LEVEL_NOTICE);
        log_text(&line, "address", endpoint_format(&at, text));
        log_text(&line, "listener", config->listeners[i].name);
        sink_say(sink, &line);
    }
}
