#include "wrong.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"
#include "unwrap.h"

struct wrong_row {
    const char *name;
    const char *as;
    const char *caught;
    const char *text;
};

#define DEFECT_ROW(id, name, as, caught, text) {name, as, caught, text},
static const struct wrong_row ROWS[] = {DEFECTS(DEFECT_ROW)};

static enum defect chosen;

#define STALL_US 2500000
#define LINE_MAX_LEN 400

bool
defect_is(enum defect defect)
{
    return chosen == defect;
}

/* What the client gets in place of any service; whether it was that. */
static bool
wrong_surprise(struct session *session)
{
    static const char http[] = "HTTP/1.0 400 Bad Request\r\n\r\n";

    if (defect_is(DEFECT_ALL_91) || defect_is(DEFECT_ALL_92) ||
        defect_is(DEFECT_ALL_93)) {
        session_refuse(session, 91 + (unsigned)(chosen - DEFECT_ALL_91));
    } else if (defect_is(DEFECT_REFUSED_OPEN)) {
        session_reply(session, 91, 0, 0);
        session_keep(session);
    } else if (defect_is(DEFECT_GRANT_NEVER)) {
        session_keep(session);
    } else if (defect_is(DEFECT_TALKS_HTTP)) {
        session_send(session, http, sizeof http - 1);
    } else if (defect_is(DEFECT_GRANT_RESETS)) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(session->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else if (!defect_is(DEFECT_GRANT_CLOSES)) {
        return false;
    }
    return true;
}

/* The name that the tester's name server says nothing about. */
static bool
wrong_is_silent(const struct session *session)
{
    return strcmp(session->domain, "silent.socks4.test") == 0;
}

/* Held by the session that the server waits for something with. */
static pthread_mutex_t stall = PTHREAD_MUTEX_INITIALIZER;

static bool
wrong_stalls(void)
{
    return defect_is(DEFECT_CONNECT_STALLS) ||
           defect_is(DEFECT_RESOLVER_STALLS) || defect_is(DEFECT_IDENT_STALLS);
}

/* Waits like all others while one session keeps the server waiting. */
static void
wrong_stall_pass(void)
{
    if (!wrong_stalls())
        return;
    pthread_mutex_lock(&stall);
    pthread_mutex_unlock(&stall);
}

/* Serves nobody else until wrong_stall_end. */
static void
wrong_stall_begin(enum defect defect)
{
    if (defect_is(defect))
        pthread_mutex_lock(&stall);
}

static void
wrong_stall_end(enum defect defect)
{
    if (defect_is(defect))
        pthread_mutex_unlock(&stall);
}

/* The session has its answer; the server is stuck for some time more. */
static void
wrong_stall_linger(enum defect defect)
{
    if (!defect_is(defect))
        return;
    usleep(STALL_US);
    pthread_mutex_unlock(&stall);
}

/* The addresses that the request leads to; 0.0.0.x is none of version 4. */
static bool
wrong_resolve(struct session *session)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    session->found_count = 0;
    if (!session->named) {
        session->found[session->found_count++] = session->ip;
        return true;
    }
    wrong_stall_begin(DEFECT_RESOLVER_STALLS);
    int error = getaddrinfo(session->domain, NULL, &hints, &list);
    if (!wrong_is_silent(
            session)) /* else when wrong_refuse_unresolved has answered */
        wrong_stall_end(DEFECT_RESOLVER_STALLS);
    if (error != 0)
        return false;
    for (struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        const struct sockaddr_in *sin = (const void *)at->ai_addr;
        if (session->found_count < 8)
            session->found[session->found_count++] =
                ntohl(sin->sin_addr.s_addr);
    }
    freeaddrinfo(list);
    if (defect_is(DEFECT_FIRST_ADDRESS)) {
        /* the one that nobody answers at: resolvers sort */
        for (unsigned i = 0; i < session->found_count; i++)
            if ((session->found[i] & 0xff) == 7)
                session->found[0] = session->found[i];
        session->found_count = 1;
    }
    return session->found_count > 0;
}

static void
wrong_refuse_unresolved(struct session *session)
{
    if (defect_is(DEFECT_UNRESOLVED_SILENT))
        return;
    if (defect_is(DEFECT_RESOLVER_WAITS) && wrong_is_silent(session)) {
        session_keep(session);
        return;
    }
    if (defect_is(DEFECT_UNRESOLVED_OPEN)) {
        session_reply(session, 91, 0, 0);
        session_keep(session);
        return;
    }
    if (defect_is(DEFECT_RESOLVER_STALLS) && wrong_is_silent(session))
        usleep(STALL_US);
    session_refuse(session, defect_is(DEFECT_UNRESOLVED_92) ? 92 : 91);
    if (wrong_is_silent(session))
        wrong_stall_linger(DEFECT_RESOLVER_STALLS);
}

static void
wrong_refuse_unconnected(struct session *session, int error)
{
    if (error == -ETIMEDOUT && defect_is(DEFECT_CONNECT_TIMER_SILENT))
        return;
    if (error == -ETIMEDOUT && defect_is(DEFECT_CONNECT_TIMER_OPEN)) {
        session_reply(session, 91, 0, 0);
        session_keep(session);
        return;
    }
    if (error != -ETIMEDOUT && defect_is(DEFECT_REFUSAL_SILENT))
        return;
    if (error != -ETIMEDOUT && defect_is(DEFECT_REFUSAL_HANGS))
        session_keep(session);
    else
        session_refuse(session, 91);
}

static void
wrong_glue(struct session *session, int server)
{
    uint8_t octets[4096] = {0, 90};
    ssize_t count;

    session_wait(server, 1 /* POLLIN */, session_now() + 1000);
    count = recv(server, octets + 8, sizeof octets - 8, MSG_DONTWAIT);
    session_send(session, octets, 8 + (count > 0 ? (size_t)count : 0));
}

static bool
wrong_is_quad(const struct session *session)
{
    struct addr addr;
    return addr_parse(session->domain, &addr) == 0;
}

/* Grants what is none of its business; whether that is all it does. */
static bool
wrong_pretend(struct session *session)
{
    if (defect_is(DEFECT_UNCONNECTED)) {
        session_reply(session, 90, session->port, session->ip);
        session_keep(session);
        return true;
    }
    return session->named && defect_is(DEFECT_QUAD_SILENT) &&
           wrong_is_quad(session);
}

static void
wrong_serve_connect(struct session *session)
{
    if (wrong_pretend(session))
        return;
    if (defect_is(DEFECT_EARLY_GRANT))
        session_reply(session, 90, 0, 0);
    wrong_stall_begin(DEFECT_CONNECT_STALLS);
    int server = session_connect(session);
    if (server != -ETIMEDOUT)
        wrong_stall_end(DEFECT_CONNECT_STALLS);
    if (server < 0) {
        if (!defect_is(DEFECT_EARLY_GRANT))
            wrong_refuse_unconnected(session, server);
        if (server == -ETIMEDOUT)
            wrong_stall_linger(DEFECT_CONNECT_STALLS);
        return;
    }
    unsigned identity = 0;
    if (session->ident && defect_is(DEFECT_IDENT_LATE))
        identity = session_ask_identd(session);
    if (identity != 0)
        session_refuse(session, identity);
    else if (defect_is(DEFECT_GLUED))
        wrong_glue(session, server);
    else if (!defect_is(DEFECT_EARLY_GRANT) &&
             !(session->named && defect_is(DEFECT_NAMED_UNANSWERED)))
        session_reply(session, 90, session->port, session->ip);
    if (identity == 0)
        session_relay(session, server);
    close(server);
}

/* Identity first, then the name, then the connection. */
static void
wrong_serve_request(struct session *session)
{
    unsigned identity = 0;

    wrong_stall_pass();
    if (session->ident &&
        (session->command == 2 || !defect_is(DEFECT_IDENT_LATE))) {
        wrong_stall_begin(DEFECT_IDENT_STALLS);
        identity = session_ask_identd(session);
        wrong_stall_end(DEFECT_IDENT_STALLS);
    }
    if (wrong_surprise(session))
        return;
    if (identity != 0)
        session_refuse(session, identity);
    else if (!wrong_resolve(session))
        wrong_refuse_unresolved(session);
    else if (session->command == 2)
        session_bind(session);
    else
        wrong_serve_connect(session);
}

/* How the connection ends, as far as nobody has said so yet. */
static void
wrong_note_end(const struct session *session)
{
    struct pollfd poller = {.fd = session->fd, .events = POLLRDHUP};
    struct linger linger = {0};
    socklen_t len = sizeof linger;

    poll(&poller, 1, 0);
    getsockopt(session->fd, SOL_SOCKET, SO_LINGER, &linger, &len);
    if (poller.revents & POLLERR)
        session_ended_by(session, "the client, with a reset");
    else if (poller.revents & POLLRDHUP)
        session_ended_by(session, "the client");
    else
        session_ended_by(session, linger.l_onoff ? "this server, with a reset"
                                                 : "this server");
}

/* "127.0.0.1:40312 CONNECT 127.0.0.3:80: 15 octets in, 26 out, ended by the
   client. A good client ..." A reader that stops reading loses lines and stops
   no session. */
static void
wrong_print_session(const struct session *session,
                    const struct endpoint *client)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct pollfd poller = {.fd = STDOUT_FILENO, .events = POLLOUT};
    struct endpoint to = {addr_v4(session->ip), session->port};
    const struct session_tally *tally = session->tally;
    char from[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX], line[LINE_MAX_LEN];
    const char *command = session->command == 1   ? "CONNECT "
                          : session->command == 2 ? "BIND "
                                                  : "no command ";

    int len =
        snprintf(line, sizeof line,
                 "%s %s%s: %zu octets in, %zu out, ended by %s. A good "
                 "client %s.\n",
                 endpoint_format(client, from),
                 session->version == 0 ? "no request" : command,
                 session->version == 0 ? "" : endpoint_format(&to, text),
                 tally->in, tally->out, tally->ended_by, defect_good(chosen));
    pthread_mutex_lock(&lock);
    if (poll(&poller, 1, 0) > 0 && (poller.revents & POLLOUT) &&
        write(STDOUT_FILENO, line, (size_t)len) < 0)
        poller.revents = 0; /* nobody reads any more */
    pthread_mutex_unlock(&lock);
}

static void *
wrong_serve_session(void *argument)
{
    struct session *session = argument;
    struct session_tally tally = {0};
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    struct endpoint client = {0};

    session->tally = &tally;
    getpeername(session->fd, (struct sockaddr *)&sa, &len);
    endpoint_from_sockaddr(&client, &sa);
    if (session->tls != NULL)
        session->fd = unwrap(session->fd, session->tls);
    if (session->fd < 0) {
        free(session);
        return NULL;
    }
    switch (session_read_request(session)) {
    case REQUEST_WHOLE:
        wrong_serve_request(session);
        break;
    case REQUEST_REFUSED:
        session_refuse(session, 91);
        break;
    case REQUEST_KEPT:
        session_keep(session);
        break;
    case REQUEST_DROPPED:
        break;
    }
    wrong_note_end(session);
    close(session->fd);
    wrong_print_session(session, &client);
    free(session);
    return NULL;
}

static void
wrong_accept_for_ever(int listener, bool socks4a, bool ident,
                      const struct tls_context *tls)
{
    for (;;) {
        struct session *session = calloc(1, sizeof *session);
        pthread_t thread;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        int one = 1;
        if (fd < 0 || session == NULL) {
            free(session);
            usleep(10000);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
        session->fd = fd;
        session->socks4a = socks4a;
        session->ident = ident;
        session->tls = tls;
        if (defect_is(DEFECT_SERVES_ONE)) {
            wrong_serve_session(session);
        } else if (pthread_create(&thread, NULL, wrong_serve_session,
                                  session) == 0) {
            pthread_detach(thread);
        } else {
            close(fd);
            free(session);
        }
    }
}

static int
wrong_list(void)
{
    for (unsigned i = 0; i < DEFECT_COUNT; i++)
        printf("%s\t%s\t%s\t%s\n", ROWS[i].name, ROWS[i].as, ROWS[i].caught,
               ROWS[i].text);
    return 0;
}

static int
wrong_listen_at(const struct endpoint *at)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(at, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0 ||
        listen(fd, 128) < 0)
        return -errno;
    return fd;
}

int
wrong_serve(const char *name, const struct endpoint *at, bool socks4a,
            bool ident, const struct tls_options *tls)
{
    struct tls_context *context = NULL;
    struct tls_fault fault;
    char text[ENDPOINT_TEXT_MAX];
    unsigned i = 0;

    if (strcmp(name, "list") == 0)
        return wrong_list();
    while (i < DEFECT_COUNT && strcmp(ROWS[i].name, name) != 0)
        i++;
    if (i == DEFECT_COUNT) {
        fprintf(stderr,
                "socks4-conform: %s: no such defect; `--serve-wrong "
                "list' names them\n",
                name);
        return 3;
    }
    chosen = (enum defect)i;
    if (tls->on && tls_context_open_server(&context, tls, &fault) != 0) {
        fprintf(stderr, "socks4-conform: %s\n", fault.text);
        return 3;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = wrong_listen_at(at);
    endpoint_format(at, text);
    if (listener < 0) {
        fprintf(stderr, "socks4-conform: %s: %s\n", text, strerror(-listener));
        return 3;
    }
    printf("%s: %s; listening on %s\n", name, ROWS[i].text, text);
    fflush(stdout);
    wrong_accept_for_ever(listener, socks4a, ident, context);
    return 0;
}
