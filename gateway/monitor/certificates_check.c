/* The certificate check, seen from the process that waits for it. */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "gateway/certificate_report.h"
#include "gateway/channel.h"
#include "gateway/confine/confine.h"
#include "gateway/monitor/certificates.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/program.h"
#include "gateway/monitor/sink.h"
#include "gateway/role.h"

_Static_assert((int)CERTIFICATE_CHECK_REPORTS == CHANNEL_FD_LOG,
               "the first descriptor of a child's own");
_Static_assert(CERTIFICATE_CHECK_FIRST_KEY - CERTIFICATE_CHECK_REPORTS +
                       CONFIG_TLS_MAX <=
                   CHILD_FDS_MAX,
               "a key for each listener and parent");

struct certificates_checking {
    struct certificates *certificates;
    const struct config *config;
    struct config_error *error;
    FILE *warnings;
    unsigned wait_ms;
    bool failed, done;
};

static int
certificates_check_fail(struct config_error *error, const char *why)
{
    snprintf(error->text, sizeof(error->text),
             "the certificates cannot be checked: %.300s", why);
    return -1;
}

/* Not more than its environment allows is believed: the child has parsed what
   others have written. */
static void
certificates_check_note(struct certificates_checking *checking,
                        struct certificate_report *report)
{
    char place[CERTIFICATES_PLACE_MAX], said[CERTIFICATE_TEXT_MAX],
        line[CERTIFICATES_PLACE_MAX + CERTIFICATE_TEXT_MAX + 16];
    bool is_error = report->finding == CERTIFICATE_ERROR;
    checking->done = report->finding == CERTIFICATE_DONE;
    if (certificates_place(checking->config, report->kind, report->listener,
                           place) == NULL)
        return;
    text_show(report->text, strnlen(report->text, sizeof(report->text)), said,
              sizeof(said));
    if (report->finding == CERTIFICATE_EXPIRES)
        checking->certificates->expires_s[report->listener] = report->expires_s;
    if (!is_error && report->finding != CERTIFICATE_WARNING)
        return;
    snprintf(line, sizeof(line), "%s%s%s", place,
             is_error ? "" : "warning: ", said);
    if (is_error && !checking->failed)
        snprintf(checking->error->text, sizeof(checking->error->text), "%.*s",
                 (int)sizeof(checking->error->text) - 1, line);
    else if (checking->warnings != NULL)
        fprintf(checking->warnings, "%s\n", line);
    checking->failed |= is_error;
}

/* Reads reports until the last one, the end of the child or of the time. */
static void
certificates_check_listen(struct certificates_checking *checking, int reports)
{
    uint64_t until = sys_now_us() / 1000 + checking->wait_ms;
    struct certificate_report report;
    while (!checking->done) {
        struct pollfd watched = {.fd = reports, .events = POLLIN};
        uint64_t now = sys_now_us() / 1000;
        if (now >= until || poll(&watched, 1, (int)(until - now)) < 0)
            return;
        ssize_t len = recv(reports, &report, sizeof(report), MSG_DONTWAIT);
        if (len == sizeof(report))
            certificates_check_note(checking, &report);
        else if (len >= 0 || (errno != EAGAIN && errno != EINTR))
            return;
    }
}

/* What the child said on its stderr, or how it ended. */
static void
certificates_check_explain(const struct certificates_checking *checking,
                           const struct child *child, int status)
{
    char said[256], octets[sizeof(said)];
    ssize_t len = read(child->stderr_fd, octets, sizeof(octets));
    if (len > 0) {
        const char *end = memchr(octets, '\n', (size_t)len);
        text_show(octets, end ? (size_t)(end - octets) : (size_t)len, said,
                  sizeof(said));
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        snprintf(said, sizeof(said),
                 "it took longer than %u s; if this machine is busy, try again",
                 checking->wait_ms / 1000);
    else if (WIFSIGNALED(status))
        snprintf(said, sizeof(said), "ended by signal %d", WTERMSIG(status));
    else
        snprintf(said, sizeof(said), "exit status %d", WEXITSTATUS(status));
    certificates_check_fail(checking->error, said);
}

static int
certificates_check_start(const struct certificates_checking *checking,
                         struct child *child, int program,
                         const struct user *user, int reports)
{
    const struct role *role = &roles[ROLE_CERTIFICATE_CHECK];
    int fds[CHILD_FDS_MAX] = {reports, checking->certificates->fd};
    char ids[3][16], numbers[CONFIG_TLS_MAX][16];
    char *argv[ROLE_OWN + CONFIG_TLS_MAX + 1] = {
        (char *)role->title, (char *)role->word, ids[0], ids[1], ids[2]};
    static char *const empty[] = {NULL};
    size_t count = 0, fd_count = 2;
    bool is_off = checking->config->sandbox == CONFIG_SANDBOX_OFF;
    snprintf(ids[0], sizeof(ids[0]), "%u", user->uid);
    snprintf(ids[1], sizeof(ids[1]), "%u", user->gid);
    snprintf(ids[2], sizeof(ids[2]), "%u", is_off ? CONFINE_OFF : CONFINE_TRY);
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++) {
        int key = checking->certificates->keys[i];
        if (!config_has_files(checking->config, i))
            continue;
        int len = snprintf(numbers[count], sizeof(numbers[count]), "%zu", i);
        if (key == -1)
            numbers[count][len++] = CERTIFICATE_CHECK_NO_KEY;
        if (i >= CONFIG_LISTENERS_MAX)
            numbers[count][len++] = CERTIFICATE_CHECK_PARENT;
        numbers[count][len] = '\0';
        argv[ROLE_OWN + count] = numbers[count];
        count++;
        if (key != -1)
            fds[fd_count++] = key;
    }
    char path[PATH_MAX];
    if (program_find(path, sizeof(path)) < 0)
        path[0] = '\0'; /* it is executed by its descriptor, then */
    struct child_plan plan = {.program = program,
                              .path = path,
                              .argv = argv,
                              .environment = is_off ? environ : empty,
                              .fds = fds,
                              .fd_count = fd_count};
    child_init(child);
    return child_start(child, &plan);
}

void
certificates_report_expiry(const struct certificates *certificates,
                           const struct config *config, struct sink *sink)
{
    int64_t now_s = (int64_t)(sys_wall_ms() / 1000);
    for (uint32_t i = 0; i < CONFIG_TLS_MAX; i++) {
        struct log_line line;
        char date[LOG_TIME_MAX];
        int64_t left_s = (int64_t)certificates->expires_s[i] - now_s;
        if (certificates->expires_s[i] == 0 || left_s >= CERTIFICATE_WARN_S)
            continue;
        sink_begin(sink, &line, "certificate_expires",
                   left_s > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR);
        if (i < CONFIG_LISTENERS_MAX)
            log_text(&line, "listener", config->listeners[i].name);
        else
            log_text(&line, "parent",
                     config->parents[i - CONFIG_LISTENERS_MAX].name);
        log_text(&line, "at",
                 log_time(certificates->expires_s[i] * 1000, date));
        log_text(&line, "message", "renew the certificate, then send HUP");
        sink_say(sink, &line);
    }
}

/* Called after the check has found that the files are keys: a file that is
   something else, such as a certificate named as the key, may be readable by
   all. */
static void
certificates_warn_of_modes(const struct certificates_checking *checking)
{
    char place[CERTIFICATES_PLACE_MAX];
    for (uint32_t i = 0; i < CONFIG_TLS_MAX; i++)
        for (uint32_t kind = TLS_FILE_KEY; kind <= TLS_FILE_PASSWORD; kind++)
            if (checking->certificates->exposed[i] >> kind & 1)
                fprintf(
                    checking->warnings,
                    "%swarning: everybody on this machine may read it; chmod "
                    "o-rwx\n",
                    certificates_place(checking->config, kind, i, place));
}

int
certificates_check(struct certificates *certificates,
                   const struct config *config, int program,
                   const struct user *user, unsigned wait_ms,
                   struct config_error *error, FILE *warnings)
{
    struct certificates_checking checking = {.certificates = certificates,
                                             .config = config,
                                             .error = error,
                                             .warnings = warnings,
                                             .wait_ms = wait_ms};
    struct child child;
    int ends[2], status = 0;
    if (!config_has_any_files(config))
        return 0;
    int failed = channel_pair(ends);
    if (failed != 0)
        return certificates_check_fail(error, strerror(-failed));
    failed =
        certificates_check_start(&checking, &child, program, user, ends[1]);
    close(ends[1]);
    if (failed == 0) {
        certificates_check_listen(&checking, ends[0]);
        child_kill(&child);
        while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (!checking.done && !checking.failed)
            certificates_check_explain(&checking, &child, status);
        child_close(&child);
    }
    close(ends[0]);
    if (failed != 0)
        return certificates_check_fail(error, strerror(-failed));
    if (!checking.done || checking.failed)
        return -1;
    certificates_warn_of_modes(&checking);
    return 0;
}
