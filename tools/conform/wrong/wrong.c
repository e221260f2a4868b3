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
#include "socks4/v5.h"
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
           defect_is(DEFECT_5_CONNECT_STALLS) ||
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
        session->found[session->found_count++] =
            session->version == 5 ? session->to : addr_v4(session->ip);
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
                addr_v4(ntohl(sin->sin_addr.s_addr));
    }
    freeaddrinfo(list);
    if (defect_is(DEFECT_FIRST_ADDRESS)) {
        /* the one that nobody answers at: resolvers sort */
        for (unsigned i = 0; i < session->found_count; i++)
            if ((addr_to_v4(session->found[i]) & 0xff) == 7)
                session->found[0] = session->found[i];
        session->found_count = 1;
    }
    return session->found_count > 0;
}

static void
wrong_refuse_unresolved(struct session *session)
{
    session->rep = SOCKS4_V5_HOST_UNREACHABLE;
    if (defect_is(DEFECT_5_UNRESOLVED_SILENT))
        return;
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

/* REP of version 5 by the error of a connect. */
static uint8_t
wrong_rep(int error)
{
    switch (-error) {
    case ECONNREFUSED:
        return SOCKS4_V5_REFUSED;
    case ENETUNREACH:
        return SOCKS4_V5_NETWORK_UNREACHABLE;
    case EHOSTUNREACH:
        return SOCKS4_V5_HOST_UNREACHABLE;
    case ETIMEDOUT:
        return SOCKS4_V5_TTL_EXPIRED;
    default:
        return SOCKS4_V5_FAILURE;
    }
}

static void
wrong_refuse_unconnected(struct session *session, int error)
{
    session->rep = wrong_rep(error);
    if (error == -ETIMEDOUT && defect_is(DEFECT_5_CONNECT_TIMER_SILENT))
        return;
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

/* The address is where the server connects from. */
static void
wrong_grant_of_5(const struct session *session, int server)
{
    struct endpoint at = session_near_end(server);

    if (defect_is(DEFECT_5_BOUND_ZEROS))
        at = (struct endpoint){addr_v4(0), 0};
    if (!defect_is(DEFECT_EARLY_GRANT) && !defect_is(DEFECT_5_EARLY_GRANT))
        session_reply_at(session, 90, &at);
}

static void
wrong_serve_connect(struct session *session)
{
    if (wrong_pretend(session))
        return;
    if (defect_is(DEFECT_EARLY_GRANT) || defect_is(DEFECT_5_EARLY_GRANT))
        session_reply(session, 90, 0, 0);
    wrong_stall_begin(DEFECT_CONNECT_STALLS);
    wrong_stall_begin(DEFECT_5_CONNECT_STALLS);
    int server = session_connect(session);
    if (server != -ETIMEDOUT) {
        wrong_stall_end(DEFECT_CONNECT_STALLS);
        wrong_stall_end(DEFECT_5_CONNECT_STALLS);
    }
    if (server < 0) {
        if (!defect_is(DEFECT_EARLY_GRANT) && !defect_is(DEFECT_5_EARLY_GRANT))
            wrong_refuse_unconnected(session, server);
        if (server == -ETIMEDOUT) {
            wrong_stall_linger(DEFECT_CONNECT_STALLS);
            wrong_stall_linger(DEFECT_5_CONNECT_STALLS);
        }
        return;
    }
    unsigned identity = 0;
    if (session->ident && defect_is(DEFECT_IDENT_LATE))
        identity = session_ask_identd(session);
    if (identity != 0)
        session_refuse(session, identity);
    else if (defect_is(DEFECT_GLUED))
        wrong_glue(session, server);
    else if (session->version == 5)
        wrong_grant_of_5(session, server);
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
    else if (session->command == 3)
        session_udp(session);
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
wrong_print_session(const struct session *session)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct pollfd poller = {.fd = STDOUT_FILENO, .events = POLLOUT};
    struct endpoint to = {addr_v4(session->ip), session->port};
    const struct session_tally *tally = session->tally;
    char from[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX], line[LINE_MAX_LEN];
    const char *command = session->command == 1   ? "CONNECT "
                          : session->command == 2 ? "BIND "
                          : session->command == 3 ? "UDP ASSOCIATE "
                                                  : "no command ";

    int len =
        snprintf(line, sizeof line,
                 "%s %s%s: %zu octets in, %zu out, ended by %s. A good "
                 "client %s.\n",
                 endpoint_format(&session->client, from),
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

    session->tally = &tally;
    getpeername(session->fd, (struct sockaddr *)&sa, &len);
    endpoint_from_sockaddr(&session->client, &sa);
    session->near = session_near_end(session->fd);
    if (session->tls != NULL)
        session->fd = unwrap(session->fd, session->tls);
    if (session->fd < 0) {
        free(session);
        return NULL;
    }
    switch (session->manner->socks5 ? session_read_socks5(session)
                                    : session_read_request(session)) {
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
    wrong_print_session(session);
    free(session);
    return NULL;
}

static void
wrong_accept_for_ever(int listener, const struct wrong_manner *manner,
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
        session->manner = manner;
        session->socks4a = manner->socks4a;
        session->ident = manner->ident;
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
wrong_serve(const char *name, const struct endpoint *at,
            const struct wrong_manner *manner)
{
    struct wrong_manner served = *manner;
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
    served.socks5 |= ROWS[i].as[0] == '5';
    if (strcmp(ROWS[i].as, "password") == 0 && manner->user == NULL) {
        fprintf(stderr,
                "socks4-conform: %s: a defect of passwords: add --mode 5, "
                "--user and --password-file\n",
                name);
        return 3;
    }
    if (manner->tls->on &&
        tls_context_open_server(&context, manner->tls, &fault) != 0) {
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
    wrong_accept_for_ever(listener, &served, context);
    return 0;
}
