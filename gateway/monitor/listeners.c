#include "gateway/monitor/listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/config/listeners.h"
#include "gateway/monitor/socket_activation.h"
#include "gateway/monitor/socket_diag.h"

/* The kernel takes net.core.somaxconn where that is less. */
#define BACKLOG 65535

/* "cannot listen on ADDRESS: WHY; REMEDY" */
static void
listeners_explain(const struct endpoint *at, int error,
                  char why[LISTENERS_WHY_MAX])
{
    char address[ENDPOINT_TEXT_MAX], taken[128];
    const char *text = strerror(-error);
    snprintf(taken, sizeof(taken),
             "the address is taken; `ss -ltnp sport = :%u' shows by whom; "
             "end that or choose another",
             at->port);
    if (error == -EADDRINUSE)
        text = taken;
    else if (error == -EADDRNOTAVAIL)
        text = "not an address of this machine; `ip address' shows those it "
               "has, and `freebind: true' waits for one that comes later";
    else if (error == -EACCES)
        text = "ports below 1024 need root, CAP_NET_BIND_SERVICE or "
               "socks4d.socket; or choose a higher one";
    snprintf(why, LISTENERS_WHY_MAX, "cannot listen on %s: %s",
             endpoint_format(at, address), text);
}

/* The remedy is where the address was chosen. */
static void
listeners_print_error(const struct config *config, const struct endpoint *at,
                      int error)
{
    char why[LISTENERS_WHY_MAX];
    listeners_explain(at, error, why);
    fprintf(stderr, "socks4d: %s", why);
    if (error == -EADDRINUSE && config->file && !config->listeners_given)
        fprintf(stderr, " under listen in %s", config->file);
    else if (error == -EADDRINUSE)
        fputs(" with -l ADDR:PORT", stderr);
    fputc('\n', stderr);
}

/* Takes the passed sockets before any is opened. A passed socket that no entry
   of `listen` has is then reported as such, and not as an address in use. */
static int
listeners_take_activated(struct listeners *listeners,
                         const struct config *config)
{
    struct socket_activation activation;
    int error = socket_activation_open(&activation);
    listeners->count = config->listener_count;
    for (size_t i = 0; i < listeners->count; i++)
        listeners->fds[i] =
            socket_activation_take(&activation, &config->listeners[i].at);
    if (error == 0)
        error = socket_activation_check(&activation);
    socket_activation_close(&activation);
    return error;
}

/* Of a listening socket tcpi_sacked is the length of its queue. 0, or -EINVAL:
   it does not listen. */
static int
listeners_get_backlog(int fd, uint32_t *backlog)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return -errno;
    *backlog = info.tcpi_sacked;
    return info.tcpi_state == TCP_LISTEN ? 0 : -EINVAL;
}

/* Of a socket that no worker has yet. */
static void
listeners_note(struct listeners *listeners, size_t i)
{
    struct listener_state *wanted = &listeners->wanted[i];
    listeners->lost[i] = false;
    if (listeners_get_backlog(listeners->fds[i], &wanted->backlog) != 0)
        wanted->backlog = BACKLOG;
    wanted->inherited = inherited_get(listeners->fds[i]);
}

static int
listeners_open_rest(struct listeners *listeners, const struct config *config)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct endpoint *at = &config->listeners[i].at;
        if (listeners->fds[i] == -1)
            listeners->fds[i] =
                sys_listen(at, BACKLOG, config->listeners[i].freebind);
        if (listeners->fds[i] < 0) {
            listeners_print_error(config, at, listeners->fds[i]);
            return -1;
        }
        listeners_note(listeners, i);
    }
    return 0;
}

/* The kernel takes any of these values from anyone. */
void
listeners_set_keepalive(struct listeners *listeners,
                        const struct config *config, bool again)
{
    struct sys_keepalive keepalive = config_keepalive(config);
    if (keepalive.idle_s == 0 &&
        (!again || sys_keepalive_default(&keepalive) != 0))
        return;
    for (size_t i = 0; i < listeners->count; i++)
        if (inherited_set_keepalive(&listeners->wanted[i].inherited,
                                    &keepalive))
            sys_keepalive(listeners->fds[i], &keepalive);
}

int
listeners_open(struct listeners *listeners, const struct config *config)
{
    int error = listeners_take_activated(listeners, config);
    if (error == 0)
        error = listeners_open_rest(listeners, config);
    if (error != 0) {
        listeners_close(listeners);
        return error;
    }
    listeners_set_keepalive(listeners, config, false);
    return 0;
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

/* --- another configuration ---------------------------------------------- */

static bool
listeners_has(const struct listeners *listeners, int fd)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->fds[i] == fd)
            return true;
    return false;
}

/* Keeps the socket that listens on `at` already, or opens one. 0 or a negative
   errno. */
static int
listeners_add(struct listeners *next, const struct listeners *now,
              const struct config *from, const struct config_listener *row)
{
    size_t count = next->count;

    for (size_t i = 0; i < now->count; i++) {
        if (!endpoint_equal(&from->listeners[i].at, &row->at))
            continue;
        next->fds[count] = now->fds[i];
        next->wanted[count] = now->wanted[i];
        next->lost[count] = now->lost[i];
        next->count++;
        return 0;
    }
    int fd = sys_listen(&row->at, BACKLOG, row->freebind);
    if (fd < 0)
        return fd;
    next->fds[count] = fd;
    listeners_note(next, count);
    next->count++;
    return 0;
}

/* The same where the address may be taken by one of our own. */
static void
listeners_explain_change(const struct endpoint *at, int error,
                         const struct config *from, char why[LISTENERS_WHY_MAX])
{
    char wanted[ENDPOINT_TEXT_MAX], open[ENDPOINT_TEXT_MAX];

    listeners_explain(at, error, why);
    for (size_t i = 0; error == -EADDRINUSE && i < from->listener_count; i++)
        if (listener_is_covered(*at, from->listeners[i].at))
            snprintf(why, LISTENERS_WHY_MAX,
                     "cannot listen on %s in place of %s: both cannot be open "
                     "at once; restart to apply",
                     endpoint_format(at, wanted),
                     endpoint_format(&from->listeners[i].at, open));
}

int
listeners_prepare(struct listeners *next, const struct listeners *now,
                  const struct config *from, const struct config *to,
                  char why[LISTENERS_WHY_MAX])
{
    next->count = 0;
    for (size_t i = 0; i < to->listener_count; i++) {
        int error = listeners_add(next, now, from, &to->listeners[i]);
        if (error < 0) {
            listeners_explain_change(&to->listeners[i].at, error, from, why);
            listeners_close_rest(next, now);
            return -1;
        }
    }
    return 0;
}

void
listeners_close_rest(const struct listeners *next, const struct listeners *now)
{
    for (size_t i = 0; i < next->count; i++)
        if (!listeners_has(now, next->fds[i]))
            close(next->fds[i]);
}

void
listeners_replace(struct listeners *now, const struct listeners *next)
{
    listeners_close_rest(now, next);
    *now = *next;
}

static void
listeners_log(struct sink *sink, const char *event, enum log_level level,
              int fd, const struct config_listener *row, const char *message)
{
    struct log_line line;
    struct endpoint at = row->at;
    char text[ENDPOINT_TEXT_MAX];
    if (sys_local(fd, &at) < 0)
        at = row->at;
    sink_begin(sink, &line, event, level);
    log_text(&line, "address", endpoint_format(&at, text));
    log_text(&line, "listener", row->name);
    if (message != NULL)
        log_text(&line, "message", message);
    sink_say(sink, &line);
}

void
listeners_report(const struct listeners *listeners, const struct config *config,
                 struct sink *sink)
{
    for (size_t i = 0; i < listeners->count; i++)
        listeners_log(sink, "listening", LOG_LEVEL_NOTICE, listeners->fds[i],
                      &config->listeners[i], NULL);
}

void
listeners_report_change(const struct listeners *now, const struct config *from,
                        const struct listeners *next, const struct config *to,
                        struct sink *sink)
{
    for (size_t i = 0; i < next->count; i++)
        if (!listeners_has(now, next->fds[i]))
            listeners_log(sink, "listening", LOG_LEVEL_NOTICE, next->fds[i],
                          &to->listeners[i], NULL);
    for (size_t i = 0; i < now->count; i++)
        if (!listeners_has(next, now->fds[i]))
            listeners_log(sink, "closed", LOG_LEVEL_NOTICE, now->fds[i],
                          &from->listeners[i], NULL);
}

/* --- sockets that a worker has changed ----------------------------------- */

bool
listener_has_ended(int fd)
{
    uint32_t backlog;
    return listeners_get_backlog(fd, &backlog) != 0 || socket_diag_is_shut(fd);
}

/* The socket keeps its address: no configuration leaves the port to the kernel.
   One that was connected or shut down is disconnected first. */
int
listener_listen_again(int fd, uint32_t backlog, bool disconnect)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    if (disconnect && connect(fd, &nowhere, sizeof(nowhere)) < 0)
        return -errno;
    return listen(fd, (int)backlog) < 0 ? -errno : 0;
}

static void
listeners_revive(struct listeners *listeners, size_t i, bool disconnect,
                 const struct config_listener *row, struct sink *sink)
{
    char why[LISTENERS_WHY_MAX];
    int fd = listeners->fds[i];
    int error =
        listener_listen_again(fd, listeners->wanted[i].backlog, disconnect);
    if (error == 0) {
        listeners_log(sink, "listener_revived", LOG_LEVEL_ERROR, fd, row,
                      "a process that has this socket had ended its listening "
                      "or cut its queue; replace the workers if this is said "
                      "again (restart), and see SECURITY.md");
    } else if (!listeners->lost[i]) {
        listeners_explain(&row->at, error, why);
        listeners_log(sink, "listener_lost", LOG_LEVEL_ERROR, fd, row, why);
    }
    listeners->lost[i] = error != 0;
}

/* What the system allows of `wanted` by now: a limit of the kernel may have
   been lowered. A new socket shows it, since no worker has that. */
static struct listener_state
listeners_allowed(const struct listener_state *wanted)
{
    const struct endpoint at = {.addr = addr_v4(INADDR_LOOPBACK)};
    struct listener_state allowed = *wanted;
    int fd = sys_listen(&at, (int)wanted->backlog, false);
    if (fd < 0)
        return allowed;
    if (listeners_get_backlog(fd, &allowed.backlog) != 0)
        allowed.backlog = wanted->backlog;
    inherited_set(fd, &wanted->inherited);
    allowed.inherited = inherited_get(fd);
    close(fd);
    return allowed;
}

static void
listeners_restore(int fd, const struct listener_state *allowed,
                  const struct config_listener *row, struct sink *sink)
{
    inherited_set(fd, &allowed->inherited);
    listeners_log(sink, "listener_restored", LOG_LEVEL_ERROR, fd, row,
                  "a process that has this socket had changed options that "
                  "connections inherit; replace the workers if this is said "
                  "again (restart), and see SECURITY.md");
}

static void
listeners_check_one(struct listeners *listeners, size_t i,
                    const struct config_listener *row, struct sink *sink)
{
    const struct listener_state *wanted = &listeners->wanted[i];
    struct listener_state now = {0}, allowed = *wanted;
    int fd = listeners->fds[i];
    bool ended =
        listeners_get_backlog(fd, &now.backlog) != 0 || socket_diag_is_shut(fd);

    now.inherited = inherited_get(fd);
    if (now.backlog != wanted->backlog ||
        !inherited_equal(&now.inherited, &wanted->inherited))
        allowed = listeners_allowed(wanted);
    if (ended || now.backlog != allowed.backlog)
        listeners_revive(listeners, i, ended, row, sink);
    if (!inherited_equal(&now.inherited, &allowed.inherited))
        listeners_restore(fd, &allowed, row, sink);
}

void
listeners_check(struct listeners *listeners, const struct config *config,
                struct sink *sink)
{
    listeners_set_keepalive(listeners, config, true);
    for (size_t i = 0; i < listeners->count; i++)
        listeners_check_one(listeners, i, &config->listeners[i], sink);
}
