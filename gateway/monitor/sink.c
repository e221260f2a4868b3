#include "gateway/monitor/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/syslog.h"

/* --- out ---------------------------------------------------------------- */

static void
drop(struct sink *sink, uint64_t records, int error)
{
    sink->error = error;
    segment_count(&sink->segment->columns[SEGMENT_MONITOR],
                  SEGMENT_COUNTER_dropped, records);
}

/* Sends the lines in front. 0, or -EAGAIN: later. */
static int
send_to_writer(struct sink *sink)
{
    size_t len;
    int fd = scribe_line_fd(&sink->scribe);
    const char *lines = queue_peek(&sink->queue, CHANNEL_BATCH_MAX, &len);
    if (send(fd, lines, len, MSG_NOSIGNAL) < 0)
        return -EAGAIN;
    queue_consume(&sink->queue, len);
    return 0;
}

static void
lose_syslog(struct sink *sink)
{
    loop_unwatch(sink->loop, &sink->line_watch);
    close(sink->syslog);
    sink->syslog = -1;
    loop_start_timer(sink->loop, &sink->retry, SINK_SYSLOG_RETRY_MS);
}

static int
send_to_syslog(struct sink *sink)
{
    size_t len;
    const char *line = queue_peek(&sink->queue, SIZE_MAX, &len);
    const char *stop = memchr(line, '\n', len);
    len = (size_t)(stop - line) + 1;
    int error =
        sink->syslog == -1 ? -EAGAIN : syslog_send(sink->syslog, line, len - 1);
    if (error == -EAGAIN || error == -ENOBUFS)
        return -EAGAIN;
    if (error != 0 && error != -EMSGSIZE) {
        lose_syslog(sink);
        return -EAGAIN;
    }
    if (error == -EMSGSIZE)
        drop(sink, log_count_records(line, len), EMSGSIZE);
    queue_consume(&sink->queue, len);
    return 0;
}

/* Those that the workers dropped too; not while lines still do not flow. */
static void
tell_drops(struct sink *sink)
{
    struct log_line line;
    uint64_t dropped =
        segment_counter_sum(sink->segment, SEGMENT_COUNTER_dropped);
    if (dropped == sink->told || sink->stuck || timer_running(&sink->tell) ||
        queue_length(&sink->queue) > SINK_QUEUE_SIZE / 2)
        return;
    sink_begin(sink, &line, "dropped", LOG_LEVEL_WARNING);
    log_number(&line, "records", dropped - sink->told);
    log_text(&line, "message",
             sink->error == 0 ? "they found no room, or went down with a worker"
                              : strerror(sink->error));
    sink->told = dropped;
    sink->error = 0;
    loop_start_timer(sink->loop, &sink->tell, SINK_TELL_MS);
    sink_say(sink, &line);
}

static void
tell_again(struct timer *timer)
{
    tell_drops(container_of(timer, struct sink, tell));
}

static void
flush(struct task *task)
{
    struct sink *sink = container_of(task, struct sink, flush);
    int error = 0;
    while (error == 0 && queue_length(&sink->queue) > 0)
        error = sink->target == CONFIG_LOG_SYSLOG ? send_to_syslog(sink)
                                                  : send_to_writer(sink);
    tell_drops(sink);
    if (sink->finishing && sink->has_writer &&
        queue_length(&sink->queue) == 0) {
        if (sink->target != CONFIG_LOG_SYSLOG)
            loop_unwatch(sink->loop, &sink->line_watch);
        scribe_finish(&sink->scribe);
    }
}

/* There is room again: edge-triggered. */
static void
line_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct sink *sink = container_of(watch, struct sink, line_watch);
    loop_defer(sink->loop, &sink->flush);
}

static void
watch_lines(struct sink *sink, int fd)
{
    loop_watch(sink->loop, &sink->line_watch, fd, EPOLLOUT | EPOLLET,
               line_ready);
}

static void
find_syslog(struct timer *timer)
{
    struct sink *sink = container_of(timer, struct sink, retry);
    sink->syslog = syslog_connect();
    if (sink->syslog < 0) {
        sink->syslog = -1;
        loop_start_timer(sink->loop, &sink->retry, SINK_SYSLOG_RETRY_MS);
        return;
    }
    watch_lines(sink, sink->syslog);
    loop_defer(sink->loop, &sink->flush);
}

/* --- in ----------------------------------------------------------------- */

static void
copy_printable(char *to, const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool fine = (from[i] >= 0x20 && from[i] <= 0x7e) || from[i] == '\n';
        to[i] = fine ? from[i] : '?';
    }
}

void
sink_lines(struct sink *sink, const char *lines, size_t len)
{
    if (len == 0)
        return;
    bool ends = lines[len - 1] == '\n';
    size_t room = len + !ends;
    char *to = queue_reserve(&sink->queue, room);
    if (to == NULL) {
        drop(sink, log_count_records(lines, len), 0);
        return;
    }
    copy_printable(to, lines, len);
    to[room - 1] = '\n';
    queue_commit(&sink->queue, room);
    loop_defer(sink->loop, &sink->flush);
}

void
sink_begin(const struct sink *sink, struct log_line *line, const char *event,
           enum log_level level)
{
    log_start(line, sink->json, sys_wall_ms(), event, level);
}

void
sink_say(struct sink *sink, struct log_line *line)
{
    if (log_line_level(line->text, line->len, LOG_LEVEL_ERROR) <= sink->level)
        sink_answer(sink, line);
}

void
sink_answer(struct sink *sink, struct log_line *line)
{
    log_end(line);
    sink_lines(sink, line->text, line->len);
}

/* --- the writer --------------------------------------------------------- */

static void
writer_heard(struct scribe *scribe, const struct channel_message *message)
{
    struct sink *sink = container_of(scribe, struct sink, scribe);
    if (message->kind == CHANNEL_READY) {
        sink->missing |= message->arg;
        sink->changed(sink);
    } else if (message->kind == CHANNEL_UNCONFINED) {
        sink->unconfined = *message;
        sink->changed(sink);
    } else if (message->kind == CHANNEL_DROPPED) {
        sink->stuck = true;
        drop(sink, message->arg, 0);
    } else if (message->kind == CHANNEL_WRITES) {
        sink->stuck = false;
        sink->error = (int)message->arg;
        tell_drops(sink);
    }
}

static void
say_of_writer(struct sink *sink, const char *text)
{
    struct log_line line;
    sink_begin(sink, &line, "stderr", LOG_LEVEL_ERROR);
    log_text(&line, "process", "writer");
    log_text(&line, "message", text);
    sink_say(sink, &line);
}

static void
writer_said(struct voice *voice, const char *text)
{
    struct scribe *scribe = container_of(voice, struct scribe, voice);
    say_of_writer(container_of(scribe, struct sink, scribe), text);
}

static void
writer_hangs(struct scribe *scribe, pid_t pid)
{
    struct sink *sink = container_of(scribe, struct sink, scribe);
    struct log_line line;
    sink_begin(sink, &line, "writer_hung", LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)pid);
    sink_say(sink, &line);
}

/* The one of the binary before: it may speak of what it writes alone. */
static void
former_heard(struct former *former, const struct channel_message *message)
{
    struct scribe *scribe = container_of(former, struct scribe, former);
    if (message->kind == CHANNEL_DROPPED || message->kind == CHANNEL_WRITES)
        writer_heard(scribe, message);
    else if (message->kind == CHANNEL_PONG)
        scribe_feel_former(scribe);
}

static void
former_said(struct voice *voice, const char *text)
{
    struct former *former = container_of(voice, struct former, voice);
    struct scribe *scribe = container_of(former, struct scribe, former);
    say_of_writer(container_of(scribe, struct sink, scribe), text);
}

bool
sink_reap(struct sink *sink, pid_t pid, int status)
{
    struct log_line line;
    if (sink->has_writer && scribe_reap_former(&sink->scribe, pid)) {
        sink->stuck = false;
        return true;
    }
    if (!sink->has_writer || sink->scribe.child.pid != pid)
        return false;
    scribe_died(&sink->scribe);
    sink->stuck = false;
    sink_begin(sink, &line, "writer_ended", LOG_LEVEL_ERROR);
    log_number(&line, "pid", (uint64_t)pid);
    if (WIFSIGNALED(status))
        log_number(&line, "signal", (uint64_t)WTERMSIG(status));
    else
        log_number(&line, "status", (uint64_t)WEXITSTATUS(status));
    if (!sink->finishing)
        sink_say(sink, &line);
    return true;
}

/* --- its life ----------------------------------------------------------- */

static int
open_out(enum config_log_target target, const char *path)
{
    int fd =
        target == CONFIG_LOG_FILE
            ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                   0640)
            : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

static void
prepare_writer(struct sink *sink)
{
    struct scribe *scribe = &sink->scribe;
    scribe->loop = sink->loop;
    scribe->program = sink->program;
    scribe->uid = sink->user->uid;
    scribe->gid = sink->user->gid;
    scribe->sandbox = sink->sandbox;
    scribe->heard = writer_heard;
    scribe->said = writer_said;
    scribe->hung = writer_hangs;
}

/* One that writes to `out`, which is taken. */
static int
start_writer(struct sink *sink, int out)
{
    prepare_writer(sink);
    sink->scribe.out = out;
    int error = scribe_start(&sink->scribe);
    sink->has_writer = error == 0;
    if (error != 0)
        close(out);
    return error;
}

static int
open_writer(struct sink *sink)
{
    int out = open_out(sink->target, sink->path);
    if (out < 0) {
        fprintf(stderr,
                "socks4d: cannot open the log file %s: %s; make its folder "
                "writable for this user, or set log: {target: stderr}\n",
                sink->path, strerror(-out));
        return -1;
    }
    int error = start_writer(sink, out);
    if (error != 0) {
        fprintf(stderr, "socks4d: cannot start the log writer: %s\n",
                strerror(-error));
        return -1;
    }
    watch_lines(sink, scribe_line_fd(&sink->scribe));
    return 0;
}

static void
take_shape(struct sink *sink, const struct config *config)
{
    sink->json = config->log.format == CONFIG_LOG_JSON;
    sink->level = (enum log_level)config->log.level;
    sink->target = config->log.target;
    sink->path = config->log.path;
}

/* What went before comes first. It fits: the queue was no longer. */
static void
adopt(struct sink *sink, const struct handed_log *handed)
{
    char *to = queue_reserve(&sink->queue, handed->lines.len);
    if (to != NULL && handed->lines.len > 0) {
        memcpy(to, handed->lines.octets, handed->lines.len);
        queue_commit(&sink->queue, handed->lines.len);
        loop_defer(sink->loop, &sink->flush);
    }
    sink->told = handed->told;
    sink->error = (int)handed->error;
    sink->stuck = handed->stuck;
    if (!handed->has_writer)
        return;
    prepare_writer(sink);
    sink->has_writer = true;
    scribe_adopt(&sink->scribe, handed, former_heard, former_said);
    if (sink->target != CONFIG_LOG_SYSLOG)
        watch_lines(sink, scribe_line_fd(&sink->scribe));
}

int
sink_hand_over(const struct sink *sink, struct handed_log *log)
{
    size_t len;
    const char *lines = queue_peek(&sink->queue, SIZE_MAX, &len);
    log->told = sink->told;
    log->error = (uint64_t)sink->error;
    log->stuck = sink->stuck;
    if (sink->has_writer)
        scribe_hand_over(&sink->scribe, log);
    log->lines.octets = malloc(len + 1);
    if (log->lines.octets == NULL)
        return -ENOMEM;
    log->lines.len = len;
    if (len > 0)
        memcpy(log->lines.octets, lines, len);
    return 0;
}

int
sink_open(struct sink *sink, struct loop *loop, const struct config *config,
          struct segment *segment, int program, const struct user *user,
          sink_changed_fn *changed, const struct handed_log *handed)
{
    *sink = (struct sink){
        .loop = loop, .segment = segment, .changed = changed, .syslog = -1};
    sink->program = program;
    sink->user = user;
    sink->sandbox = config->sandbox;
    take_shape(sink, config);
    sink->line_watch.fd = -1;
    task_init(&sink->flush, flush);
    timer_init(&sink->retry, find_syslog);
    timer_init(&sink->tell, tell_again);
    if (queue_init(&sink->queue, SINK_QUEUE_SIZE) != 0) {
        fprintf(stderr, "socks4d: no memory for the log's queue\n");
        return -1;
    }
    if (handed != NULL)
        adopt(sink, handed);
    if (sink->target != CONFIG_LOG_SYSLOG)
        return sink->has_writer ? 0 : open_writer(sink);
    find_syslog(&sink->retry);
    if (sink->syslog == -1)
        fprintf(stderr, "socks4d: nobody listens at /dev/log yet; lines wait "
                        "for syslogd\n");
    return 0;
}

void
sink_reopen(struct sink *sink)
{
    struct log_line line;
    if (sink->target != CONFIG_LOG_FILE)
        return;
    int out = open_out(sink->target, sink->path);
    if (out >= 0)
        scribe_reopen(&sink->scribe, out);
    sink_begin(sink, &line, "reopened",
               out >= 0 ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR);
    log_text(&line, "file", sink->path);
    if (out < 0)
        log_text(&line, "message", strerror(-out));
    sink_say(sink, &line);
}

/* --- another configuration ---------------------------------------------- */

static bool
goes_elsewhere(const struct sink *sink, const struct config *config)
{
    return sink->target != config->log.target ||
           (sink->target == CONFIG_LOG_FILE &&
            strcmp(sink->path, config->log.path) != 0);
}

int
sink_prepare(struct sink *sink, const struct config *config, int *out)
{
    *out = -1;
    if (!goes_elsewhere(sink, config) ||
        config->log.target == CONFIG_LOG_SYSLOG)
        return 0;
    int fd = open_out(config->log.target, config->log.path);
    if (fd < 0)
        return fd;
    if (!sink->has_writer)
        return start_writer(sink, fd);
    *out = fd;
    return 0;
}

static void
leave_target(struct sink *sink)
{
    loop_unwatch(sink->loop, &sink->line_watch);
    loop_cancel_timer(sink->loop, &sink->retry);
    if (sink->syslog != -1)
        close(sink->syslog);
    sink->syslog = -1;
    sink->stuck = false;
}

void
sink_succeed(struct sink *sink, const struct config *config, int out)
{
    bool elsewhere = goes_elsewhere(sink, config);
    if (elsewhere)
        leave_target(sink);
    take_shape(sink, config);
    if (!elsewhere)
        return;
    if (out != -1)
        scribe_reopen(&sink->scribe, out);
    if (sink->target == CONFIG_LOG_SYSLOG)
        find_syslog(&sink->retry);
    else
        watch_lines(sink, scribe_line_fd(&sink->scribe));
    loop_defer(sink->loop, &sink->flush);
}

void
sink_finish(struct sink *sink)
{
    sink->finishing = true;
    loop_defer(sink->loop, &sink->flush);
}

bool
sink_ready(const struct sink *sink)
{
    return sink->target == CONFIG_LOG_SYSLOG || sink->scribe.ready;
}

bool
sink_ended(const struct sink *sink)
{
    if (queue_length(&sink->queue) > 0)
        return false;
    return !sink->has_writer || scribe_ended(&sink->scribe);
}

void
sink_close(struct sink *sink)
{
    task_cancel(&sink->flush);
    loop_cancel_timer(sink->loop, &sink->retry);
    loop_cancel_timer(sink->loop, &sink->tell);
    loop_unwatch(sink->loop, &sink->line_watch);
    if (sink->has_writer)
        scribe_fini(&sink->scribe);
    if (sink->syslog != -1)
        close(sink->syslog);
    queue_fini(&sink->queue);
}
