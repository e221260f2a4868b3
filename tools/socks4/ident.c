/* ident: asks a host's identd as a gateway does. */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "socks4/ident.h"
#include "tools/route/route.h"
#include "tools/socks4/link.h"
#include "tools/socks4/options.h"
#include "tools/socks4/report.h"

struct ident {
    const struct options *options;
    struct report report;
    struct route identd;
    struct socks4_ident_query query;
    struct socks4_ident_answer answer;
    uint8_t line[SOCKS4_IDENT_LINE_MAX + 1];
    size_t len;
};

static int
ident_read_port(const char *text, uint16_t *port)
{
    uint64_t number;

    if (text_number(text, &number) != 0 || number < 1 || number > UINT16_MAX)
        return options_usage("port \"%s\": wants 1 to 65535", text);
    *port = (uint16_t)number;
    return 0;
}

/* HOST[:PORT], like a gateway, but with another default port. */
static int
ident_read_host(struct ident *ident)
{
    static const struct route_defaults defaults = {.userid = "", .user = ""};
    const char *word = ident->options->words[0];
    const char *behind = strrchr(word, ']');
    struct route_fault fault;

    if (route_parse(&ident->identd, word, &defaults, &fault) != 0 ||
        ident->identd.count != 1 || strchr(word, '@') != NULL ||
        strstr(word, "://") != NULL)
        return options_usage("identd \"%s\": wants HOST[:PORT]", word);
    if (strchr(behind != NULL ? behind : word, ':') == NULL)
        ident->identd.hops[0].port = SOCKS4_IDENT_PORT;
    return 0;
}

/* poll's timeout. */
static int
ident_time_left(uint64_t deadline_ms)
{
    uint64_t now = socks4_dial_deadline(0);
    uint64_t left = deadline_ms > now ? deadline_ms - now : 0;

    return left > 3600000 ? 3600000 : (int)left;
}

/* Reads more of the line: number of octets, 0 at the end, a negative errno. */
static ssize_t
ident_read_line(struct ident *ident, int fd, uint64_t deadline_ms)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    int ready = poll(&polled, 1, ident_time_left(deadline_ms));
    ssize_t got;

    if (ready == 0)
        return -ETIMEDOUT;
    if (ready < 0)
        return -errno;
    got =
        recv(fd, ident->line + ident->len, sizeof(ident->line) - ident->len, 0);
    if (got < 0)
        return -errno;
    ident->len += (size_t)got;
    return got;
}

/* Reads the answer: 0, or a socks4_error; *network is 0 or a negative errno. */
static ssize_t
ident_read_answer(struct ident *ident, int fd, uint64_t deadline_ms,
                  int *network)
{
    for (;;) {
        ssize_t got = ident_read_line(ident, fd, deadline_ms);
        ssize_t used;

        if (got == -EINTR)
            continue;
        if (got < 0) {
            *network = (int)got;
            return 0;
        }
        used = socks4_ident_answer_decode(&ident->query, ident->line,
                                          ident->len, &ident->answer);
        if (used != 0)
            return used < 0 ? used : 0;
        if (got == 0)
            return SOCKS4_E_SHORT;
    }
}

static bool
ident_is_user(const struct ident *ident)
{
    const char *userid = ident->options->userid;

    return userid == NULL || (strlen(userid) == ident->answer.userid_len &&
                              memcmp(userid, ident->answer.userid,
                                     ident->answer.userid_len) == 0);
}

static void
ident_print(struct ident *ident)
{
    const struct socks4_ident_answer *answer = &ident->answer;
    char text[4 * SOCKS4_IDENT_LINE_MAX];

    if (answer->kind == SOCKS4_IDENT_ERROR) {
        text_show(answer->error, answer->error_len, text, 200);
        report_say(&ident->report, SOCKS4_NO_IDENTD,
                   "92: identd answers %s: a gateway that asks would refuse",
                   text);
        return;
    }
    puts(text_show(answer->userid, answer->userid_len, text, sizeof(text)));
    if (!ident_is_user(ident))
        report_say(&ident->report, SOCKS4_OTHER_USER,
                   "93: identd names another user than \"%s\": a gateway that "
                   "asks would refuse",
                   ident->options->userid);
}

static void
ident_ask(struct ident *ident, int fd, uint64_t deadline_ms)
{
    uint8_t octets[SOCKS4_IDENT_QUERY_MAX];
    size_t size = socks4_ident_query_encode(&ident->query, octets);
    int network = 0;
    ssize_t wrong = 0;

    if (send(fd, octets, size, MSG_NOSIGNAL) != (ssize_t)size)
        network = -errno;
    else
        wrong = ident_read_answer(ident, fd, deadline_ms, &network);
    if (network == -ETIMEDOUT)
        report_say(&ident->report, STATUS_NETWORK,
                   "%s: no answer in time; -t gives it more",
                   ident->report.gateway);
    else if (network != 0)
        report_say(&ident->report, STATUS_NETWORK, "%s: %s",
                   ident->report.gateway, strerror(-network));
    else if (wrong != 0)
        report_say(&ident->report, STATUS_PROTOCOL,
                   "%s does not answer as an identd: %s", ident->report.gateway,
                   socks4_error_text((int)wrong));
    else
        ident_print(ident);
}

static void
ident_dial(struct ident *ident)
{
    struct socks4_dial dial = {
        .deadline_ms = socks4_dial_deadline(ident->options->timeout_ms),
        .cancel = -1};
    struct route_fault fault;
    struct tls_fault reason;
    struct stream stream;
    int error;

    if (route_resolve(&ident->identd, &fault) != 0) {
        report_say(&ident->report, STATUS_NETWORK, "%s", fault.text);
        return;
    }
    error = link_open(&stream, &ident->identd, &dial, NULL, &reason);
    if (error != 0) {
        report_failed(&ident->report, error, ident->report.gateway,
                      reason.text);
        return;
    }
    ident_ask(ident, stream.fd, dial.deadline_ms);
    stream_close(&stream);
}

int
ident_run(const struct options *options)
{
    static struct ident ident;
    char dest[32];
    int status;

    ident.options = options;
    status = ident_read_host(&ident);
    if (status == 0)
        status = ident_read_port(options->words[1], &ident.query.client_port);
    if (status == 0)
        status = ident_read_port(options->words[2], &ident.query.server_port);
    if (status != 0)
        return status;
    snprintf(dest, sizeof(dest), "%u,%u", ident.query.client_port,
             ident.query.server_port);
    ident.report = (struct report){
        .options = options, .gateway = options->words[0], .dest = dest};
    ident_dial(&ident);
    return report_end(&ident.report);
}
