#include "tools/socks4ctl/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define GATEWAY_OF_SYSTEM "/run/socks4d/control"

/* More than the gateway answers. */
#define GATEWAY_LINE_MAX ((size_t)64 << 20)

/* As an ordinary user the gateway of one's own comes first. */
void
gateway_find(char *path)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (geteuid() != 0 && runtime != NULL && runtime[0] == '/') {
        snprintf(path, GATEWAY_PATH_MAX, "%s/socks4d/control", runtime);
        if (access(path, F_OK) == 0)
            return;
    }
    snprintf(path, GATEWAY_PATH_MAX, GATEWAY_OF_SYSTEM);
}

static const char *
gateway_error(int error, const char *path)
{
    struct stat file;

    switch (error) {
    case ENOENT:
        return "there is no such socket; is socks4d running, and is this its "
               "control.socket? (-s SOCKET names another)";
    case ECONNREFUSED:
        return stat(path, &file) == 0 && !S_ISSOCK(file.st_mode)
                   ? "is not a socket; -s names the gateway's control.socket"
                   : "no gateway is there any more";
    case EACCES:
        return "permission denied: only root, the gateway's user and the "
               "members of control.group may talk to it";
    case EAGAIN:
        return "the gateway does not answer; if that goes on, the log says "
               "why";
    default:
        return strerror(error);
    }
}

static void
gateway_set_patience(int fd, int option, unsigned ms)
{
    const struct timeval patience = {
        .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    setsockopt(fd, SOL_SOCKET, option, &patience, sizeof(patience));
}

int
gateway_open(struct gateway *gateway, const char *socket_path,
             unsigned patience_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *gateway = (struct gateway){.socket = socket_path, .fd = -1};
    if (strlen(socket_path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "socks4ctl: %s: the path is too long for a socket\n",
                socket_path);
        return -1;
    }
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    gateway->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (gateway->fd >= 0) { /* of connect and send, and of the answer */
        gateway_set_patience(gateway->fd, SO_SNDTIMEO, patience_ms);
        gateway_set_patience(gateway->fd, SO_RCVTIMEO, patience_ms);
    }
    if (gateway->fd >= 0 &&
        connect(gateway->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    fprintf(stderr, "socks4ctl: %s: %s\n", socket_path,
            gateway_error(errno, socket_path));
    gateway_close(gateway);
    return -1;
}

void
gateway_close(struct gateway *gateway)
{
    if (gateway->fd != -1)
        close(gateway->fd);
    gateway->fd = -1;
    free(gateway->in);
    gateway->in = NULL;
}

int
gateway_ask(struct gateway *gateway, const json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    size_t len = text != NULL ? strlen(text) : 0, at = 0;

    if (text == NULL)
        return -1;
    text[len++] = '\n';
    while (at < len) {
        ssize_t sent = send(gateway->fd, text + at, len - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            break; /* it may have said why before it closed */
        at += (size_t)sent;
    }
    free(text);
    return 0;
}

int
gateway_read(struct gateway *gateway)
{
    ssize_t got;

    if (gateway->room - gateway->len < 65536) {
        size_t room = gateway->room * 2 + 131072;
        char *grown =
            room < GATEWAY_LINE_MAX ? realloc(gateway->in, room) : NULL;
        if (grown == NULL) {
            errno = ENOMEM;
            return -1;
        }
        gateway->in = grown;
        gateway->room = room;
    }
    do {
        got = recv(gateway->fd, gateway->in + gateway->len,
                   gateway->room - gateway->len, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        gateway->len += (size_t)got;
    return got > 0 ? 1 : (int)got;
}

/* What was looked at in vain is not looked at again. */
static char *
gateway_line_end(struct gateway *gateway)
{
    char *end = NULL;

    if (gateway->len > gateway->looked)
        end = memchr(gateway->in + gateway->looked, '\n',
                     gateway->len - gateway->looked);
    gateway->looked = gateway->len;
    return end;
}

static json_t *
gateway_cut(struct gateway *gateway, const char *end)
{
    json_error_t error;
    size_t len = (size_t)(end - gateway->in);
    json_t *answer = json_loadb(gateway->in, len, 0, &error);

    gateway->len -= len + 1;
    gateway->looked = 0;
    memmove(gateway->in, end + 1, gateway->len);
    return answer;
}

json_t *
gateway_take(struct gateway *gateway)
{
    const char *end = gateway_line_end(gateway);

    return end != NULL ? gateway_cut(gateway, end) : NULL;
}

json_t *
gateway_answer(struct gateway *gateway)
{
    const char *end, *why = "the answer is not JSON";
    int got = 1;

    while ((end = gateway_line_end(gateway)) == NULL &&
           (got = gateway_read(gateway)) == 1)
        ;
    if (end == NULL && got < 0 && errno == EAGAIN)
        why = gateway_error(EAGAIN, gateway->socket);
    else if (end == NULL)
        why = "the gateway closed the connection without an answer";
    json_t *answer = end != NULL ? gateway_cut(gateway, end) : NULL;
    if (answer == NULL)
        fprintf(stderr, "socks4ctl: %s: %s\n", gateway->socket, why);
    return answer;
}

int
gateway_be_patient(struct gateway *gateway)
{
    json_t *question = json_pack("{s:s}", "command", "status");
    int error = question != NULL ? gateway_ask(gateway, question) : -1;
    json_t *answer = error == 0 ? gateway_answer(gateway) : NULL;

    const char *why = json_string_value(json_object_get(answer, "error"));

    if (why != NULL)
        fprintf(stderr, "socks4ctl: %s: %s\n", gateway->socket, why);
    error = answer != NULL && why == NULL ? 0 : -1;
    json_decref(question);
    json_decref(answer);
    if (error == 0)
        gateway_set_patience(gateway->fd, SO_RCVTIMEO, 0);
    return error;
}
