#include "gateway/monitor/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS 1000

/* --- the environment ----------------------------------------------------- */

static const char *const variables[NOTIFY_VARIABLES] = {
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};

/* "/path", or "@name" for an abstract socket, which begins with a NUL and
   is as long as it is. */
static int
notify_read_address(struct notify *notify, const char *text)
{
    size_t len = strlen(text);
    notify->to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((text[0] != '/' && text[0] != '@') || len < 2 ||
        len >= sizeof(notify->to.sun_path))
        return -EINVAL;
    memcpy(notify->to.sun_path, text, len);
    if (text[0] == '@')
        notify->to.sun_path[0] = '\0';
    if (text[0] == '/')
        len++; /* a path with its NUL */
    notify->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

/* A number that fills the variable; 0 where there is none. */
static uint64_t
notify_read_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 ? number : 0;
}

/* WATCHDOG_PID names another: it is not meant for us. */
static uint64_t
notify_read_watchdog_ms(void)
{
    uint64_t usec = notify_read_number("WATCHDOG_USEC");
    if (getenv("WATCHDOG_PID") != NULL &&
        notify_read_number("WATCHDOG_PID") != (uint64_t)getpid())
        return 0;
    return usec > 0 && usec < 2000 ? 1 : usec / 2000;
}

/* --- datagrams ----------------------------------------------------------- */

static int
notify_send_text(const struct notify *notify, const char *text)
{
    ssize_t sent;
    do {
        sent =
            sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                   (const struct sockaddr *)&notify->to, notify->to_len);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* A manager that is being started anew is not there for a moment. */
static bool
notify_is_passing(int error)
{
    return error == -EAGAIN || error == -ENOBUFS || error == -ECONNREFUSED ||
           error == -ENOENT;
}

static void
notify_send_state(struct timer *timer)
{
    struct notify *notify = container_of(timer, struct notify, retry);
    if (notify_is_passing(notify_send_text(notify, notify->state)))
        loop_start_timer(notify->loop, &notify->retry, RETRY_MS);
    else
        notify->state[0] = '\0';
}

/* A ping that is lost is not sent again: the next one comes in time. */
static void
notify_feed_watchdog(struct timer *timer)
{
    struct notify *notify = container_of(timer, struct notify, watchdog);
    if (notify->alive(notify))
        notify_send_text(notify, "WATCHDOG=1");
    loop_start_timer(notify->loop, &notify->watchdog, notify->watchdog_ms);
}

/* --- its life ------------------------------------------------------------ */

static int
notify_open_socket(struct notify *notify, const char *address)
{
    if (notify_read_address(notify, address) != 0) {
        fprintf(
            stderr,
            "socks4d: NOTIFY_SOCKET is not the address of a socket: it must be "
            "/PATH or @NAME; unset it where no service manager is\n");
        return -1;
    }
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->fd >= 0)
        return 0;
    fprintf(stderr, "socks4d: cannot talk to the service manager: %s\n",
            strerror(errno));
    return -1;
}

static void
notify_keep_variables(struct notify *notify)
{
    for (size_t i = 0; i < NOTIFY_VARIABLES; i++) {
        const char *text = getenv(variables[i]);
        notify->variables[i] = text == NULL ? NULL : strdup(text);
    }
}

void
notify_restore_variables(const struct notify *notify)
{
    for (size_t i = 0; i < NOTIFY_VARIABLES; i++)
        if (notify->variables[i] != NULL)
            setenv(variables[i], notify->variables[i], 1);
}

void
notify_unset_variables(void)
{
    for (size_t i = 0; i < NOTIFY_VARIABLES; i++)
        unsetenv(variables[i]);
}

int
notify_open(struct notify *notify, struct loop *loop, notify_alive_fn *alive)
{
    const char *address = getenv("NOTIFY_SOCKET");
    *notify = (struct notify){.loop = loop, .alive = alive, .fd = -1};
    timer_init(&notify->watchdog, notify_feed_watchdog);
    timer_init(&notify->retry, notify_send_state);
    notify->watchdog_ms = notify_read_watchdog_ms();
    int error = address == NULL ? 0 : notify_open_socket(notify, address);
    notify_keep_variables(notify);
    notify_unset_variables();
    return error;
}

void
notify_close(struct notify *notify)
{
    loop_cancel_timer(notify->loop, &notify->watchdog);
    loop_cancel_timer(notify->loop, &notify->retry);
    if (notify->fd != -1)
        close(notify->fd);
    notify->fd = -1;
    for (size_t i = 0; i < NOTIFY_VARIABLES; i++) {
        free(notify->variables[i]);
        notify->variables[i] = NULL;
    }
}

void
notify_send(struct notify *notify, const char *state)
{
    if (notify->fd == -1)
        return;
    loop_cancel_timer(notify->loop, &notify->retry);
    snprintf(notify->state, sizeof(notify->state), "%s", state);
    notify_send_state(&notify->retry);
    if (strncmp(state, "READY=1", 7) == 0)
        notify_watch(notify);
}

void
notify_watch(struct notify *notify)
{
    if (notify->fd != -1 && notify->watchdog_ms > 0)
        notify_feed_watchdog(&notify->watchdog);
}
