#include "gateway/monitor/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/passed.h"

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

/* Those that were passed first: so one that belongs nowhere is named, and
   not an address that is taken because of it. */
static int
take_passed(struct listeners *listeners, const struct config *config)
{
    struct passed passed;
    int error = passed_open(&passed);
    listeners->count = config->listener_count;
    for (size_t i = 0; i < listeners->count; i++)
        listeners->fds[i] = passed_take(&passed, &config->listeners[i].at);
    if (error == 0)
        error = passed_check(&passed);
    passed_close(&passed);
    return error;
}

static int
open_rest(struct listeners *listeners, const struct config *config)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct endpoint *at = &config->listeners[i].at;
        if (listeners->fds[i] == -1)
            listeners->fds[i] = sys_listen(at, BACKLOG);
        if (listeners->fds[i] < 0) {
            complain(at, listeners->fds[i]);
            return -1;
        }
    }
    return 0;
}

int
listeners_open(struct listeners *listeners, const struct config *config)
{
    int error = take_passed(listeners, config);
    if (error == 0)
        error = open_rest(listeners, config);
    if (error != 0)
        listeners_close(listeners);
    return error;
}

void
listeners_close(struct listeners *listeners)
{
    while (listeners->count > 0) {
        int fd = listeners->fds[--listeners->count];
        if (fd >= 0)
            close(fd);
    }
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
