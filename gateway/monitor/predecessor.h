#ifndef GATEWAY_MONITOR_PREDECESSOR_H
#define GATEWAY_MONITOR_PREDECESSOR_H

#include "base/loop.h"
#include "gateway/channel.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"
#include "gateway/monitor/handover.h"

/*
 * A child of the binary before this one, that goes on with its work until
 * the new one is ready. All zero: there is none.
 */
struct predecessor;
typedef void predecessor_heard_fn(struct predecessor *predecessor,
                                  const struct channel_message *message);

struct predecessor {
    struct loop *loop;           /* borrowed */
    predecessor_heard_fn *heard; /* all its messages */
    struct child child;
    struct watch control_watch;
    struct child_stderr child_stderr;
};

/* Takes it over with its descriptors; nothing where there is none. */
void predecessor_adopt(struct predecessor *predecessor, struct loop *loop,
                       const struct handed_child *handed,
                       predecessor_heard_fn *heard,
                       child_stderr_line_fn *on_line);

bool predecessor_is_there(const struct predecessor *predecessor);

void predecessor_kill(const struct predecessor *predecessor);

/* Whether `pid` was it; then its last words are heard, and it is buried. */
bool predecessor_reap(struct predecessor *predecessor, pid_t pid);

/* Kills it, if it is there, and closes everything. */
void predecessor_fini(struct predecessor *predecessor);

/* The same from the other side: what is handed over of a child. */
void predecessor_hand_over(const struct child *child,
                           const struct child_stderr *child_stderr,
                           struct handed_child *handed);
/* And what a child is that was. */
struct child predecessor_child(const struct handed_child *handed);

#endif
