#include "gateway/observer/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/observer/commands.h"
#include "gateway/observer/observer.h"

/* Of a connection that has nothing asked; and that does not read. */
#define CONTROL_IDLE_MS 60000
#define CONTROL_STALLED_MS 10000

/* What waits to be written of lines that come by themselves. */
#define CONTROL_QUEUE_MAX (256 << 10)

/* Connections taken, and pieces read, in a turn. */
#define CONTROL_ACCEPT_TURN 64
#define CONTROL_READ_TURN 16

/* When requests have taken so long in a turn, the others wait for the next, and
   the monitor's ping comes first. */
#define CONTROL_TURN_US 50000

/* A user of another namespace shows as this one. */
#define CONTROL_NOBODY 65534

/* --- its life ------------------------------------------------------------ */

static void
control_connection_free(struct control_connection *connection)
{
    list_remove(&connection->link);
    free(connection->in);
    free(connection->out);
    free(connection);
}

static void
control_reap(struct task *task)
{
    struct control *control = container_of(task, struct control, reap);
    list_each_safe (at, after, &control->ended) {
        control_connection_free(
            container_of(at, struct control_connection, link));
    }
}

/* It is freed at the end of the turn: an event for it may be in this one's
   batch. */
static void
control_end(struct control_connection *connection)
{
    struct control *control = connection->control;
    struct loop *loop = &control->observer->loop;
    int fd = connection->watch.fd;
    if (connection->ended)
        return;
    connection->ended = true;
    if (connection->cancel != NULL)
        connection->cancel(connection);
    connection->cancel = NULL;
    loop_unwatch(loop, &connection->watch);
    close(fd);
    loop_cancel_timer(loop, &connection->timeout);
    task_cancel(&connection->more);
    task_cancel(&connection->flush);
    list_remove(&connection->link);
    list_append(&control->ended, &connection->link);
    control->count--;
    loop_defer(loop, &control->reap);
}

static void
control_on_timeout(struct timer *timer)
{
    control_end(container_of(timer, struct control_connection, timeout));
}

/* How long the connection may now go without progress. */
static void
control_set_timeout(struct control_connection *connection)
{
    struct loop *loop = &connection->control->observer->loop;
    if (connection->out_at < connection->out_len)
        loop_start_timer(loop, &connection->timeout, CONTROL_STALLED_MS);
    else if (!connection->busy)
        loop_start_timer(loop, &connection->timeout, CONTROL_IDLE_MS);
    else
        loop_cancel_timer(loop, &connection->timeout);
}

/* --- writing ------------------------------------------------------------- */

static void
control_flush(struct control_connection *connection)
{
    struct loop *loop = &connection->control->observer->loop;
    bool moved = false;
    while (!connection->ended && connection->out_at < connection->out_len) {
        ssize_t sent =
            send(connection->watch.fd, connection->out + connection->out_at,
                 connection->out_len - connection->out_at,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN) {
            control_end(connection);
            return;
        }
        if (sent < 0) {
            loop_rewatch(loop, &connection->watch,
                         EPOLLIN | EPOLLOUT | EPOLLET);
            break;
        }
        connection->out_at += (size_t)sent;
        moved = true;
    }
    if (connection->out_at == connection->out_len) {
        connection->out_at = connection->out_len = 0;
        if (connection->closing) {
            control_end(connection);
            return;
        }
    }
    if (!moved)
        return;
    control_set_timeout(connection);
    if (connection->out_len == 0 && !connection->busy)
        loop_defer(&connection->control->observer->loop, &connection->more);
}

/* False: no memory. */
static bool
control_queue(struct control_connection *connection, const char *text,
              size_t len)
{
    size_t waiting = connection->out_len - connection->out_at;
    if (connection->out_at > 0)
        memmove(connection->out, connection->out + connection->out_at, waiting);
    connection->out_at = 0;
    connection->out_len = waiting;
    if (waiting + len > connection->out_room) {
        size_t room = waiting + len + 4096;
        char *grown = realloc(connection->out, room);
        if (grown == NULL)
            return false;
        connection->out = grown;
        connection->out_room = room;
    }
    memcpy(connection->out + waiting, text, len);
    connection->out_len += len;
    return true;
}

static bool
control_write(struct control_connection *connection, const json_t *line,
              size_t most)
{
    char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
    size_t len = text != NULL ? strlen(text) : 0;
    bool good =
        text != NULL && connection->out_len - connection->out_at + len <= most;
    if (good) {
        text[len] = '\n'; /* in place of the NUL */
        good = control_queue(connection, text, len + 1);
    }
    free(text);
    return good;
}

bool
control_send(struct control_connection *connection, const json_t *line)
{
    if (!control_write(connection, line, CONTROL_QUEUE_MAX))
        return false;
    loop_defer(&connection->control->observer->loop, &connection->flush);
    return true;
}

static void
control_on_flush(struct task *task)
{
    struct control_connection *connection =
        container_of(task, struct control_connection, flush);
    control_flush(connection);
    if (!connection->ended && connection->out_len > 0 &&
        !timer_running(&connection->timeout))
        control_set_timeout(connection);
}

void
control_answer(struct control_connection *connection, json_t *answer)
{
    struct loop *loop = &connection->control->observer->loop;
    connection->busy = false;
    connection->cancel = NULL;
    connection->request = NULL;
    connection->endless = false;
    bool good = answer != NULL && control_write(connection, answer, SIZE_MAX);
    json_decref(answer);
    if (!good) {
        control_end(connection); /* no memory */
        return;
    }
    control_set_timeout(connection);
    control_flush(connection);
    if (!connection->ended)
        loop_defer(loop, &connection->more);
}

/* Octets of any origin: JSON that jansson takes, each octet a character. */
static json_t *
control_error(bool usage, const char *text)
{
    json_t *error = json_pack("{s:s}", "error", text);
    if (error != NULL && usage)
        json_object_set_new(error, "usage", json_true());
    return error;
}

void
control_refuse(struct control_connection *connection, bool usage,
               const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    control_answer(connection, control_error(usage, text));
}

/* --- reading ------------------------------------------------------------- */

static void
control_take_line(struct control_connection *connection, const char *line,
                  size_t len)
{
    json_error_t error;
    if (len == 0)
        return;
    connection->busy = true;
    json_t *request = json_loadb(line, len, 0, &error);
    if (request == NULL)
        control_refuse(connection, true, "the line is not JSON");
    else
        commands_run(connection, request);
    json_decref(request);
}

/* True: a line was taken, or skipped. */
static bool
control_next_line(struct control_connection *connection)
{
    char *end = memchr(connection->in, '\n', connection->in_len);
    bool skipped = connection->skipping;
    if (end == NULL && connection->in_len == CONTROL_LINE_MAX) {
        connection->in_len = 0;
        connection->skipping = true;
        if (!skipped)
            control_refuse(connection, true,
                           "the line is longer than %d octets",
                           CONTROL_LINE_MAX);
        return true;
    }
    if (end == NULL)
        return false;
    size_t len = (size_t)(end - connection->in);
    connection->skipping = false;
    if (!skipped)
        control_take_line(connection, connection->in, len);
    if (connection->ended)
        return true;
    connection->in_len -= len + 1;
    memmove(connection->in, end + 1, connection->in_len);
    return true;
}

/* 1, 0: nothing now; -1: it has ended. */
static int
control_receive(struct control_connection *connection)
{
    ssize_t got;
    do {
        got = recv(connection->watch.fd, connection->in + connection->in_len,
                   CONTROL_LINE_MAX - connection->in_len, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        connection->in_len += (size_t)got;
        return 1;
    }
    if (got < 0 && errno == EAGAIN)
        return 0;
    /* Its half of the connection may have ended before it has read all. */
    connection->closing = true;
    control_flush(connection);
    return -1;
}

static void
control_read(struct control_connection *connection)
{
    const struct loop *loop = &connection->control->observer->loop;
    for (int i = 0;
         i < CONTROL_READ_TURN && sys_now_us() - loop->now_us < CONTROL_TURN_US;
         i++) {
        if (connection->ended || connection->busy || connection->closing ||
            connection->out_len > 0) /* a peer that does not read is not read */
            return;
        if (!control_next_line(connection) && control_receive(connection) != 1)
            return;
    }
    loop_defer(&connection->control->observer->loop, &connection->more);
}

static void
control_on_more(struct task *task)
{
    control_read(container_of(task, struct control_connection, more));
}

static void
control_connection_ready(struct watch *watch, uint32_t events)
{
    struct control_connection *connection =
        container_of(watch, struct control_connection, watch);
    if (connection->ended)
        return;
    if (events & EPOLLOUT) {
        loop_rewatch(&connection->control->observer->loop, watch,
                     EPOLLIN | EPOLLET);
        control_flush(connection);
    }
    if (!connection->ended && connection->busy &&
        (events & (EPOLLHUP | EPOLLERR)) != 0)
        control_end(connection);
    if (!connection->ended)
        control_read(connection);
}

/* --- who connects -------------------------------------------------------- */

static bool
control_is_in_group(int fd, gid_t own, gid_t wanted)
{
    gid_t groups[256];
    socklen_t len = sizeof(groups);
    if (own == wanted)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
        return false;
    for (size_t i = 0; i < len / sizeof(groups[0]); i++)
        if (groups[i] == wanted)
            return true;
    return false;
}

/* False: it may not even look. */
static bool
control_identify(const struct control *control, int fd,
                 struct control_peer *peer)
{
    const struct observer *observer = control->observer;
    struct ucred who;
    socklen_t len = sizeof(who);
    *peer = (struct control_peer){.uid = (uid_t)-1};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return false;
    peer->uid = who.uid;
    peer->pid = who.pid;
    peer->may_change = who.uid == 0 || who.uid == observer->owner ||
                       (who.uid == observer->user && who.uid != CONTROL_NOBODY);
    return peer->may_change ||
           (control->group != 0 &&
            control_is_in_group(fd, who.gid, (gid_t)(control->group - 1)));
}

static struct control_connection *
control_connection_new(struct control *control, int fd)
{
    struct control_connection *connection = calloc(1, sizeof(*connection));
    char *in = malloc(CONTROL_LINE_MAX);
    if (connection == NULL || in == NULL) {
        free(connection);
        free(in);
        return NULL;
    }
    connection->control = control;
    connection->in = in;
    timer_init(&connection->timeout, control_on_timeout);
    task_init(&connection->more, control_on_more);
    task_init(&connection->flush, control_on_flush);
    list_init(&connection->link);
    if (loop_watch(&control->observer->loop, &connection->watch, fd,
                   EPOLLIN | EPOLLET, control_connection_ready) == 0)
        return connection;
    control_connection_free(connection);
    return NULL;
}

/* In one piece, to one that is about to be closed. */
static void
control_turn_away(int fd, const char *why)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "{\"error\":\"%s\"}\n", why);
    (void)!send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void
control_take(struct control *control, int fd)
{
    struct control_peer peer;
    char why[192];
    if (!control_identify(control, fd, &peer)) {
        snprintf(why, sizeof(why),
                 "user %u may not talk to this gateway: only root, the user "
                 "who runs it and the members of control.group may",
                 peer.uid);
        control_turn_away(fd, why);
        return;
    }
    unsigned most = peer.may_change ? CONTROL_CONNECTIONS_MAX
                                    : CONTROL_CONNECTIONS_MAX -
                                          CONTROL_CONNECTIONS_RESERVED;
    struct control_connection *connection =
        control->count < most ? control_connection_new(control, fd) : NULL;
    if (connection == NULL) {
        snprintf(why, sizeof(why),
                 "%u connections are open on the control socket already; "
                 "close one",
                 control->count);
        control_turn_away(fd, why);
        return;
    }
    connection->peer = peer;
    list_append(&control->connections, &connection->link);
    control->count++;
    control_set_timeout(connection);
}

static void
control_ready(struct watch *watch, uint32_t events)
{
    struct control *control = container_of(watch, struct control, listener);
    (void)events;
    for (int i = 0; i < CONTROL_ACCEPT_TURN; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        control_take(control, fd);
    }
}

/* --- the socket ---------------------------------------------------------- */

void
control_init(struct control *control, struct observer *observer)
{
    *control = (struct control){.observer = observer};
    control->listener.fd = -1;
    list_init(&control->connections);
    list_init(&control->ended);
    task_init(&control->reap, control_reap);
}

static void
control_close_listener(struct control *control)
{
    int fd = control->listener.fd;
    if (fd == -1)
        return;
    loop_unwatch(&control->observer->loop, &control->listener);
    close(fd);
}

void
control_listen(struct control *control, int fd, uint32_t serial, uint32_t group)
{
    if (fd != -1 && control->listener.fd != -1 && control->serial == serial) {
        close(fd);
        return;
    }
    control_drain(control); /* its connections were let in by its rights */
    control->serial = serial;
    control->group = group;
    if (fd != -1 && loop_watch(&control->observer->loop, &control->listener, fd,
                               EPOLLIN, control_ready) < 0)
        close(fd);
}

void
control_drain(struct control *control)
{
    control_close_listener(control);
    list_each_safe (at, after, &control->connections) {
        struct control_connection *connection =
            container_of(at, struct control_connection, link);
        connection->closing = true;
        if (!connection->busy || connection->endless)
            control_flush(connection);
    }
}

bool
control_is_idle(const struct control *control)
{
    return control->count == 0;
}

void
control_fini(struct control *control)
{
    control_close_listener(control);
    list_each_safe (at, after, &control->connections) {
        control_end(container_of(at, struct control_connection, link));
    }
    task_cancel(&control->reap);
    control_reap(&control->reap);
}
