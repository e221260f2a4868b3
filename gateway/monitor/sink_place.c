/* Where lines go: to the writer, or to syslogd. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/monitor/journal.h"
#include "gateway/monitor/log_file.h"
#include "gateway/monitor/sink_parts.h"
#include "gateway/monitor/syslog.h"

/* --- a batch, a line ----------------------------------------------------- */

static int
sink_send_to_writer(struct sink *sink)
{
    size_t len;
    int fd = sink_writer_line_fd(&sink->writer);
    const char *lines = queue_peek(&sink->queue, CHANNEL_BATCH_MAX, &len);
    if (send(fd, lines, len, MSG_NOSIGNAL) < 0)
        return -errno;
    queue_consume(&sink->queue, len);
    return 0;
}

static void
sink_lose_syslog(struct sink *sink)
{
    loop_unwatch(sink->loop, &sink->line_watch);
    close(sink->syslog);
    sink->syslog = -1;
}

static int
sink_send_to_syslog(struct sink *sink)
{
    size_t len;
    const char *line = queue_peek(&sink->queue, SIZE_MAX, &len);
    const char *stop = memchr(line, '\n', len);
    len = (size_t)(stop - line) + 1;
    int error = sink->syslog == -1 ? -ENOTCONN
                                   : syslog_send(sink->syslog, line, len - 1);
    if (error != 0 && error != -EMSGSIZE) {
        if (error != -EAGAIN && error != -ENOBUFS && error != -ENOTCONN)
            sink_lose_syslog(sink);
        return error;
    }
    if (error == -EMSGSIZE)
        sink_drop(sink, log_count_records(line, len), EMSGSIZE);
    queue_consume(&sink->queue, len);
    return 0;
}

static void
sink_wait(struct sink *sink, bool waits)
{
    if (sink->waits != waits)
        loop_rewatch(sink->loop, &sink->line_watch,
                     waits ? EPOLLOUT | EPOLLET : EPOLLET);
    sink->waits = waits;
}

/* Room is announced; whatever else is in the way is not. */
bool
sink_send(struct sink *sink)
{
    int error = sink->target == CONFIG_LOG_SYSLOG ? sink_send_to_syslog(sink)
                                                  : sink_send_to_writer(sink);
    if (error == -EAGAIN)
        sink_wait(sink, true);
    else if (error != 0 && !timer_running(&sink->retry))
        loop_start_timer(sink->loop, &sink->retry, SINK_RETRY_MS);
    return error == 0;
}

static void
sink_line_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct sink *sink = container_of(watch, struct sink, line_watch);
    sink_wait(sink, false);
    loop_defer(sink->loop, &sink->flush);
}

void
sink_watch(struct sink *sink, int fd)
{
    if (sink->line_watch.fd != -1)
        return;
    sink->waits = false;
    if (loop_watch(sink->loop, &sink->line_watch, fd, EPOLLET,
                   sink_line_ready) < 0)
        loop_start_timer(sink->loop, &sink->retry, SINK_RETRY_MS);
}

void
sink_connect(struct timer *timer)
{
    struct sink *sink = container_of(timer, struct sink, retry);
    bool to_syslog = sink->target == CONFIG_LOG_SYSLOG;
    if (to_syslog && sink->syslog == -1)
        sink->syslog = syslog_connect();
    if (to_syslog && sink->syslog < 0) {
        sink->syslog = -1;
        loop_start_timer(sink->loop, &sink->retry, SINK_RETRY_MS);
        return;
    }
    sink_watch(sink,
               to_syslog ? sink->syslog : sink_writer_line_fd(&sink->writer));
    loop_defer(sink->loop, &sink->flush);
}

void
sink_connect_journal(struct sink *sink)
{
    if (sink->target != CONFIG_LOG_STDERR || !journal_is(sink->writer.out))
        return;
    int out = journal_connect();
    if (out >= 0)
        sink_writer_reopen(&sink->writer, out);
}

/* --- its place ----------------------------------------------------------- */

int
sink_open_out(const struct sink *sink, enum config_log_target target,
              const char *path)
{
    if (target == CONFIG_LOG_FILE)
        return log_file_open(path, sink->services->user);
    int fd = journal_has_stderr() ? journal_connect() : -1;
    if (fd >= 0)
        return fd;
    fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

void
sink_print(const char *what, const char *why)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&out, 1, 0) == 1 && out.revents == POLLOUT)
        dprintf(STDERR_FILENO, "socks4d: %s: %s\n", what, why);
}

void
sink_reopen(struct sink *sink)
{
    struct log_line line;
    if (sink->target != CONFIG_LOG_FILE)
        return;
    int out = sink_open_out(sink, sink->target, sink->path);
    if (out >= 0)
        sink_writer_reopen(&sink->writer, out);
    sink_begin(sink, &line, "reopened",
               out >= 0 ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR);
    log_text(&line, "file", sink->path);
    if (out < 0) {
        log_text(&line, "message", log_file_error(out));
        sink_print("cannot open the log file again", log_file_error(out));
    }
    sink_say(sink, &line);
}

static bool
sink_goes_elsewhere(const struct sink *sink, const struct config *config)
{
    return sink->target != config->log.target ||
           (sink->target == CONFIG_LOG_FILE &&
            strcmp(sink->path, config->log.path) != 0);
}

int
sink_prepare(struct sink *sink, const struct config *config, int *out)
{
    *out = -1;
    if (!sink_goes_elsewhere(sink, config) ||
        config->log.target == CONFIG_LOG_SYSLOG)
        return 0;
    int fd = sink_open_out(sink, config->log.target, config->log.path);
    if (fd < 0)
        return fd;
    if (!sink->has_writer)
        return sink_start_writer(sink, fd);
    *out = fd;
    return 0;
}

static void
sink_leave_target(struct sink *sink)
{
    loop_unwatch(sink->loop, &sink->line_watch);
    loop_cancel_timer(sink->loop, &sink->retry);
    if (sink->syslog != -1)
        close(sink->syslog);
    sink->syslog = -1;
    sink->stuck = false;
}

void
sink_reconfigure(struct sink *sink, const struct config *config, int out)
{
    bool elsewhere = sink_goes_elsewhere(sink, config);
    if (elsewhere)
        sink_leave_target(sink);
    sink_take_shape(sink, config);
    if (!elsewhere)
        return;
    if (out != -1)
        sink_writer_reopen(&sink->writer, out);
    if (sink->target == CONFIG_LOG_SYSLOG)
        sink_connect(&sink->retry);
    else
        sink_watch(sink, sink_writer_line_fd(&sink->writer));
    loop_defer(sink->loop, &sink->flush);
}
