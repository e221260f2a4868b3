#ifndef GATEWAY_MONITOR_SERVICE_H
#define GATEWAY_MONITOR_SERVICE_H

#include <stdbool.h>

#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/must_check.h"
#include "gateway/channel.h"
#include "gateway/config/config.h"
#include "gateway/labels.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/heartbeat.h"
#include "gateway/monitor/respawn.h"
#include "gateway/monitor/user.h"
#include "gateway/role.h"

/*
 * A service is a child that the monitor keeps running, whatever its role: it
 * is started, says that it is ready, is asked whether it lives, and is started
 * again when it ends, later and later where it never becomes ready. What it
 * writes to its stderr and what it says of its confinement goes into the log.
 *
 *            start             READY             drain
 *   EMPTY ──────────► STARTING ─────► READY ──────────► DRAINING
 *     ▲                  │              │                  │
 *     └──────────────────┴──── ended ───┴──────────────────┘
 *
 * After an upgrade a service may have two processes: the predecessor, started
 * by the binary before, works until the current one is ready.
 *
 * What is special to a service is in its ops, in a file of its own: slot.c (a
 * worker), resolver_links.c, signer_links.c, sink_writer.c, upgrade_probe.c. A
 * role that needs nothing special needs no such file: services_start starts it.
 */

/* Of enum service_state, labels.h. */
extern const char *const service_state_names[];

struct service;
struct services;
struct sink;

/*
 * A message that a service may send, besides those that every one may: in which
 * states, and how often. What no row allows ends the process, since it is not
 * what we have started any more.
 */
struct service_rule {
    uint32_t kind;
    unsigned states;     /* bits 1 << enum service_state */
    unsigned per_second; /* 0: as often as it likes */
};

#define SERVICE_ONCE_READY (1u << SERVICE_READY | 1u << SERVICE_DRAINING)
#define SERVICE_ALWAYS (SERVICE_ONCE_READY | 1u << SERVICE_STARTING)

/* Each may be NULL. */
struct service_ops {
    const struct service_rule *rules;
    size_t rule_count;
    /* Starts a process by service_execute. 0 or a negative errno. NULL: there
       is nothing to add to what every role gets. */
    int (*start)(struct service *service);
    /* The current one is ready. NULL: the predecessor is killed. */
    void (*ready)(struct service *service);
    /* How many more pings it may leave unanswered now. NULL: none. */
    unsigned (*extra_pings)(const struct service *service);
    /* A message of a kind that not every role has, of the current process or of
       the predecessor. */
    void (*message)(struct service *service,
                    const struct channel_message *message);
    /* One or none was received; for what has waited for it. */
    void (*received)(struct service *service);
    /* Messages that were left in the channel of one that ended. */
    void (*last_message)(struct service *service,
                         const struct channel_message *message);
    void (*predecessor_ended)(struct service *service);
    /* It has ended; what it sent by other ways than the channel is read. */
    void (*drain)(struct service *service);
    /* It has ended, and what it held is given back. May add to the line that
       says so. */
    void (*ended)(struct service *service, struct log_line *line);
    /* service_send_later: what could not be sent is sent again. */
    void (*send)(struct service *service);
    /* Of a service that runs once (below): a line on stderr; that it cannot be
       received from, -EBADMSG where it sends what is not a message; the end,
       with its status as of waitpid. */
    void (*stderr_line)(struct service *service, const char *line);
    void (*broken)(struct service *service, int error);
    void (*exited)(struct service *service, int status);
};

struct service_process {
    struct service *service; /* borrowed */
    struct child child;
    struct watch control_watch;
    struct child_stderr child_stderr;
    struct heartbeat heartbeat;
    unsigned received[CHANNEL_KINDS]; /* in this second */
    uint64_t second;
    unsigned stderr_lines; /* in this second */
    uint64_t stderr_second;
    bool ready;  /* it has said so: it does not say so again */
    bool broken; /* nothing more is received from it */
};

struct service {
    struct list link;          /* in services->all */
    struct services *services; /* borrowed, like role and ops */
    const struct role *role;
    const struct service_ops *ops;
    int program;   /* borrowed; -1: that of services */
    bool numbered; /* one of several of its role */
    unsigned number;
    enum service_state state; /* of the current process */
    bool wanted;              /* another process follows the one that ends */
    bool awaited;             /* the gateway does not serve until it is ready */
    bool auxiliary; /* for workers alone: ends, by the end of its channel, when
                       none is left */
    bool once;      /* neither pinged, started again nor logged: all that it
                       sends is ops->message's */
    bool restarts;  /* it may end with status 0 to be started again */
    bool paused;    /* nothing is received from the current one for now */
    bool replaced;  /* the current one was killed to be replaced */
    bool predecessor_retired; /* killed: the current one does the work */
    struct service_process current, predecessor;
    struct timer retry;
    struct timer send_again;
    struct respawn respawn;
    struct respawn_rate *rate; /* borrowed; own_rate, or shared by several */
    struct respawn_rate own_rate;
};

typedef void services_changed_fn(struct services *services);

/* All of them, and what they have in common. */
struct services {
    struct loop *loop; /* borrowed, like all up to changed */
    struct sink *sink;
    const struct user *user;
    int program;
    const char *path;             /* of it */
    unsigned sandbox;             /* enum confine_mode */
    services_changed_fn *changed; /* one is ready, ended, or unconfined */
    struct list all;
    struct service *plain; /* those that have no ops; owned */
    size_t plain_count;
    unsigned missing; /* layers of confinement that some do without */
    struct channel_message unconfined; /* kind 0: none came */
    const struct role *not_started;    /* the last that was not; NULL: none */
    int error;                         /* why; negative errno */
};

/* Fill in what is borrowed first. */
void services_init(struct services *services);

/*
 * The roles that say themselves when they are needed, and that no service was
 * made for. What a binary before hands over (or NULL) goes on meanwhile. 0 or
 * -ENOMEM. Then, with another configuration, the same again.
 */
MUST_CHECK int services_start(struct services *services,
                              const struct config *config,
                              struct handover *handover);
void services_reconfigure(struct services *services,
                          const struct config *config);

/* Whether all that are awaited are ready. */
bool services_ready(const struct services *services);

/* How many processes there are to be. */
unsigned services_wanted(const struct services *services);

/* Whether `pid` was one of theirs; then it is dealt with. */
bool services_reap(struct services *services, pid_t pid, int status);

/* What the next binary needs of them. */
void services_hand_over(const struct services *services,
                        struct handover *handover);

/* The auxiliary ones end; whether they have; kills them. */
void services_finish(struct services *services);
bool services_ended(const struct services *services);
void services_kill(struct services *services);

/* Closes those that services_start has made. */
void services_fini(struct services *services);

/* Empty; `rate` NULL: its own. */
void service_init(struct service *service, struct services *services,
                  const struct role *role, const struct service_ops *ops,
                  struct respawn_rate *rate);

/* From now on one runs: starts it, or tries again later. */
void service_start(struct service *service);

/* Executes its role with `args` (or NULL) behind what every role gets, and
   with `fds` from CHANNEL_FD_LOG on. 0 or a negative errno. */
MUST_CHECK int service_execute(struct service *service, char *const *args,
                               size_t arg_count, const int *fds,
                               size_t fd_count);

/* The current process has done what it may not, `why` says what ("sent …"): it
   is killed and another follows. */
void service_break(struct service *service, const char *why);

/* The current process cannot be watched: it is killed and another follows. */
void service_give_up(struct service *service, int error);

/* What a binary before hands over of it, taken out of `handover`: as the
   predecessor, or as the current process. Whether there was one. */
bool service_adopt(struct service *service, struct handover *handover);
bool service_resume(struct service *service, struct handover *handover);

/* Kills the predecessor, which is not asked for anything any more. */
void service_retire_predecessor(struct service *service);

/* Kills the current one, which another follows, and the predecessor. */
void service_replace(struct service *service);

/* None is wanted any more; what runs goes on, or is killed. */
void service_leave(struct service *service);
void service_stop(struct service *service);

/* The one that does the work, which may be none (pid 0). */
const struct child *service_working(const struct service *service);
bool service_has_predecessor(const struct service *service);
/* Nothing runs, and nothing is about to be started. */
bool service_is_over(const struct service *service);

/* To the current one. 0, -EAGAIN or another negative errno. */
MUST_CHECK int service_send(struct service *service,
                            const struct channel_message *message, int fd);
/* The same, of what it can do without: lost where its channel is full. */
void service_tell(struct service *service,
                  const struct channel_message *message);
/* ops->send in a moment. */
void service_send_later(struct service *service);

/* Reads one message: 1; 0 at the end of the channel, -EAGAIN, or another
   negative errno. */
int service_receive(struct service *service);

/* Begins a line of the log about it: event NAME_`what`. */
void service_begin(const struct service *service, struct log_line *line,
                   const char *what, enum log_level level);

/* Kills what is left and closes everything. */
void service_fini(struct service *service);

#endif
