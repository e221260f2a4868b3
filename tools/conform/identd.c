#include "identd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "socks4/ident.h"

#define POLL_MS 20
#define LEARN_MS 300 /* a server may ask before we have told who is meant */
#define HOLD_S 120   /* for a server, however slow it is */

struct identd_question {
    struct identd *identd;
    int fd;
};

static void
identd_format(int fd, const struct identd_answer *answer, unsigned client,
              unsigned server)
{
    char line[2048];
    const char *form = "%u, %u : USERID : UNIX : %s\r\n";

    if (answer->manner == IDENTD_ERROR)
        form = "%u, %u : ERROR : %s\r\n";
    if (answer->manner == IDENTD_RAW)
        snprintf(line, sizeof line, "%s\r\n", answer->text);
    else
        snprintf(line, sizeof line, form, client, server, answer->text);
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        perror("socks4-conform: identd");
}

static struct identd_answer
identd_look_up(struct identd *identd, unsigned client, unsigned server)
{
    struct identd_entry *entry = &identd->ports[client & 0xffff];
    struct identd_answer answer = {IDENTD_SAYS, "tester"};
    bool known = false;

    for (unsigned waited = 0; !known && waited < LEARN_MS; waited += POLL_MS) {
        pthread_mutex_lock(&identd->lock);
        known = entry->known;
        if (known)
            answer = entry->answer;
        entry->server_port = (unsigned short)server;
        pthread_mutex_unlock(&identd->lock);
        if (!known)
            usleep(POLL_MS * 1000);
    }
    return answer;
}

/* With a time limit recv is not begun again after the process was stopped. */
static ssize_t
identd_receive(int fd, char *octets, size_t room)
{
    ssize_t count;

    do
        count = recv(fd, octets, room, 0);
    while (count < 0 && errno == EINTR);
    return count;
}

/* One line, as far as it comes. */
static bool
identd_read_question(int fd, unsigned *client, unsigned *server)
{
    char line[64];
    size_t len = 0;

    while (len < sizeof line - 1) {
        ssize_t count = identd_receive(fd, line + len, sizeof line - 1 - len);
        if (count <= 0)
            return false;
        len += (size_t)count;
        line[len] = '\0';
        if (strchr(line, '\n') != NULL)
            break;
    }
    return sscanf(line, "%u , %u", client, server) == 2;
}

static void
identd_await_hangup(int fd)
{
    char octet;

    while (identd_receive(fd, &octet, 1) > 0)
        ;
}

static void *
identd_serve_question(void *argument)
{
    struct identd_question *question = argument;
    struct timeval hold = {.tv_sec = HOLD_S};
    unsigned client, server;

    setsockopt(question->fd, SOL_SOCKET, SO_RCVTIMEO, &hold, sizeof hold);
    if (identd_read_question(question->fd, &client, &server)) {
        struct identd_answer answer =
            identd_look_up(question->identd, client, server);
        if (answer.manner == IDENTD_SILENT)
            identd_await_hangup(question->fd);
        else if (answer.manner != IDENTD_HANGS_UP)
            identd_format(question->fd, &answer, client, server);
    }
    close(question->fd);
    free(question);
    return NULL;
}

static void *
identd_serve(void *argument)
{
    struct identd *identd = argument;

    for (;;) {
        struct identd_question *question = malloc(sizeof *question);
        pthread_t thread;
        int fd = accept4(identd->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || question == NULL) {
            free(question);
            usleep(POLL_MS * 1000);
            continue;
        }
        *question = (struct identd_question){identd, fd};
        if (pthread_create(&thread, NULL, identd_serve_question, question) ==
            0) {
            pthread_detach(thread);
        } else {
            close(fd);
            free(question);
        }
    }
    return NULL;
}

int
identd_start(struct identd *identd, const struct place *place)
{
    struct endpoint at = {.addr = place->addr[ROLE_CLIENT],
                          .port = SOCKS4_IDENT_PORT};
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&at, &sa);
    pthread_t thread;
    int one = 1;

    pthread_mutex_init(&identd->lock, NULL);
    identd->listener = place_socket(place, ROLE_CLIENT, SOCK_STREAM);
    if (identd->listener < 0)
        return identd->listener;
    setsockopt(identd->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(identd->listener, (struct sockaddr *)&sa, len) < 0 ||
        listen(identd->listener, 64) < 0) {
        int error = -errno;
        close(identd->listener);
        return error;
    }
    return -pthread_create(&thread, NULL, identd_serve, identd);
}

void
identd_expect(struct identd *identd, uint16_t port,
              const struct identd_answer *answer)
{
    pthread_mutex_lock(&identd->lock);
    identd->ports[port].answer = *answer;
    identd->ports[port].server_port = 0;
    identd->ports[port].known = true;
    pthread_mutex_unlock(&identd->lock);
}

uint16_t
identd_asked(struct identd *identd, uint16_t port, unsigned wait)
{
    unsigned short found = 0;

    for (unsigned waited = 0; found == 0 && waited <= wait; waited += POLL_MS) {
        pthread_mutex_lock(&identd->lock);
        found = identd->ports[port].server_port;
        pthread_mutex_unlock(&identd->lock);
        if (found == 0)
            usleep(POLL_MS * 1000);
    }
    return found;
}
