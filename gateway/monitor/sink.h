#ifndef GATEWAY_MONITOR_SINK_H
#define GATEWAY_MONITOR_SINK_H

#include "base/log.h"
#include "base/loop.h"
#include "base/must_check.h"
#include "gateway/config/config.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/queue.h"
#include "gateway/monitor/service.h"
#include "gateway/monitor/sink_writer.h"
#include "gateway/segment.h"

/*
 * The log queue: takes all lines, and passes them to the log writer (stderr,
 * the journal and files) or syslogd. Nothing here ever waits. Records that find
 * no room or cannot be written are counted (`dropped`), and when lines flow
 * again one of them says how many are missing.
 */
#define SINK_QUEUE_SIZE (1024 * 1024)

/* While its lines flow, at least one in so long, a queue that is half full
   makes the workers wait. */
#define SINK_FLOW_MS 1000

/* How often, at most, a line says how many records are missing. */
#define SINK_REPORT_MS 1000

/* How often syslogd is looked for, when it is gone, and sending is tried again
   where it failed. */
#define SINK_RETRY_MS 1000

struct sink {
    struct loop *loop;         /* borrowed */
    struct segment *segment;   /* borrowed */
    struct services *services; /* borrowed */
    bool json;
    enum log_level level;
    enum config_log_target target;
    char *path; /* borrowed from the configuration */
    struct queue queue;
    struct task flush;
    uint64_t flowed_ms;        /* when lines last went on */
    uint64_t reported;         /* of the records dropped */
    struct timer report_timer; /* runs: not again yet */
    bool stuck;                /* the writer cannot write; the errno came */
    int error;                 /* why records were dropped; 0: no room */
    struct sink_writer writer; /* stderr, file */
    bool has_writer; /* it stays, idle, when the target becomes syslog */
    int syslog;      /* owned; -1 */
    struct watch line_watch;
    bool waits;         /* for room */
    struct timer retry; /* connects to syslogd, watches, sends again */
    bool finishing;
    bool finished; /* the writer is about to end: no line is taken */
};

/*
 * Opens the target: as the user we were started as. `config` must outlive
 * the sink. 0, or -1 after one line on stderr that says why. Where another
 * binary hands over (or NULL), its lines come first, and its writer writes on
 * until ours is ready.
 */
MUST_CHECK int sink_open(struct sink *sink, struct services *services,
                         const struct config *config, struct segment *segment,
                         struct handover *handover);
/* What the next binary needs of it. 0 or -ENOMEM. */
MUST_CHECK int sink_hand_over(const struct sink *sink, struct handed_log *log);
void sink_close(struct sink *sink);

/* Whether lines of workers should stay where they are for now: many came at
   once, and those in the queue go on. What does not flow keeps nobody waiting:
   then further lines are dropped. */
bool sink_is_busy(const struct sink *sink);
/* Whether lines in the queue go on, or there are none. */
bool sink_flows(const struct sink *sink);
/* Less than half of the queue is used. */
bool sink_has_room(const struct sink *sink);

/* Whole lines, printable: of a child, such as batch.h lets through. */
void sink_lines(struct sink *sink, const char *lines, size_t len);

/*
 * A line of the monitor's own: sink_begin, log_text and log_number, then
 * sink_say, which leaves it out if `level` is below the configured one.
 */
void sink_begin(const struct sink *sink, struct log_line *line,
                const char *event, enum log_level level);
void sink_say(struct sink *sink, struct log_line *line);
/* The same for one that was asked for: always written. */
void sink_answer(struct sink *sink, struct log_line *line);

/* Prints a failure on stderr, if it can without waiting: whoever started the
   gateway may not read its log, and nobody may read its stderr. */
void sink_print(const char *what, const char *why);

/* Opens a log file anew, by its name; where that fails the old one stays, and
   stderr says so, too: the old one may have been deleted. */
void sink_reopen(struct sink *sink);

/*
 * Another configuration. Prepare opens its target, if that is another one:
 * the descriptor, or -1 where nothing is to be opened, into `out`; 0 or a
 * negative errno. Reconfigure takes it: lines from now on go there and look so.
 * `config` must then outlive the sink.
 */
MUST_CHECK int sink_prepare(struct sink *sink, const struct config *config,
                            int *out);
void sink_reconfigure(struct sink *sink, const struct config *config, int out);

/* Nothing will come any more: write what is there. Then, once ended is true
   or the time for it is over, sink_close. */
void sink_finish(struct sink *sink);
bool sink_ended(const struct sink *sink);

#endif
