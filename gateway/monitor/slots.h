#ifndef GATEWAY_MONITOR_SLOTS_H
#define GATEWAY_MONITOR_SLOTS_H

#include <stdbool.h>

#include "base/must_check.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/heartbeat.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/live_connects.h"
#include "gateway/monitor/respawn.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/user.h"
#include "gateway/segment.h"

/*
 * The workers: one slot each, which is filled again when its worker dies,
 * unless it is one too many by then.
 *
 *            start            READY            drain
 *   EMPTY ──────────► STARTING ─────► READY ──────────► DRAINING
 *     ▲                  │              │                  │
 *     └──────────────────┴──── died ────┴──────────────────┘
 */
enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_READY, SLOT_DRAINING };

extern const char *const slot_state_names[];

struct slots;

struct slot {
    struct slots *slots; /* borrowed */
    unsigned number;
    unsigned generation; /* the how manieth process in this slot */
    enum slot_state state;
    bool wanted;             /* another follows the one that dies */
    bool predecessor;        /* of the binary before */
    uint32_t config_version; /* the configuration it runs on, by number */
    char id[CONFIG_VERSION_ID_MAX]; /* and by name */
    struct {
        bool config_version, drain;
    } untold; /* what it must be told, and could not yet */
    struct timer tell_again;
    struct child child;
    struct watch control_watch;
    struct watch log_watch;
    int log;          /* batches of lines; owned, -1 */
    uint64_t records; /* received on it, by all processes so far */
    bool asked;       /* `question` is to be answered */
    struct channel_message question;
    struct child_stderr child_stderr;
    struct heartbeat heartbeat;
    struct timer retry;
    struct respawn respawn;
};

typedef void slots_changed_fn(struct slots *slots);
typedef void slots_line_fn(struct slots *slots, unsigned number);

struct slots {
    struct loop *loop; /* borrowed, like all up to changed */
    struct sink *sink;
    struct segment *segment;
    struct listeners *listeners;
    const struct user *user;
    const struct config_version
        *config_version; /* the configuration in force */
    int program, segment_fd;
    slots_changed_fn *changed; /* one is ready, died, or cannot be confined */
    slots_line_fn *wants_line; /* one has begun, or lost its line */
    struct slot *table;        /* owned; SEGMENT_SLOTS of them */
    unsigned count;            /* that were ever used: the first so many */
    unsigned meant;            /* workers, as configured */
    unsigned wanted; /* slots that are; fewer than meant: none is free */
    bool draining;
    unsigned missing; /* layers of confinement that some do without */
    struct channel_message unconfined; /* kind 0: none came */
    struct respawn_rate rate;
    struct live_connects
        live_connects; /* the live CONNECTs a BIND may ask for */
};

/* How many workers a configuration asks for. */
unsigned slots_needed(const struct config *config);

/* Fill in what is borrowed first. Starts as many. 0 or -ENOMEM. */
MUST_CHECK int slots_start(struct slots *slots);

/*
 * The same, where another binary hands over: its workers go on as they are,
 * beside as many new ones, until they are dismissed and drain. 0 or -ENOMEM.
 */
MUST_CHECK int slots_adopt(struct slots *slots,
                           const struct handover *handover);
void slots_dismiss_predecessor(struct slots *slots);

/* What the next binary needs of them. 0 or -ENOMEM. */
MUST_CHECK int slots_hand_over(const struct slots *slots,
                               struct handover *handover);

/* How many more workers there is room for. */
unsigned slots_free(const struct slots *slots);

/*
 * the config version and the listeners are others now: every worker is told,
 * until it has heard. Resize: more are started, or the surplus drains.
 */
void slots_reconfigure(struct slots *slots);
void slots_resize(struct slots *slots);

/* How many do not know the config version in force yet, or are wanted and not
 * ready.
 */
unsigned slots_behind(const struct slots *slots);

/* Kills those that do not take it: who follows is given it from the start. */
void slots_replace_behind(struct slots *slots);

/* How many are in `state`. */
unsigned slots_count(const struct slots *slots, enum slot_state state);

/* Whether `pid` was a worker; then it is dealt with. */
bool slots_reap(struct slots *slots, pid_t pid, int status);

/* Passes a line to the resolver, which stays the caller's. 0, -ENOENT (no
   such worker), or another negative errno. */
MUST_CHECK int slots_pass_line(struct slots *slots, unsigned number, int fd);

/*
 * Nobody is replaced any more. Drain: no new sessions, live ones may
 * finish. Stop: end them now. Kill: whoever is still there.
 */
void slots_drain(struct slots *slots);
void slots_stop(struct slots *slots);
void slots_kill(struct slots *slots);

/* Closes everything; no worker is running any more. */
void slots_fini(struct slots *slots);

#endif
