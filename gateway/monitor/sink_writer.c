/* The log writer: what it says, how it ends. */

#include <unistd.h>

#include "gateway/monitor/sink_parts.h"

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
        sink_drop(sink, message->arg, 0);
    } else if (message->kind == CHANNEL_WRITES) {
        sink->stuck = false;
        sink->error = (int)message->arg;
        sink_tell_drops(sink);
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
writer_said(struct child_stderr *child_stderr, const char *text)
{
    struct scribe *scribe =
        container_of(child_stderr, struct scribe, child_stderr);
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

void
sink_predecessor_heard(struct predecessor *predecessor,
                       const struct channel_message *message)
{
    struct scribe *scribe =
        container_of(predecessor, struct scribe, predecessor);
    if (message->kind == CHANNEL_DROPPED || message->kind == CHANNEL_WRITES)
        writer_heard(scribe, message);
    else if (message->kind == CHANNEL_PONG)
        scribe_predecessor_pong(scribe);
}

void
sink_predecessor_said(struct child_stderr *child_stderr, const char *text)
{
    struct predecessor *predecessor =
        container_of(child_stderr, struct predecessor, child_stderr);
    struct scribe *scribe =
        container_of(predecessor, struct scribe, predecessor);
    say_of_writer(container_of(scribe, struct sink, scribe), text);
}

void
sink_prepare_writer(struct sink *sink)
{
    struct scribe *scribe = &sink->scribe;
    scribe->loop = sink->loop;
    scribe->program = sink->program;
    scribe->uid = sink->user->uid;
    scribe->gid = sink->user->gid;
    scribe->sandbox = sink->sandbox;
    scribe->heard = writer_heard;
    scribe->on_line = writer_said;
    scribe->hung = writer_hangs;
}

int
sink_start_writer(struct sink *sink, int out)
{
    sink_prepare_writer(sink);
    sink->scribe.out = out;
    int error = scribe_start(&sink->scribe);
    sink->has_writer = error == 0;
    if (error != 0)
        close(out);
    return error;
}

bool
sink_reap(struct sink *sink, pid_t pid, int status)
{
    struct log_line line;
    if (sink->has_writer && scribe_reap_predecessor(&sink->scribe, pid)) {
        sink->stuck = false;
        return true;
    }
    if (!sink->has_writer || sink->scribe.child.pid != pid)
        return false;
    scribe_died(&sink->scribe);
    sink->stuck = false;
    sink_begin(sink, &line, "writer_ended", LOG_LEVEL_ERROR);
    log_ending(&line, pid, status);
    if (!sink->finishing)
        sink_say(sink, &line);
    return true;
}
