/* connect and bind: a route, a request, then the relay or a command. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/text.h"
#include "tools/route/route_ask.h"
#include "tools/socks4/link.h"
#include "tools/socks4/options.h"
#include "tools/socks4/report.h"
#include "tools/stream/relay.h"

enum { HANGUP_S = 2 }; /* to end in order after a hangup */

struct session {
    const struct options *options;
    struct report report;
    struct route route;
    struct route_dest request;
    struct password password; /* until it was asked */
    struct socks4_dial dial;
    struct route_asked asked;
    struct tls_context *tls; /* NULL: without TLS */
    struct stream stream;
    struct relay relay;
    char dest[512];
};

/* Fills the request from the command's words. */
static int
session_request(struct session *session, uint8_t command)
{
    const struct options *options = session->options;
    const char *port = options->word_count > 1 ? options->words[1] : "0";
    uint64_t number;

    if (text_number(port, &number) != 0 || number > UINT16_MAX ||
        (command == SOCKS4_CONNECT && number == 0))
        return options_usage("port \"%s\": wants %d to 65535", port,
                             command == SOCKS4_CONNECT);
    session->request.command = command;
    session->request.port = (uint16_t)number;
    snprintf(session->dest, sizeof(session->dest), "%s:%s", options->words[0],
             port);
    return 0;
}

static int
session_dest(struct session *session, struct route_fault *fault)
{
    const struct route *route = &session->route;
    const char *host = session->options->words[0];
    bool named;
    int error = route_find(host, &route->hops[route->count - 1],
                           &session->request.addr, &named, fault);

    if (error == 0 && named)
        session->request.name = host;
    return error;
}

/* Resolves the route and the destination. False: the report has the fault. */
static bool
session_find(struct session *session)
{
    struct route_fault fault;
    int error = route_resolve(&session->route, &fault);

    if (error == 0)
        error = session_dest(session, &fault);
    if (error != 0)
        report_say(&session->report,
                   error == -EINVAL ? STATUS_USAGE : STATUS_NETWORK, "%s",
                   fault.text);
    return error == 0;
}

/* Parses the gateways and reads the password. 0, or a status. */
static int
session_route(struct session *session)
{
    struct route_fault fault;

    if (options_route(session->options, &session->route, &fault) == 0)
        return options_password(session->options, &session->route,
                                &session->password);
    session->report.gateway = session->options->gateway_source;
    report_say(&session->report, STATUS_USAGE, "%s", fault.text);
    return report_end(&session->report);
}

/* Connects to the first gateway. False: the report has the fault. */
static bool
session_link(struct session *session)
{
    struct tls_fault fault;
    int error;

    session->dial.deadline_ms =
        socks4_dial_deadline(session->options->timeout_ms);
    session->dial.cancel = -1;
    session->dial.lenient = session->options->lenient;
    error = link_open(&session->stream, &session->route, &session->dial,
                      session->tls, &fault);
    if (error != 0)
        report_unconnected(&session->report, &session->route,
                           session->tls != NULL, error, fault.text);
    return error == 0;
}

/* Sends the request and receives the first reply. False: refused or
   failed. */
static bool
session_ask(struct session *session)
{
    struct socks4_stream stream = stream_for_dial(&session->stream);
    const char *password = session->password.text;
    int result =
        route_ask(&session->route, &stream, &session->dial, &session->request,
                  password[0] != '\0' ? password : NULL, &session->asked);

    password_wipe(&session->password);
    report_asked(&session->report, &session->route, result, &session->asked,
                 &session->stream);
    if (result == 0 && session->options->verbose)
        fprintf(stderr, "socks4: %s %s: granted\n",
                session->options->command->name, session->dest);
    return result == 0;
}

/* Prints the address to tell the peer [V4-4.2-8]. */
static void
session_print_bound(const struct session *session)
{
    struct endpoint at = route_bound(&session->asked);
    char text[ENDPOINT_TEXT_MAX];

    if (session->options->json)
        printf("{\"address\":\"%s\",\"port\":%u}\n", addr_format(at.addr, text),
               at.port);
    else
        puts(endpoint_format(&at, text));
    fflush(stdout);
    if (addr_is_any(at.addr))
        fputs("socks4: the gateway's reply has no address; tell the peer the "
              "gateway's own\n",
              stderr);
}

/* Waits for the second reply. False: the peer did not connect in time, or
   another host did. */
static bool
session_await_peer(struct session *session)
{
    struct socks4_stream stream = stream_for_dial(&session->stream);
    int result;

    session_print_bound(session);
    session->dial.deadline_ms =
        socks4_dial_deadline(session->options->timeout_ms);
    result = route_accept(&stream, &session->dial, &session->asked);
    report_asked(&session->report, &session->route, result, &session->asked,
                 &session->stream);
    if (result == SOCKS4_REJECTED && !session->asked.socks5) /* [V4-4.3-6] */
        report_say(&session->report, SOCKS4_REJECTED,
                   "91: %s did not connect in time, or another host did: "
                   "give it the printed address sooner",
                   session->options->words[0]);
    return result == 0;
}

/* Lets a process of its own speak TLS. Returns the descriptor that the command
   may use as a plain connection, or a negative errno. */
static int
session_unwrap(struct session *session)
{
    const struct relay_end *where;
    struct stream near;
    int fds[2], error;
    pid_t pid;

    error = relay_pair(fds);
    if (error != 0)
        return error;
    pid = fork();
    if (pid != 0) {
        close(fds[1]);
        if (pid < 0)
            close(fds[0]);
        return pid < 0 ? -errno : fds[0];
    }
    close(fds[0]);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    near = (struct stream){.fd = fds[1]};
    session->relay.near.stream = &near;
    error = relay_streams(&session->relay, &where);
    if (error != 0 && where == &session->relay.far)
        fprintf(stderr, "socks4: the connection: %s\n",
                stream_fault(&session->stream, error));
    _exit(error != 0);
}

/* Replaces this program by a shell command. */
static void
session_exec(struct session *session)
{
    int fd = session->stream.fd;

    if (session->tls != NULL)
        fd = session_unwrap(session);
    signal(SIGPIPE, SIG_DFL);
    if (fd >= 0 && dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
        execl("/bin/sh", "sh", "-c", session->options->exec, (char *)NULL);
    report_say(&session->report, STATUS_NETWORK, "/bin/sh: %s",
               strerror(fd < 0 ? -fd : errno));
}

/* ssh ends its ProxyCommand by a hangup, behind its last octets. Without TLS
   the kernel sends them and a FIN; close_notify we must send ourselves. */
static void
session_hung_up(int number)
{
    (void)number;
    alarm(HANGUP_S);
}

static void
session_relay(struct session *session)
{
    const struct relay_end *where;
    int error;

    if (session->tls != NULL && signal(SIGHUP, session_hung_up) == SIG_IGN)
        signal(SIGHUP, SIG_IGN);
    session->relay.no_shutdown = session->options->no_shutdown;
    error = relay_run(&session->relay, &where);
    session->report.up = session->relay.up.moved;
    session->report.down = session->relay.down.moved;
    if (error != 0)
        report_failed(&session->report, error, where->name,
                      stream_fault(&session->stream, error));
}

static int
session_run(const struct options *options, uint8_t command)
{
    static struct session session; /* 40 KiB: rather not on the stack */
    int status;

    session.options = options;
    session.report = (struct report){
        .options = options, .gateway = options->gateway, .dest = session.dest};
    status = session_request(&session, command);
    if (status == 0)
        status = options_tls(options, &session.tls);
    if (status == 0)
        status = session_route(&session);
    if (status != 0)
        return status;
    session.stream.fd = -1;
    session.relay.far =
        (struct relay_end){.stream = &session.stream, .name = "the connection"};
    if (session_find(&session) && session_link(&session) &&
        session_ask(&session) &&
        (command == SOCKS4_CONNECT || session_await_peer(&session))) {
        if (options->exec != NULL)
            session_exec(&session);
        else
            session_relay(&session);
    }
    password_wipe(&session.password);
    stream_close(&session.stream);
    tls_context_free(session.tls);
    return report_end(&session.report);
}

int
connect_run(const struct options *options)
{
    return session_run(options, SOCKS4_CONNECT);
}

int
bind_run(const struct options *options)
{
    return session_run(options, SOCKS4_BIND);
}
