#ifndef GATEWAY_MONITOR_SLOTS_H
#define GATEWAY_MONITOR_SLOTS_H

#include <stdbool.h>

#include "gateway/monitor/config_version.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/live_connects.h"
#include "gateway/monitor/lost_sessions.h"
#include "gateway/monitor/service.h"
#include "gateway/monitor/sink.h"
#include "gateway/segment.h"
#include "gateway/tcp_ports.h"

/*
 * The workers: one slot each, a service (service.h) with a column in the
 * segment. A slot is filled again when its worker ends, unless it is one too
 * many by then.
 */
struct slots;

struct slot {
    struct service service;  /* its number is the slot's */
    struct slots *slots;     /* borrowed */
    unsigned generation;     /* number of processes started in this slot */
    uint64_t started_ms;     /* the newest of them, wall clock */
    bool predecessor;        /* of the binary before */
    bool old;                /* the same, told to drain after an upgrade */
    uint32_t config_version; /* the one it runs on, by number */
    char id[CONFIG_VERSION_ID_MAX]; /* and by name */
    struct confine_tcp ports;       /* to which it was confined at its start */
    struct {
        bool config_version, drain;
    } unsent;             /* what it could not be sent yet */
    uint64_t drain_ms;    /* timeouts.drain of that config version; 0: none */
    struct timer overdue; /* since it was told to drain */
    struct watch log_watch;
    struct timer log_pause; /* runs: batches stay in the channel */
    int log;                /* batches of lines; owned, -1 */
    struct batch_tally told; /* received on it, by all processes */
    unsigned wrapped;       /* lines, in this second */
    uint64_t wrapped_in;
    struct channel_message question; /* while the service is paused */
};

typedef void slots_link_fn(struct slots *slots, unsigned number,
                           enum channel_peer peer);

struct slots {
    struct services *services; /* borrowed, like all up to wants_link */
    struct segment *segment;
    struct listeners *listeners;
    const struct config_version *config_version; /* in force */
    int segment_fd, addresses_fd;
    slots_link_fn *wants_link; /* one has begun, or lost its link */
    struct slot *table;        /* owned; SEGMENT_SLOTS of them */
    unsigned count;            /* that were ever used: the first so many */
    unsigned meant;            /* workers, as configured */
    unsigned wanted; /* slots that are; fewer than meant: none is free */
    bool draining;
    struct segment_head head;           /* of the segment, as it is to be */
    struct task answer;                 /* to those that are paused */
    struct respawn_rate rate;           /* of all of them */
    struct live_connects live_connects; /* that a BIND may ask for */
    struct lost_sessions lost_sessions; /* whose lines are due */
};

/* How many workers a configuration asks for. */
unsigned slots_needed(const struct config *config);

/* Fill in what is borrowed first. Starts as many. 0 or -ENOMEM. */
MUST_CHECK int slots_start(struct slots *slots);

/*
 * The same, where another binary hands over: its workers go on as they are,
 * beside as many new ones, until they are told to drain. 0 or -ENOMEM.
 */
MUST_CHECK int slots_adopt(struct slots *slots, struct handover *handover);
void slots_drain_predecessors(struct slots *slots);

/* How many workers of a binary before still drain; ends their sessions now;
   kills those that are still there. */
unsigned slots_count_old(const struct slots *slots);
void slots_stop_old(struct slots *slots);
void slots_kill_old(struct slots *slots);

/* What the next binary needs of them besides the services. 0 or -ENOMEM. */
MUST_CHECK int slots_hand_over(const struct slots *slots,
                               struct handover *handover);

/* How many more workers there is room for. */
unsigned slots_free(const struct slots *slots);

/*
 * The config version and the listeners are others now: every worker is sent
 * them, again and again until it has them, and one that was confined to other
 * ports than it needs now drains. Resize: more are started, or the
 * surplus drains. Fill: starts those that are missing, as far as there are
 * slots.
 */
void slots_reconfigure(struct slots *slots);
void slots_resize(struct slots *slots);
void slots_fill(struct slots *slots);

/* How many do not have the config version in force yet, or are wanted and not
   ready. */
unsigned slots_behind(const struct slots *slots);

/* The same of the workers that are wanted: without those that drain, or are of
   a binary before. */
unsigned slots_starting(const struct slots *slots);

/* Kills those that do not take it: the next one is given it from the start. */
void slots_replace_behind(struct slots *slots);

/* How many are in `state`. */
unsigned slots_count(const struct slots *slots, enum service_state state);

/* Says in the segment which processes there are. */
void slots_publish(const struct slots *slots);

/* Sets right what a worker has changed in the segment that none has a reason to
   change, and says so. */
void slots_restore_segment(struct slots *slots);

/* Passes a link to `peer`, which stays the caller's. 0, -ENOENT (no such
   worker), or another negative errno. */
MUST_CHECK int slots_pass_link(struct slots *slots, unsigned number,
                               enum channel_peer peer, int fd);

/*
 * None is replaced any more. Drain: no new sessions, live ones may finish.
 * Stop: end them now. Kill: those that are still there.
 */
void slots_drain(struct slots *slots);
void slots_stop(struct slots *slots);
void slots_kill(struct slots *slots);

/* Closes everything. */
void slots_fini(struct slots *slots);

#endif
