#ifndef GATEWAY_MONITOR_FORMER_H
#define GATEWAY_MONITOR_FORMER_H

#include "base/loop.h"
#include "gateway/channel.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/child_stderr.h"
#include "gateway/monitor/handover.h"

/*
 * A child of the binary before this one, that goes on with its work until
 * its successor is ready. All zero: there is none.
 */
struct former;
typedef void former_heard_fn(struct former *former,
                             const struct channel_message *message);

struct former {
    struct loop *loop;      /* borrowed */
    former_heard_fn *heard; /* all its messages */
    struct child child;
    struct watch control_watch;
    struct child_stderr child_stderr;
};

/* Takes it over with its descriptors; nothing where there is none. */
void former_adopt(struct former *former, struct loop *loop,
                  const struct handed_child *handed, former_heard_fn *heard,
                  child_stderr_line_fn *on_line);

bool former_is_there(const struct former *former);

void former_kill(const struct former *former);

/* Whether `pid` was it; then its last words are heard, and it is buried. */
bool former_reap(struct former *former, pid_t pid);

/* Kills it, if it is there, and closes everything. */
void former_fini(struct former *former);

/* The same from the other side: what is handed over of a child. */
void former_hand_over(const struct child *child,
                      const struct child_stderr *child_stderr,
                      struct handed_child *handed);
/* And what a child is that was. */
struct child former_child(const struct handed_child *handed);

#endif
