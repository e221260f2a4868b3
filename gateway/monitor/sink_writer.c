#include "gateway/monitor/sink_writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/monitor/journal.h"
#include "gateway/monitor/sink_parts.h"

static struct sink_writer *
sink_writer_of(struct service *service)
{
    return container_of(service, struct sink_writer, service);
}

/* --- where it writes ----------------------------------------------------- */

static void
sink_writer_send_out(struct sink_writer *writer)
{
    bool journal = journal_is(writer->out);
    struct channel_message message = {.kind = CHANNEL_REOPEN,
                                      .arg = journal ? CHANNEL_OUT_JOURNAL
                                                     : CHANNEL_OUT_STREAM};
    const struct child *child = service_working(&writer->service);
    writer->unsent_out =
        channel_send(child->control, &message, writer->out) != 0;
}

/* A predecessor whose channel is full waits for its file, and so do we. */
static void
sink_writer_send_leave(struct sink_writer *writer)
{
    struct channel_message message = {.kind = CHANNEL_DRAIN};
    const struct child *child = &writer->service.predecessor.child;
    writer->unsent_leave =
        child->pid != 0 &&
        channel_send(child->control, &message, -1) == -EAGAIN;
}

static void
sink_writer_send(struct service *service)
{
    struct sink_writer *writer = sink_writer_of(service);
    if (service_working(service)->pid == 0)
        return; /* the next one is given it from the start */
    if (writer->unsent_out)
        sink_writer_send_out(writer);
    if (writer->unsent_leave)
        sink_writer_send_leave(writer);
    if (writer->unsent_out || writer->unsent_leave)
        service_send_later(service);
}

static void
sink_writer_pass_out(struct sink_writer *writer)
{
    writer->unsent_out = true;
    sink_writer_send(&writer->service);
}

/* --- the service --------------------------------------------------------- */

static int
sink_writer_on_start(struct service *service)
{
    struct sink_writer *writer = sink_writer_of(service);
    int error = service_execute(service, NULL, 0, &writer->lines[1], 1);
    if (error == 0 && !service_has_predecessor(service))
        sink_writer_pass_out(writer);
    return error;
}

static void
sink_writer_on_ready(struct service *service)
{
    struct sink_writer *writer = sink_writer_of(service);
    if (!service_has_predecessor(service))
        return;
    writer->unsent_leave = true;
    sink_writer_send(service);
}

static void
sink_writer_on_message(struct service *service,
                       const struct channel_message *message)
{
    struct sink *sink =
        container_of(sink_writer_of(service), struct sink, writer);
    if (message->kind == CHANNEL_DROPPED) {
        if (message->arg > CHANNEL_BATCH_MAX)
            return; /* more records than octets: it is not believed */
        sink->stuck = true;
        sink_drop(sink, message->arg, 0);
        if (message->arg == 0)
            sink_connect_journal(sink);
    } else if (message->kind == CHANNEL_WRITES) {
        sink->stuck = false;
        sink->error = (int)message->arg;
        sink_report_drops(sink);
    }
}

static void
sink_writer_on_predecessor_end(struct service *service)
{
    struct sink_writer *writer = sink_writer_of(service);
    container_of(writer, struct sink, writer)->stuck = false;
    sink_writer_pass_out(writer);
}

static void
sink_writer_on_end(struct service *service, struct log_line *line)
{
    (void)line;
    container_of(sink_writer_of(service), struct sink, writer)->stuck = false;
}

static const struct service_rule sink_writer_rules[] = {
    {CHANNEL_DROPPED, SERVICE_ONCE_READY, 0},
    {CHANNEL_WRITES, SERVICE_ONCE_READY, 0},
};

static const struct service_ops sink_writer_ops = {
    .rules = sink_writer_rules,
    .rule_count = 2,
    .start = sink_writer_on_start,
    .ready = sink_writer_on_ready,
    .message = sink_writer_on_message,
    .last_message = sink_writer_on_message,
    .predecessor_ended = sink_writer_on_predecessor_end,
    .ended = sink_writer_on_end,
    .send = sink_writer_send,
};

int
sink_writer_start(struct sink_writer *writer, struct services *services,
                  int out)
{
    int error = channel_pair(writer->lines);
    if (error != 0)
        return error;
    service_init(&writer->service, services, &roles[ROLE_LOGWRITER],
                 &sink_writer_ops, NULL);
    writer->out = out;
    service_start(&writer->service);
    return 0;
}

void
sink_writer_adopt(struct sink_writer *writer, struct services *services,
                  struct handover *handover)
{
    const struct handed_log *log = &handover->log;
    service_init(&writer->service, services, &roles[ROLE_LOGWRITER],
                 &sink_writer_ops, NULL);
    memcpy(writer->lines, log->pair, sizeof(writer->lines));
    writer->out = log->out;
    service_adopt(&writer->service, handover);
    service_start(&writer->service);
}

void
sink_writer_hand_over(const struct sink_writer *writer, struct handed_log *log)
{
    log->has_writer = 1;
    memcpy(log->pair, writer->lines, sizeof(log->pair));
    log->out = writer->out;
}

int
sink_writer_line_fd(const struct sink_writer *writer)
{
    return writer->lines[0];
}

void
sink_writer_reopen(struct sink_writer *writer, int out)
{
    close(writer->out);
    writer->out = out;
    sink_writer_pass_out(writer);
}

void
sink_writer_finish(struct sink_writer *writer)
{
    if (writer->lines[0] != -1)
        close(writer->lines[0]);
    writer->lines[0] = -1;
    service_leave(&writer->service);
}

void
sink_writer_fini(struct sink_writer *writer)
{
    service_fini(&writer->service);
    sink_writer_finish(writer);
    close(writer->lines[1]);
    close(writer->out);
}
