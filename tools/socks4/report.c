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

static void
report_misread(struct report *report, const struct route_stage *stage,
               int error)
{
    const char *remedy = "check host and port with -p";

    if (error == SOCKS4_E_CODE || error == SOCKS4_E_SHORT)
        remedy = "--lenient accepts that in a refusal";
    report_say(report, STATUS_PROTOCOL,
               "%s does not answer as a SOCKS 4 gateway: %s; %s",
               stage->gateway, socks4_error_text(error), remedy);
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
    const struct socks4_dialled dialled = {.hop = 0};
    struct route_stage stage;
    char time[TEXT_FIGURE_MAX];

    route_find_stage(route, &dialled, report->dest, &stage);
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
report_dialled(struct report *report, const struct route *route, int result,
               const struct socks4_dialled *dialled,
               const struct stream *stream)
{
    struct route_stage stage;

    route_find_stage(route, dialled, report->dest, &stage);
    report->code = dialled->client.code;
    report->forgave |= dialled->client.forgave;
    if (result > 0)
        report_refused(report, &stage, result);
    else if (result == -EPROTO)
        report_misread(report, &stage, dialled->client.error);
    else if (result == -EINVAL && dialled->client.error != 0)
        report_say(report, STATUS_USAGE, "this cannot be asked for: %s",
                   socks4_error_text(dialled->client.error));
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
