#include "tools/socks4/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"

void
report_say(struct report *report, int status, const char *format, ...)
{
    va_list args;

    report->status = status;
    va_start(args, format);
    vsnprintf(report->message, sizeof(report->message), format, args);
    va_end(args);
}

/* What the reply means, and the remedy. */
static void
report_refused(struct report *report, const struct route_stage *stage, int code)
{
    const char *userid = report->options->userid;

    switch (code) {
    case SOCKS4_NO_IDENTD: /* [V4-3.3-6] */
        report_say(report, SOCKS4_NO_IDENTD,
                   "92: %s could not ask this machine's identd who you are: "
                   "start identd here and let the gateway reach port 113",
                   stage->gateway);
        break;
    case SOCKS4_OTHER_USER: /* [V4-3.3-7] */
        report_say(report, SOCKS4_OTHER_USER,
                   "93: this machine's identd names another user than \"%s\": "
                   "give -u the name that identd gives",
                   userid != NULL ? userid : "");
        break;
    default: /* [V4-3.3-5] */
        report_say(report, SOCKS4_REJECTED,
                   "91: %s refused, or could not reach %s: check host and "
                   "port, and ask the gateway's operator whether its rules "
                   "allow it",
                   stage->gateway, stage->target);
    }
}

/* The same for SOCKS5. */
static void
report_refused_v5(struct report *report, const struct route_stage *stage,
                  int code)
{
    static const char *const remedies[] = {
        [SOCKS4_V5_FAILURE] = "ask the gateway's operator what its log says",
        [SOCKS4_V5_NOT_ALLOWED] =
            "ask the gateway's operator for a rule that allows it",
        [SOCKS4_V5_NETWORK_UNREACHABLE] =
            "the gateway has no way there; check the address",
        [SOCKS4_V5_HOST_UNREACHABLE] = "check host and port",
        [SOCKS4_V5_REFUSED] = "nothing listens there; check host and port",
        [SOCKS4_V5_TTL_EXPIRED] = "it did not answer in time, or the way to it "
                                  "is a circle; check host and port",
        [SOCKS4_V5_NO_COMMAND] =
            "this gateway does not do that; another one may",
        [SOCKS4_V5_NO_TYPE] = "give it an IPv4 address or a name",
    };
    bool known = code <= SOCKS4_V5_NO_TYPE;

    report_say(report, STATUS_V5 + (known ? code : SOCKS4_V5_FAILURE),
               "%d: %s did not connect to %s: %s; %s", code, stage->gateway,
               stage->target, socks4_v5_code_text(code),
               remedies[known ? code : SOCKS4_V5_FAILURE]);
}

static void
report_denied(struct report *report, const struct route_stage *stage, int error)
{
    const char *remedy = "check --user and the file of --password-file";

    if (error == SOCKS4_E_V5_UNACCEPTABLE)
        remedy = report->options->password_file != NULL
                     ? "it wants another kind of login than a password"
                     : "it wants a login (give --user and --password-file), "
                       "or serves no SOCKS5 (leave --socks5 out)";
    report_say(report, STATUS_LOGIN, "%s does not let you in: %s; %s",
               stage->gateway, socks4_error_text(error), remedy);
}

static void
report_misread(struct report *report, const struct route_stage *stage,
               const struct route_asked *asked)
{
    const char *remedy = "check host and port with -p";
    int error = route_error(asked);

    if (!asked->socks5 && (error == SOCKS4_E_CODE || error == SOCKS4_E_SHORT))
        remedy = "--lenient accepts that in a refusal";
    else if (!asked->socks5 && error == SOCKS4_E_VERSION)
        remedy = "check host and port with -p; --lenient accepts version 4 "
                 "instead of 0 in a reply";
    else if (!asked->socks5 && error == SOCKS4_E_NO_REPLY && asked->hop == 0 &&
             route_code(asked) == 0)
        remedy = report->options->tls.on
                     ? "check host and port with -p; a gateway that serves "
                       "SOCKS5 alone needs --socks5"
                     : "check host and port with -p; a gateway that serves "
                       "SOCKS5 alone needs --socks5, one that takes TLS --tls";
    else if (asked->socks5 && error == SOCKS4_E_NO_REPLY &&
             asked->v5.method != SOCKS4_V5_UNACCEPTABLE)
        remedy = "it speaks SOCKS5, and may refuse in this way, as ssh -D "
                 "does: check the destination";
    else if (asked->socks5 &&
             (error == SOCKS4_E_V5_VERSION || error == SOCKS4_E_NO_REPLY))
        remedy = "check host and port with -p, and whether it speaks SOCKS5";
    report_say(report, STATUS_PROTOCOL,
               "%s does not answer as a SOCKS %d gateway: %s; %s",
               stage->gateway, asked->socks5 ? 5 : 4, socks4_error_text(error),
               remedy);
}

void
report_failed(struct report *report, int error, const char *what,
              const char *text)
{
    char time[TEXT_FIGURE_MAX];

    if (error == -ETIMEDOUT)
        report_say(report, STATUS_NETWORK,
                   "no answer from %s within %s; -t gives it more time", what,
                   text_format_duration(report->options->timeout_ms, time));
    else
        report_say(report, error == -EBADMSG ? STATUS_TLS : STATUS_NETWORK,
                   "%s: %s", what, text);
}

void
report_unconnected(struct report *report, const struct route *route, bool tls,
                   int error, const char *text)
{
    const struct route_asked asked = {.hop = 0};
    struct route_stage stage;
    char time[TEXT_FIGURE_MAX];

    route_find_stage(route, &asked, report->dest, &stage);
    if (tls) /* it may have been connected, and TLS not */
        report_failed(report, error, stage.gateway, text);
    else if (error == -ETIMEDOUT)
        report_say(report, STATUS_NETWORK,
                   "cannot connect to %s within %s; check the address and "
                   "firewalls on the way",
                   stage.gateway,
                   text_format_duration(report->options->timeout_ms, time));
    else
        report_say(report, STATUS_NETWORK, "cannot connect to %s: %s",
                   stage.gateway, text);
}

void
report_asked(struct report *report, const struct route *route, int result,
             const struct route_asked *asked, const struct stream *stream)
{
    int error = route_error(asked);
    struct route_stage stage;

    route_find_stage(route, asked, report->dest, &stage);
    report->code = route_code(asked);
    report->forgave |= asked->v4.forgave;
    if (result > 0 && asked->socks5)
        report_refused_v5(report, &stage, result);
    else if (result > 0)
        report_refused(report, &stage, result);
    else if (result == -EPROTO)
        report_misread(report, &stage, asked);
    else if (result == -EACCES && error != 0)
        report_denied(report, &stage, error);
    else if (result == -EINVAL && error != 0)
        report_say(report, STATUS_USAGE, "this cannot be asked for: %s",
                   socks4_error_text(error));
    else if (result < 0)
        report_failed(report, result, stage.gateway,
                      stream_fault(stream, result));
}

static void
report_json(const struct report *report)
{
    struct timespec now;
    struct log_line line;

    clock_gettime(CLOCK_REALTIME, &now);
    log_start(&line, true,
              (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
              report->options->command->name,
              report->status == STATUS_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    log_text(&line, "gateway", report->gateway);
    log_text(&line, "dest", report->dest);
    log_number(&line, "code", (uint64_t)report->code);
    log_number(&line, "status", (uint64_t)report->status);
    log_number(&line, "up", report->up);
    log_number(&line, "down", report->down);
    log_number(&line, "forgave", report->forgave);
    log_text(&line, "message", report->message);
    log_end(&line);
    fwrite(line.text, 1, line.len, stderr);
}

int
report_end(const struct report *report)
{
    if (report->options->json) {
        report_json(report);
        return report->status;
    }
    for (unsigned one = 1; one <= SOCKS4_FORGAVE_SHORT; one *= 2)
        if (report->forgave & one)
            fprintf(stderr, "socks4: %s: forgave %s\n", report->gateway,
                    socks4_forgiven_text(one));
    if (report->message[0] != '\0')
        fprintf(stderr, "socks4: %s\n", report->message);
    return report->status;
}
