#ifndef GATEWAY_MONITOR_SINK_PARTS_H
#define GATEWAY_MONITOR_SINK_PARTS_H

#include "base/must_check.h"
#include "gateway/monitor/sink.h"

/*
 * Shared by the files of the sink, included by no other:
 *
 *     sink.c         lines in, the queue, what is missing; its life
 *     sink_place.c   where they go: the writer or syslogd; another place
 *     sink_writer.c  the log writer, as a service
 */

/* Records that no one will read; the errno that was in the way, 0: no room. */
void sink_drop(struct sink *sink, uint64_t records, int error);

/* A line says how many, unless lines still do not flow. Those that the
   workers dropped too. */
void sink_report_drops(struct sink *sink);

/* Format, level and place of its lines, as configured. */
void sink_take_shape(struct sink *sink, const struct config *config);

/* Sends the lines in front. False: they wait, for room or a while. */
MUST_CHECK bool sink_send(struct sink *sink);

/* Sends on when there is room in `fd` again, where it has waited for that. */
void sink_watch(struct sink *sink, int fd);

/* Of sink->retry: connects to syslogd where lines go there, and watches for
   room; tries again later where either fails. Then sends. */
void sink_connect(struct timer *timer);

/* Where lines go to the journal and nobody listens there: whoever listens now
   gets them. */
void sink_connect_journal(struct sink *sink);

/* The file, the journal where stderr leads there, or stderr: a descriptor or a
   negative errno. */
MUST_CHECK int sink_open_out(const struct sink *sink,
                             enum config_log_target target, const char *path);

/* A writer of its own, which writes to `out`; that is taken. 0 or a negative
   errno. */
MUST_CHECK int sink_start_writer(struct sink *sink, int out);

#endif
