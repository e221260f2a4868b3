#ifndef GATEWAY_MONITOR_OBSERVER_LINKS_H
#define GATEWAY_MONITOR_OBSERVER_LINKS_H

#include <stdbool.h>

#include "gateway/config/config.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/control_socket.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/links.h"
#include "gateway/monitor/service.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/user.h"

/*
 * What is special to the observer, as a service: its sockets, which are opened
 * here; the segment, to be read only; the configuration; the links of the
 * workers to it; and what operators ask of the monitor by way of it.
 *
 * It is needed where one of its sockets is open.
 */
#define OBSERVER_LINKS_WHY_MAX 300

enum observer_socket {
    OBSERVER_CONTROL,
    OBSERVER_PAGE,
    OBSERVER_AGENT,
    OBSERVER_SOCKETS
};

/* Those of one configuration. */
struct observer_sockets {
    struct control_socket control;
    int tcp[OBSERVER_SOCKETS];          /* page and agent; owned, -1 */
    uint32_t serials[OBSERVER_SOCKETS]; /* another socket has another */
};

struct observer_links;

/* An operator wants `action` done: observer_links_finish says what came of it.
   observer_links_runs: how many times that has been begun so far. */
typedef void observer_links_act_fn(struct observer_links *links,
                                   enum channel_action action);
typedef uint32_t observer_links_runs_fn(const struct observer_links *links,
                                        enum channel_action action);

/* A request that has no outcome yet. */
struct observer_request {
    uint32_t number; /* the observer's; 0: free */
    uint32_t action;
    uint32_t run; /* the outcome is that of a later one */
};

struct observer_links {
    struct service service;
    struct links links;
    struct sink *sink;       /* borrowed, like user and act */
    const struct user *user; /* as whom children run */
    observer_links_act_fn *act;
    observer_links_runs_fn *runs;
    const struct config_version *config_version; /* borrowed; in force */
    struct observer_sockets sockets;
    uint32_t serial; /* of the socket that was opened last */
    char without[OBSERVER_LINKS_WHY_MAX]; /* why there is no control socket,
                                             until the log is there */
    bool lost[OBSERVER_SOCKETS]; /* cannot be made to listen, and the log says
                                    so */
    int shown;                   /* the segment, to be read only; owned */
    int kept;                    /* CHANNEL_FD_KEPT; owned; -1: none before the
                                    first observer */
    bool unsent; /* the config version did not fit into the channel */
    struct observer_request requests[HANDOVER_REQUESTS_MAX];
    struct timer leave; /* since the predecessor was told to */
};

/* Fill in links.workers, links.pass, sink, user, act and runs first. Opens the
   sockets of the configuration, to be called before children are started. 0, or
   -1 after one line on stderr. */
MUST_CHECK int observer_links_open(struct observer_links *links,
                                   const struct config *config);
/* The same, where another binary hands them over. */
void observer_links_take(struct observer_links *links,
                         const struct handover *handover);

/* Starts an observer, if it is needed; that of a binary before (or NULL) goes
   on meanwhile. `segment` is the descriptor of the segment. 0 or a negative
   errno. */
MUST_CHECK int observer_links_start(struct observer_links *links,
                                    struct services *services,
                                    const struct config_version *version,
                                    int segment, struct handover *handover);

/* Another configuration. Prepare opens what it needs besides: 0, or -1 and why.
   Then it is either dropped or taken. */
MUST_CHECK int observer_links_prepare(struct observer_links *links,
                                      struct observer_sockets *next,
                                      const struct config *config,
                                      char why[OBSERVER_LINKS_WHY_MAX]);
void observer_links_drop(const struct observer_links *links,
                         struct observer_sockets *next);
void observer_links_reconfigure(struct observer_links *links,
                                struct observer_sockets *next);

/* The observer has the very sockets, and can end their listening (shutdown):
   makes them listen again, or others in their place, with a line about each;
   called each LISTENERS_CHECK_MS. */
void observer_links_check(struct observer_links *links);

/* What came of run `run` of `action`. Operators who asked for it before it
   began are sent this, with `text`, which may have several lines. */
void observer_links_finish(struct observer_links *links,
                           enum channel_action action, uint32_t run, bool done,
                           const char *text);

/* The upgrade is over: the observer of the binary before ends. */
void observer_links_upgraded(struct observer_links *links);

/* What the next binary needs besides the service. */
void observer_links_hand_over(const struct observer_links *links,
                              struct handover *handover);

/* Closes everything. */
void observer_links_fini(struct observer_links *links);

#endif
