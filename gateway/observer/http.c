#include "gateway/observer/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway/observer/health.h"
#include "gateway/observer/metrics.h"
#include "gateway/observer/observer.h"

/* Connections taken in a turn. */
#define HTTP_ACCEPT_TURN 64

/* What is sent at once: larger than most answers. */
#define HTTP_BLOCK 32768

/* --- paths --------------------------------------------------------------- */

typedef enum MHD_Result http_fn(struct observer *observer,
                                struct MHD_Connection *connection);

static enum MHD_Result
http_serve_metrics(struct observer *observer, struct MHD_Connection *connection)
{
    const char *accepts = MHD_lookup_connection_value(
        connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool open = metrics_accepts_open(accepts);
    const struct figures figures = observer_figures(observer);
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);

    if (stream == NULL)
        return MHD_NO;
    metrics_write(&figures, open, stream);
    if (fclose(stream) != 0) {
        free(text);
        return MHD_NO;
    }
    return http_answer(connection, MHD_HTTP_OK, metrics_type(open), text, len);
}

static enum MHD_Result
http_serve_health(struct observer *observer, struct MHD_Connection *connection)
{
    bool serving = health_is_serving(observer->segment);

    char *text = strdup(serving ? "serving\n"
                                : "not serving: draining, or no "
                                  "worker is ready\n");

    return http_answer(
        connection, serving ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
        "text/plain; charset=utf-8", text, text != NULL ? strlen(text) : 0);
}

static const struct http_path {
    const char *path;
    http_fn *serve;
} http_paths[] = {
    {"/metrics", http_serve_metrics},
    {"/health", http_serve_health},
};

/* --- answers ------------------------------------------------------------- */

struct http_text {
    const char *octets;
    size_t len;
    char *owned; /* NULL: the octets are static */
};

/* Octets from a function, not from memory: the library would send those by
   sendmsg(2), which no child may call. */
static ssize_t
http_text_read(void *cls, uint64_t at, char *to, size_t room)
{
    const struct http_text *text = cls;
    size_t left = text->len - (size_t)at;

    if (left > room)
        left = room;
    memcpy(to, text->octets + at, left);
    return (ssize_t)left;
}

static void
http_text_free(void *cls)
{
    struct http_text *text = cls;

    free(text->owned);
    free(text);
}

struct MHD_Response *
http_response(const char *octets, size_t len, char *owned)
{
    struct http_text *text = malloc(sizeof(*text));
    struct MHD_Response *response = NULL;

    if (text != NULL && octets != NULL) {
        *text = (struct http_text){octets, len, owned};
        response = MHD_create_response_from_callback(
            len, HTTP_BLOCK, http_text_read, text, http_text_free);
    }
    if (response == NULL) {
        free(owned);
        free(text);
    }
    return response;
}

enum MHD_Result
http_answer(struct MHD_Connection *connection, unsigned status,
            const char *type, char *octets, size_t len)
{
    struct MHD_Response *response = http_response(octets, len, octets);

    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                            "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
http_answer_line(struct MHD_Connection *connection, unsigned status,
                 const char *line)
{
    char *text = strdup(line);

    return http_answer(connection, status, "text/plain; charset=utf-8", text,
                       text != NULL ? strlen(text) : 0);
}

/* --- connections --------------------------------------------------------- */

struct http_connection {
    struct http *http; /* borrowed */
    int fd;            /* the library's */
    bool streams;
    struct timer deadline;
};

static struct http_connection *
http_connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

/* The library sees its end, and closes it. */
static void
http_connection_end(struct http_connection *connection)
{
    shutdown(connection->fd, SHUT_RDWR);
    http_wake(connection->http);
}

static void
http_connection_late(struct timer *timer)
{
    http_connection_end(container_of(timer, struct http_connection, deadline));
}

static void
http_connection_begin(struct http *http, struct MHD_Connection *connection,
                      void **context)
{
    struct http_connection *mine = calloc(1, sizeof(*mine));
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    *context = mine;
    http->count++;
    if (mine == NULL) {
        shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    mine->http = http;
    mine->fd = info->connect_fd;
    timer_init(&mine->deadline, http_connection_late);
    loop_start_timer(&http->observer->loop, &mine->deadline, HTTP_CLIENT_MS);
}

static void
http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                   enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    struct http_connection *mine = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http_connection_begin(http, connection, context);
        return;
    }
    http->count--;
    if (mine == NULL)
        return;
    http->streams -= mine->streams;
    loop_cancel_timer(&http->observer->loop, &mine->deadline);
    free(mine);
    *context = NULL;
}

bool
http_begin_stream(struct MHD_Connection *connection)
{
    struct http_connection *mine = http_connection_of(connection);

    if (mine == NULL || mine->http->streams >= HTTP_STREAMS_MAX)
        return false;
    mine->streams = true;
    mine->http->streams++;
    loop_cancel_timer(&mine->http->observer->loop, &mine->deadline);
    return true;
}

void
http_cut(struct MHD_Connection *connection)
{
    struct http_connection *mine = http_connection_of(connection);

    if (mine != NULL)
        http_connection_end(mine);
}

static enum MHD_Result
http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                const char *method, const char *version, const char *octets,
                size_t *count, void **seen)
{
    struct http *http = cls;
    struct http_connection *mine = http_connection_of(connection);
    static int once;

    bool more = *seen == NULL || *count > 0;

    (void)version, (void)octets;
    *seen = &once;
    *count = 0; /* a body is read and dropped */
    if (more)
        return MHD_YES;
    if (mine == NULL)
        return MHD_NO;
    loop_start_timer(&http->observer->loop, &mine->deadline, HTTP_CLIENT_MS);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return http_answer_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                                "only GET and HEAD are served here\n");
    if (http->observer->config == NULL)
        return http_answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                                "the observer has just been started\n");
    for (size_t i = 0; i < sizeof(http_paths) / sizeof(http_paths[0]); i++)
        if (strcmp(url, http_paths[i].path) == 0)
            return http_paths[i].serve(http->observer, connection);
    enum MHD_Result result;
    if (page_serve(&http->observer->page, connection, url, &result))
        return result;
    return http_answer_line(connection, MHD_HTTP_NOT_FOUND,
                            "not found; there are /, /metrics and /health\n");
}

/* --- the library --------------------------------------------------------- */

/* What it wants next: to be called at once, at some time, or by epoll. */
static void
http_run(struct http *http)
{
    struct loop *loop = &http->observer->loop;
    MHD_UNSIGNED_LONG_LONG in_ms;

    MHD_run(http->daemon);
    if (MHD_get_timeout(http->daemon, &in_ms) == MHD_NO)
        loop_cancel_timer(loop, &http->due);
    else if (in_ms > 0)
        loop_start_timer(loop, &http->due, in_ms);
    else
        loop_defer(loop, &http->soon);
}

static void
http_library_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    http_run(container_of(watch, struct http, library));
}

static void
http_on_due(struct timer *timer)
{
    http_run(container_of(timer, struct http, due));
}

static void
http_on_soon(struct task *task)
{
    http_run(container_of(task, struct http, soon));
}

void
http_wake(struct http *http)
{
    if (http->missing == NULL)
        loop_defer(&http->observer->loop, &http->soon);
}

int
http_init(struct http *http, struct observer *observer)
{
    *http = (struct http){.observer = observer, .missing = mhd_load()};
    http->listener.fd = http->library.fd = -1;
    timer_init(&http->due, http_on_due);
    task_init(&http->soon, http_on_soon);
    if (http->missing != NULL)
        return 0;
    tzset(); /* the library formats dates, and a file is read for the first */
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
        NULL, NULL, http_on_request, http, MHD_OPTION_NOTIFY_CONNECTION,
        http_on_connection, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)(2 * HTTP_BLOCK), MHD_OPTION_END);
    if (http->daemon == NULL)
        return -ENOMEM;
    int fd =
        MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return loop_watch(&observer->loop, &http->library, fd, EPOLLIN,
                      http_library_ready);
}

/* --- the listening socket ------------------------------------------------ */

/* What has come of the request is read, so that no reset destroys the line. */
static void
http_turn_away(int fd)
{
    static const char line[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Connection: close\r\n"
                               "Content-Length: 0\r\n"
                               "Retry-After: 1\r\n\r\n";
    char drop[4096];

    (void)!send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    (void)!recv(fd, drop, sizeof(drop), MSG_DONTWAIT);
    close(fd);
}

static void
http_listener_ready(struct watch *watch, uint32_t events)
{
    struct http *http = container_of(watch, struct http, listener);

    (void)events;
    for (int i = 0; i < HTTP_ACCEPT_TURN; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        int fd = accept4(watch->fd, (struct sockaddr *)&from, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (http->count - http->streams >= HTTP_CONNECTIONS_MAX)
            http_turn_away(fd);
        else
            (void)!MHD_add_connection(http->daemon, fd,
                                      (struct sockaddr *)&from, len);
    }
    http_wake(http);
}

static void
http_close_listener(struct http *http)
{
    int fd = http->listener.fd;

    if (fd == -1)
        return;
    loop_unwatch(&http->observer->loop, &http->listener);
    close(fd);
    http->listener.fd = -1;
}

void
http_listen(struct http *http, int fd, uint32_t serial)
{
    if (fd != -1 && http->listener.fd != -1 && http->serial == serial) {
        close(fd);
        return;
    }
    http_close_listener(http);
    http->serial = serial;
    page_end_readers(&http->observer->page);
    http_wake(http);
    if (fd == -1)
        return;
    if (http->missing != NULL)
        fprintf(stderr,
                "socks4d: observer: observe.address is not served: %s; install "
                "libmicrohttpd12, and restart\n",
                http->missing);
    if (http->missing != NULL ||
        loop_watch(&http->observer->loop, &http->listener, fd, EPOLLIN,
                   http_listener_ready) < 0)
        close(fd);
}

void
http_fini(struct http *http)
{
    http_close_listener(http);
    if (http->daemon == NULL)
        return;
    loop_unwatch(&http->observer->loop, &http->library);
    MHD_stop_daemon(http->daemon);
    loop_cancel_timer(&http->observer->loop, &http->due);
    task_cancel(&http->soon);
}
