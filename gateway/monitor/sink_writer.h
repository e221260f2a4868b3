#ifndef GATEWAY_MONITOR_SINK_WRITER_H
#define GATEWAY_MONITOR_SINK_WRITER_H

#include <stdbool.h>

#include "gateway/monitor/handover.h"
#include "gateway/monitor/service.h"

/*
 * What is special to the log writer, as a service: where it writes, and the
 * pair of sockets on which it gets its lines. Both outlive the process, so that
 * lines on their way wait for the next writer.
 *
 * After an upgrade the predecessor writes until the new one is ready, is then
 * told to leave, and ends between two batches. Only when it has ended does the
 * new one learn where to write. So lines stay in their order.
 */
struct sink_writer {
    struct service service;
    int lines[2];      /* ours, the writer's; owned */
    int out;           /* what it writes to; owned */
    bool unsent_out;   /* the writer has not been given `out` yet */
    bool unsent_leave; /* the predecessor has not been told to leave yet */
};

/* Writes to `out`, which is taken if it returns 0; else a negative errno. */
MUST_CHECK int sink_writer_start(struct sink_writer *writer,
                                 struct services *services, int out);

/* The same, where another binary had a writer. */
void sink_writer_adopt(struct sink_writer *writer, struct services *services,
                       struct handover *handover);

/* What the next binary needs of it besides the service. */
void sink_writer_hand_over(const struct sink_writer *writer,
                           struct handed_log *log);

/* The non-blocking seqpacket that takes batches. */
int sink_writer_line_fd(const struct sink_writer *writer);

/* From now on it writes to `out`, which is taken. */
void sink_writer_reopen(struct sink_writer *writer, int out);

/* No more lines: it writes what it has, and ends. */
void sink_writer_finish(struct sink_writer *writer);

/* Kills what is left and closes everything. */
void sink_writer_fini(struct sink_writer *writer);

#endif
