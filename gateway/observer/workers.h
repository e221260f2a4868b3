#ifndef GATEWAY_OBSERVER_WORKERS_H
#define GATEWAY_OBSERVER_WORKERS_H

#include <stdbool.h>

#include "base/list.h"
#include "base/loop.h"
#include "gateway/observer_proto.h"
#include "gateway/segment.h"

/*
 * The workers, as the observer asks them: a survey goes to all that have a
 * link, and is done when each has answered or is gone, or has let its time
 * pass. No more surveys run at once than a worker serves; the others wait for
 * their turn.
 */
struct survey;

/* Each may be NULL but done. What it borrows is gone afterwards. */
struct survey_ops {
    void (*row)(struct survey *survey, unsigned worker,
                const struct observer_row *row);
    void (*entry)(struct survey *survey, const struct observer_entry *entry);
    /* Of OBSERVER_FOLLOW, which is never done: a session begins or has ended;
       `dropped` events of that worker so far found no room. */
    void (*event)(struct survey *survey, unsigned worker, bool begins,
                  const struct observer_row *row, uint64_t dropped);
    /* It is over, and may begin again. */
    void (*done)(struct survey *survey);
};

struct survey {
    struct list link;        /* in workers->running or ->waiting */
    struct workers *workers; /* borrowed; NULL: it does not run */
    const struct survey_ops *ops;
    struct observer_ask ask;
    bool asked[SEGMENT_SLOTS]; /* no answer of that worker yet */
    unsigned asked_count;
    unsigned unanswered; /* workers that did not answer in time */
    uint64_t matched;
    struct timer timeout;
};

struct worker_link {
    struct workers *workers; /* borrowed */
    struct watch watch;      /* owns its descriptor, -1 */
    struct task again;
};

struct workers {
    struct loop *loop; /* borrowed */
    struct worker_link links[SEGMENT_SLOTS];
    struct list running, waiting; /* surveys */
    struct list following;
    unsigned running_count, following_count;
    uint32_t next_id;
    uint64_t secret[2]; /* of hashes of what workers and clients say; no worker
                           knows it */
};

void workers_init(struct workers *workers, struct loop *loop);
void workers_fini(struct workers *workers);

/* The link to a worker, in place of any before; `fd` is taken. */
void workers_open_link(struct workers *workers, unsigned slot, int fd);

/* Fill in ops and ask.kind, ask.count and ask.filter first. False: so many are
   followed already that a worker would refuse. */
bool survey_start(struct survey *survey, struct workers *workers);
/* Whether it runs or waits. Then done will not be called any more. */
void survey_cancel(struct survey *survey);

#endif
