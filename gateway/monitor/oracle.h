#ifndef GATEWAY_MONITOR_ORACLE_H
#define GATEWAY_MONITOR_ORACLE_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/channel.h"
#include "gateway/config/config.h"
#include "gateway/lookup_proto.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"
#include "gateway/monitor/heartbeat.h"
#include "gateway/monitor/predecessor.h"
#include "gateway/monitor/respawn.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/user.h"

/*
 * The monitor's side of the resolver: keeps one running where a listener
 * speaks SOCKS 4A, and sees to it that every worker has a line to it, a
 * pair of sockets: one end for the worker, one for the resolver. What they
 * say there passes by the monitor. After an upgrade lines go to the
 * predecessor until the new one is ready; then all go to that, and the
 */
struct oracle;

/* It became ready, or says that it cannot be confined as it must be. */
typedef void oracle_changed_fn(struct oracle *oracle);

/* Gives `fd` (still ours) to worker `slot`. 0, -ENOENT: there is none, or
   another negative errno: not now. */
typedef int oracle_pass_fn(struct oracle *oracle, unsigned slot, int fd);

struct oracle {
    struct loop *loop; /* borrowed, like all up to changed */
    struct sink *sink;
    const struct config *config;
    const struct user *user;
    int program;
    unsigned workers;
    oracle_pass_fn *pass;
    oracle_changed_fn *changed;
    unsigned missing; /* layers of confinement it does without */
    struct channel_message unconfined; /* kind 0: none came */
    struct predecessor predecessor;    /* of the binary before */
    struct child child;
    struct watch control_watch;
    struct child_stderr child_stderr;
    struct heartbeat heartbeat;
    bool ready;
    bool finishing;
    bool dismissed; /* the one that runs: its end is meant */
    struct endpoint servers[LOOKUP_SERVERS_MAX]; /* that it was started with */
    size_t server_count;
    struct timer dismissal; /* nobody waits for a name any more by then */
    struct timer retry;
    struct respawn respawn;
    struct respawn_rate rate;
    bool wants[LOOKUP_LINKS_MAX]; /* a worker that has no line yet */
    struct timer reconnect;       /* when its line is tried again */
};

/* Whether names are ever asked for. */
bool oracle_needed(const struct config *config);

/* Fill in what is borrowed first. Starts one at once, if it is needed; the
   one that another binary hands over goes on meanwhile. NULL: none does. */
void oracle_start(struct oracle *oracle, const struct handed_child *handed);

/* What the next binary needs of it. */
void oracle_hand_over(const struct oracle *oracle, struct handed_child *handed);

/* Worker `slot` wants a line: it has just begun, or lost its own. */
void oracle_connect(struct oracle *oracle, unsigned slot);

/* Whether names can be asked for by now, if they ever are. */
bool oracle_ready(const struct oracle *oracle);

/* Whether `pid` was the resolver; then it is dealt with. */
bool oracle_reap(struct oracle *oracle, pid_t pid, int status);

/*
 * Another configuration, while the one before is still there; `workers` as
 * many slots there are now. Where names are asked for and were not, one
 * starts; where the servers are others, it is replaced, and who waits asks
 * the next one; where names are asked for no more, it goes when whoever came
 * under the old configuration has had his answer.
 */
void oracle_reconfigure(struct oracle *oracle, const struct config *config,
                        unsigned workers);

/* There is nobody left who asks: it ends, or is killed. */
void oracle_finish(struct oracle *oracle);
void oracle_kill(struct oracle *oracle);
bool oracle_ended(const struct oracle *oracle);

/* Kills what is left and closes everything. */
void oracle_fini(struct oracle *oracle);

#endif
