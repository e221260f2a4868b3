#ifndef GATEWAY_MONITOR_FORMER_H
#define GATEWAY_MONITOR_FORMER_H

#include "base/loop.h"
#include "gateway/channel.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/voice.h"

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
    struct voice voice;
};

/* Takes it over with its descriptors; nothing where there is none. */
void former_adopt(struct former *former, struct loop *loop,
                  const struct handed_child *handed, former_heard_fn *heard,
                  voice_said_fn *said);

bool former_is_there(const struct former *former);

void former_kill(const struct former *former);

/* Whether `pid` was it; then its last words are heard, and it is buried. */
bool former_reap(struct former *former, pid_t pid);

/* Kills it, if it is there, and closes everything. */
void former_fini(struct former *former);

/* The same from the other side: what is handed over of a child. */
void former_hand_over(const struct child *child, const struct voice *voice,
                      struct handed_child *handed);
/* And what a child is that was. */
struct child former_child(const struct handed_child *handed);

#endif
