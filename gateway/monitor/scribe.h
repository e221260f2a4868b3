#ifndef GATEWAY_MONITOR_SCRIBE_H
#define GATEWAY_MONITOR_SCRIBE_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/channel.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"
#include "gateway/monitor/heartbeat.h"
#include "gateway/monitor/predecessor.h"
#include "gateway/monitor/respawn.h"

/*
 * The monitor's side of the log writer: keeps one running. The pair of
 * sockets on which the lines go outlives the process, both ends of it, so
 * that lines on their way wait for the next writer.
 *
 * After an upgrade the predecessor writes on until the new one is ready,
 * is told to leave then, and goes between two batches; only when it has ended
 * does the new one learn where to write. So lines stay in their order.
 */
struct scribe;
typedef void scribe_heard_fn(struct scribe *scribe,
                             const struct channel_message *message);

typedef void scribe_hung_fn(struct scribe *scribe, pid_t pid);

struct scribe {
    struct loop *loop; /* borrowed */
    int program;       /* borrowed: the binary */
    uid_t uid;
    gid_t gid;
    unsigned sandbox;       /* enum confine_mode */
    scribe_heard_fn *heard; /* all its messages */
    child_stderr_line_fn *on_line;
    scribe_hung_fn *hung;       /* it does not answer, and is killed */
    struct heartbeat heartbeat; /* of the one that writes */
    struct predecessor
        predecessor; /* of the binary before; it writes while it is there */
    struct timer farewell; /* it is told to leave, until it has heard */
    struct child child;
    struct watch control_watch;
    struct child_stderr child_stderr;
    int lines[2]; /* ours, the writer's; owned */
    int out;      /* what it writes to; owned */
    bool ready;
    bool unpassed; /* the writer has not been given `out` yet */
    struct timer retry;
    struct respawn respawn;
    struct respawn_rate rate;
};

/*
 * Fill in loop, program, uid, gid, sandbox, heard, on_line, hung and out first.
 * The writer starts at once; lines go to scribe_line_fd. 0 or a negative errno.
 */
int scribe_start(struct scribe *scribe);

/*
 * The same, where another binary had a writer: `out` comes with it. `heard`
 * and `on_line` are for the predecessor.
 */
void scribe_adopt(struct scribe *scribe, const struct handed_log *log,
                  predecessor_heard_fn *heard, child_stderr_line_fn *on_line);

/* What the next binary needs of it. */
void scribe_hand_over(const struct scribe *scribe, struct handed_log *log);

/* The non-blocking seqpacket that takes batches. */
int scribe_line_fd(const struct scribe *scribe);

/* From now on write to `out`, which is taken. */
void scribe_reopen(struct scribe *scribe, int out);

/* The writer was reaped. It is started again unless it is finishing. */
void scribe_died(struct scribe *scribe);

/* Whether `pid` was the predecessor: then the new one writes on. */
bool scribe_reap_predecessor(struct scribe *scribe, pid_t pid);

/* The predecessor has answered: it is alive. */
void scribe_predecessor_pong(struct scribe *scribe);

/* No more lines: the writer writes what it has, and ends. */
void scribe_finish(struct scribe *scribe);
bool scribe_ended(const struct scribe *scribe);

/* Kills what is left and closes everything. */
void scribe_fini(struct scribe *scribe);

#endif
