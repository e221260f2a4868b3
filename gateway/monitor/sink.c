#include "gateway/monitor/log_file.h"
#include "gateway/monitor/sink_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"

/* --- in ----------------------------------------------------------------- */

void
sink_lines(struct sink *sink, const char *lines, size_t len)
{
    if (len == 0 || sink->finished)
        return;
    bool ends = lines[len - 1] == '\n';
    size_t room = len + !ends;
    char *to = queue_reserve(&sink->queue, room);
    if (to == NULL) {
        sink_drop(sink, log_count_records(lines, len), 0);
        return;
    }
    if (queue_length(&sink->queue) == 0)
        sink->flowed_ms = loop_now_ms(sink->loop);
    memcpy(to, lines, len);
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
    if (line->level <= sink->level)
        sink_answer(sink, line);
}

void
sink_answer(struct sink *sink, struct log_line *line)
{
    log_end(line);
    sink_lines(sink, line->text, line->len);
}

bool
sink_has_room(const struct sink *sink)
{
    return queue_length(&sink->queue) <= SINK_QUEUE_SIZE / 2;
}

bool
sink_flows(const struct sink *sink)
{
    return queue_length(&sink->queue) == 0 ||
           loop_now_ms(sink->loop) < sink->flowed_ms + SINK_FLOW_MS;
}

bool
sink_is_busy(const struct sink *sink)
{
    return !sink_has_room(sink) && sink_flows(sink);
}

/* --- out ---------------------------------------------------------------- */

void
sink_drop(struct sink *sink, uint64_t records, int error)
{
    sink->error = error;
    segment_count(&sink->segment->columns[SEGMENT_MONITOR],
                  SEGMENT_COUNTER_dropped, records);
}

void
sink_report_drops(struct sink *sink)
{
    struct log_line line;
    uint64_t dropped =
        segment_counter_sum(sink->segment, SEGMENT_COUNTER_dropped);
    if (dropped == sink->reported || sink->stuck ||
        timer_running(&sink->report_timer) || !sink_has_room(sink))
        return;
    sink_begin(sink, &line, "dropped", LOG_LEVEL_WARNING);
    log_number(&line, "records", dropped - sink->reported);
    log_text(&line, "message",
             sink->error == 0 ? "they found no room, or went down with a worker"
                              : strerror(sink->error));
    sink->reported = dropped;
    sink->error = 0;
    loop_start_timer(sink->loop, &sink->report_timer, SINK_REPORT_MS);
    sink_say(sink, &line);
}

static void
sink_on_report_timer(struct timer *timer)
{
    sink_report_drops(container_of(timer, struct sink, report_timer));
}

static void
sink_flush(struct task *task)
{
    struct sink *sink = container_of(task, struct sink, flush);
    while (queue_length(&sink->queue) > 0 && sink_send(sink))
        sink->flowed_ms = loop_now_ms(sink->loop);
    sink_report_drops(sink);
    if (sink->finishing && sink->has_writer &&
        queue_length(&sink->queue) == 0) {
        if (sink->target != CONFIG_LOG_SYSLOG)
            loop_unwatch(sink->loop, &sink->line_watch);
        sink_writer_finish(&sink->writer);
        sink->finished = true;
    }
}

/* --- its life ----------------------------------------------------------- */

static int
sink_open_writer(struct sink *sink)
{
    int out = sink_open_out(sink, sink->target, sink->path);
    if (out < 0) {
        fprintf(stderr, "socks4d: cannot open the log file %s: %s\n",
                sink->path, log_file_error(out));
        return -1;
    }
    int error = sink_start_writer(sink, out);
    if (error != 0) {
        fprintf(stderr, "socks4d: cannot start the log writer: %s\n",
                strerror(-error));
        return -1;
    }
    sink_watch(sink, sink_writer_line_fd(&sink->writer));
    return 0;
}

void
sink_take_shape(struct sink *sink, const struct config *config)
{
    sink->json = config->log.format == CONFIG_LOG_JSON;
    sink->level = config->log.level;
    sink->target = config->log.target;
    sink->path = config->log.path;
}

int
sink_start_writer(struct sink *sink, int out)
{
    int error = sink_writer_start(&sink->writer, sink->services, out);
    sink->has_writer = error == 0;
    if (error != 0)
        close(out);
    return error;
}

/* What went before comes first. It fits: the queue was no longer. */
static void
sink_adopt(struct sink *sink, struct handover *handover)
{
    const struct handed_log *handed = &handover->log;
    char *to = queue_reserve(&sink->queue, handed->lines.len);
    if (to != NULL && handed->lines.len > 0) {
        memcpy(to, handed->lines.octets, handed->lines.len);
        queue_commit(&sink->queue, handed->lines.len);
        sink->flowed_ms = loop_now_ms(sink->loop);
        loop_defer(sink->loop, &sink->flush);
    }
    sink->reported = handed->reported;
    sink->error = (int)handed->error;
    sink->stuck = handed->stuck;
    if (!handed->has_writer)
        return;
    sink->has_writer = true;
    sink_writer_adopt(&sink->writer, sink->services, handover);
    if (sink->target != CONFIG_LOG_SYSLOG)
        sink_watch(sink, sink_writer_line_fd(&sink->writer));
}

int
sink_hand_over(const struct sink *sink, struct handed_log *log)
{
    size_t len;
    const char *lines = queue_peek(&sink->queue, SIZE_MAX, &len);
    log->reported = sink->reported;
    log->error = (uint64_t)sink->error;
    log->stuck = sink->stuck;
    if (sink->has_writer)
        sink_writer_hand_over(&sink->writer, log);
    log->lines.octets = malloc(len + 1);
    if (log->lines.octets == NULL)
        return -ENOMEM;
    log->lines.len = len;
    if (len > 0)
        memcpy(log->lines.octets, lines, len);
    return 0;
}

static int
sink_open_target(struct sink *sink)
{
    if (sink->target != CONFIG_LOG_SYSLOG)
        return sink->has_writer ? 0 : sink_open_writer(sink);
    sink_connect(&sink->retry);
    if (sink->syslog == -1)
        fprintf(stderr, "socks4d: nothing listens at /dev/log yet; lines wait "
                        "for syslogd\n");
    return 0;
}

int
sink_open(struct sink *sink, struct services *services,
          const struct config *config, struct segment *segment,
          struct handover *handover)
{
    *sink = (struct sink){.loop = services->loop,
                          .segment = segment,
                          .services = services,
                          .syslog = -1};
    sink_take_shape(sink, config);
    sink->line_watch.fd = -1;
    task_init(&sink->flush, sink_flush);
    timer_init(&sink->retry, sink_connect);
    timer_init(&sink->report_timer, sink_on_report_timer);
    if (queue_init(&sink->queue, SINK_QUEUE_SIZE) != 0) {
        fprintf(stderr, "socks4d: no memory for the log's queue\n");
        return -1;
    }
    if (handover != NULL)
        sink_adopt(sink, handover);
    int error = sink_open_target(sink);
    sink->writer.service.awaited = sink->target != CONFIG_LOG_SYSLOG;
    return error;
}

void
sink_finish(struct sink *sink)
{
    sink->finishing = true;
    loop_defer(sink->loop, &sink->flush);
}

bool
sink_ended(const struct sink *sink)
{
    if (queue_length(&sink->queue) > 0)
        return false;
    return !sink->has_writer || service_is_over(&sink->writer.service);
}

void
sink_close(struct sink *sink)
{
    task_cancel(&sink->flush);
    loop_cancel_timer(sink->loop, &sink->retry);
    loop_cancel_timer(sink->loop, &sink->report_timer);
    loop_unwatch(sink->loop, &sink->line_watch);
    if (sink->has_writer)
        sink_writer_fini(&sink->writer);
    if (sink->syslog != -1)
        close(sink->syslog);
    queue_fini(&sink->queue);
}
