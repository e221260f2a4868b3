/* ident: what a gateway would hear from a host's identd. */

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
#include "tools/socks4/options.h"
#include "tools/socks4/report.h"

struct question {
    const struct options *options;
    struct report report;
    struct route identd;
    struct socks4_ident_query query;
    struct socks4_ident_answer answer;
    uint8_t line[SOCKS4_IDENT_LINE_MAX + 1];
    size_t len;
};

static int
port_read(const char *text, uint16_t *port)
{
    uint64_t number;

    if (text_number(text, &number) != 0 || number < 1 || number > UINT16_MAX)
        return usage("port \"%s\": wants 1 to 65535", text);
    *port = (uint16_t)number;
    return 0;
}

/* HOST[:PORT], as a gateway is written, but for the port. */
static int
identd_read(struct question *question)
{
    const char *word = question->options->words[0];
    const char *behind = strrchr(word, ']');
    struct route_fault fault;

    if (route_parse(&question->identd, word, "", &fault) != 0 ||
        question->identd.count != 1 || strchr(word, '@') != NULL)
        return usage("identd \"%s\": wants HOST[:PORT]", word);
    if (strchr(behind != NULL ? behind : word, ':') == NULL)
        question->identd.hops[0].port = SOCKS4_IDENT_PORT;
    return 0;
}

/* How long poll may wait. */
static int
time_left(uint64_t deadline_ms)
{
    uint64_t now = socks4_dial_deadline(0);
    uint64_t left = deadline_ms > now ? deadline_ms - now : 0;

    return left > 3600000 ? 3600000 : (int)left;
}

/* Reads on: octets, 0 for the end, a negative errno. */
static ssize_t
line_read(struct question *question, int fd, uint64_t deadline_ms)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    int ready = poll(&polled, 1, time_left(deadline_ms));
    ssize_t got;

    if (ready == 0)
        return -ETIMEDOUT;
    if (ready < 0)
        return -errno;
    got = recv(fd, question->line + question->len,
               sizeof(question->line) - question->len, 0);
    if (got < 0)
        return -errno;
    question->len += (size_t)got;
    return got;
}

/* 0 and the answer; a socks4_error; or -EPROTO, -EPIPE... through *network. */
static ssize_t
answer_read(struct question *question, int fd, uint64_t deadline_ms,
            int *network)
{
    for (;;) {
        ssize_t got = line_read(question, fd, deadline_ms);
        ssize_t used;

        if (got == -EINTR)
            continue;
        if (got < 0) {
            *network = (int)got;
            return 0;
        }
        used = socks4_ident_answer_decode(&question->query, question->line,
                                          question->len, &question->answer);
        if (used != 0)
            return used < 0 ? used : 0;
        if (got == 0)
            return SOCKS4_E_SHORT;
    }
}

static bool
is_user(const struct question *question)
{
    const char *userid = question->options->userid;

    return userid == NULL || (strlen(userid) == question->answer.userid_len &&
                              memcmp(userid, question->answer.userid,
                                     question->answer.userid_len) == 0);
}

static void
answer_print(struct question *question)
{
    const struct socks4_ident_answer *answer = &question->answer;
    char text[4 * SOCKS4_IDENT_LINE_MAX];

    if (answer->kind == SOCKS4_IDENT_ERROR) {
        text_show(answer->error, answer->error_len, text, 200);
        report_say(&question->report, SOCKS4_NO_IDENTD,
                   "92: identd answers %s: a gateway that asks would refuse",
                   text);
        return;
    }
    puts(text_show(answer->userid, answer->userid_len, text, sizeof(text)));
    if (!is_user(question))
        report_say(&question->report, SOCKS4_OTHER_USER,
                   "93: identd names another user than \"%s\": a gateway that "
                   "asks would refuse",
                   question->options->userid);
}

static void
question_ask(struct question *question, int fd, uint64_t deadline_ms)
{
    uint8_t octets[SOCKS4_IDENT_QUERY_MAX];
    size_t size = socks4_ident_query_encode(&question->query, octets);
    int network = 0;
    ssize_t wrong = 0;

    if (send(fd, octets, size, MSG_NOSIGNAL) != (ssize_t)size)
        network = -errno;
    else
        wrong = answer_read(question, fd, deadline_ms, &network);
    if (network == -ETIMEDOUT)
        report_say(&question->report, STATUS_NETWORK,
                   "%s: no answer in time; -t gives it more",
                   question->report.gateway);
    else if (network != 0)
        report_say(&question->report, STATUS_NETWORK, "%s: %s",
                   question->report.gateway, strerror(-network));
    else if (wrong != 0)
        report_say(&question->report, STATUS_PROTOCOL,
                   "%s does not answer as an identd: %s",
                   question->report.gateway, socks4_error_text((int)wrong));
    else
        answer_print(question);
}

static void
question_run(struct question *question)
{
    struct socks4_dial dial = {
        .deadline_ms = socks4_dial_deadline(question->options->timeout_ms),
        .cancel = -1};
    struct socks4_dialled dialled;
    struct route_fault fault;
    int result;

    if (route_resolve(&question->identd, false, &fault) != 0) {
        report_say(&question->report, STATUS_NETWORK, "%s", fault.text);
        return;
    }
    result = route_dial(&question->identd, &dial, NULL, &dialled);
    report_dialled(&question->report, result, &dialled);
    if (result != 0)
        return;
    question_ask(question, dialled.fd, dial.deadline_ms);
    close(dialled.fd);
}

int
ident_run(const struct options *options)
{
    static struct question question;
    char dest[32];
    int status;

    question.options = options;
    status = identd_read(&question);
    if (status == 0)
        status = port_read(options->words[1], &question.query.client_port);
    if (status == 0)
        status = port_read(options->words[2], &question.query.server_port);
    if (status != 0)
        return status;
    snprintf(dest, sizeof(dest), "%u,%u", question.query.client_port,
             question.query.server_port);
    question.report = (struct report){
        .options = options, .gateway = options->words[0], .dest = dest};
    question_run(&question);
    return report_end(&question.report);
}
