#ifndef GATEWAY_MONITOR_SINK_PARTS_H
#define GATEWAY_MONITOR_SINK_PARTS_H

#include "base/must_check.h"
#include "gateway/monitor/sink.h"

/*
 * What the files of the sink share, and nobody else includes:
 *
 *     sink.c         lines in, the queue, what is missing; its life
 *     sink_place.c   where they go: the writer or syslogd; another place
 *     sink_writer.c  the writer: what it says, how it ends
 */

/* Records that no one will read; the errno that was in the way, 0: no room. */
void sink_drop(struct sink *sink, uint64_t records, int error);

/* A line says how many, unless lines still do not flow. Those that the
   workers dropped too. */
void sink_tell_drops(struct sink *sink);

/* Format, level and place of its lines, as configured. */
void sink_take_shape(struct sink *sink, const struct config *config);

/* Sends the lines in front. 0, or -EAGAIN: later. */
MUST_CHECK int sink_send(struct sink *sink);

/* Sends on when there is room in `fd` again. */
void sink_watch(struct sink *sink, int fd);

/* Of sink->retry: connects to syslogd where lines go there, and watches for
   room; tries again later where either fails. */
void sink_connect(struct timer *timer);

/* The file, or stderr: a descriptor or a negative errno. */
MUST_CHECK int sink_open_out(const struct sink *sink,
                             enum config_log_target target, const char *path);

/* What a writer needs before it can start, or be taken over. */
void sink_prepare_writer(struct sink *sink);

/* One that writes to `out`, which is taken. 0 or a negative errno. */
MUST_CHECK int sink_start_writer(struct sink *sink, int out);

/* Of the writer of the binary before: it may speak of what it writes alone. */
void sink_predecessor_heard(struct predecessor *predecessor,
                            const struct channel_message *message);
void sink_predecessor_said(struct child_stderr *child_stderr, const char *text);

#endif
