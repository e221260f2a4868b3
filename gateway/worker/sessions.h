#ifndef GATEWAY_WORKER_SESSIONS_H
#define GATEWAY_WORKER_SESSIONS_H

#include "base/loop.h"
#include "gateway/addresses.h"
#include "gateway/config/config.h"
#include "gateway/segment.h"
#include "gateway/worker/association.h"
#include "gateway/worker/attempts.h"
#include "gateway/worker/authentication.h"
#include "gateway/worker/limits.h"
#include "gateway/worker/live_link.h"
#include "gateway/worker/lookup.h"
#include "gateway/worker/observed.h"
#include "gateway/worker/parents.h"
#include "gateway/worker/record.h"
#include "gateway/worker/refusals.h"
#include "gateway/worker/relay.h"
#include "gateway/worker/rule_copy.h"
#include "gateway/worker/shared_sessions.h"
#include "gateway/worker/spent_ports.h"
#include "gateway/worker/stream_tls.h"
#include "gateway/worker/way_out.h"

/* What all sessions of a worker share. */
struct sessions {
    struct loop *loop;                 /* borrowed */
    struct config *config;             /* reference: what new ones begin with */
    struct segment *segment;           /* borrowed */
    struct segment_column *column;     /* borrowed: this worker's */
    const struct addresses *addresses; /* borrowed: this machine's; NULL */
    unsigned slot;
    struct record_log *records; /* borrowed */
    int accept_error;           /* the last that was said; 0: none */
    uint64_t accept_say_ms;     /* when it is said again */
    struct relay_pool pool;
    struct stream_tls_pool tls;
    /* Owned; by config_tls_at, NULL for those that are plain. */
    struct tls_context *tls_contexts[CONFIG_TLS_MAX];
    struct list former; /* struct former_tls: of configurations before */
    struct rule_copies rule_copies;
    struct live_link live_link;
    struct lookups lookups;
    struct association_pool associations;
    struct authentications authentications;
    struct way_out_turns way_out_turns;
    struct spent_ports spent_ports;
    struct parents parents;
    struct limits limits;
    struct refusals refusals;
    struct shared_sessions shared;
    struct observed observed;
    struct list walks; /* struct sessions_walk: that are under way */
    uint64_t
        binds; /* so many so far: each searches its port in another order */
    struct list unfinished; /* session_is_unfinished, the oldest first */
    size_t unfinished_count;
    struct attempts attempts; /* pending, the request was read */
    struct list live;         /* all others */
    struct list unrecorded;   /* ended; the log had no room for the record */
    size_t unrecorded_count;
    struct list ended;  /* to be freed at the end of the turn */
    struct list routes; /* likewise: struct route */
    struct task reap;
    size_t count;
    size_t besides; /* third connections, of sessions that dial both families,
                       and associations */
    size_t budget;  /* for how many sessions there are descriptors */
    void (*changed)(struct sessions *sessions); /* one has ended */
};

/* `changed` is called whenever a session has ended; `send` takes messages to
   the monitor. */
void sessions_init(struct sessions *sessions, struct loop *loop,
                   struct config *config, struct segment *segment,
                   unsigned slot, struct record_log *records,
                   live_link_send_fn *send, void (*changed)(struct sessions *));

/* New sessions begin with this snapshot; undecided ones keep theirs. */
void sessions_reconfigure(struct sessions *sessions, struct config *config);

/* All sessions must have ended, and limits_fini and refusals_fini must have
   been called. */
void sessions_fini(struct sessions *sessions);

/*
 * Refuses a session, to make room for one of `from`, which met the limit and
 * is charged to `source_index`. Of one source: one of its own attempts. Of
 * pending ones in all: an attempt whose client has sent its FIN; else the
 * oldest attempt of whoever holds most, where that holder has more of them
 * than there are unfinished requests; else the oldest unfinished request, as
 * for every other limit. False: this worker has none.
 */
bool sessions_shed(struct sessions *sessions, enum limit limit,
                   struct addr from, int source_index);

/* Writes the line that says that splice(2) fails here, and why. */
void sessions_say_no_splice(struct sessions *sessions);

/* Writes the line that says that accept4(2) fails at that listener, once a
   minute for the same negative errno. */
void sessions_say_no_accept(struct sessions *sessions, const char *listener,
                            int error);

/* Ends every session at once: undecided ones are answered, live ones reset. */
void sessions_stop(struct sessions *sessions);

/* What the TLS listeners and parents of `config` need, into `contexts`, which
   has CONFIG_TLS_MAX; `files` may be NULL where none is. 0 or -ENOMEM. */
int sessions_make_tls(const struct sessions *sessions,
                      const struct config *config,
                      const struct tls_files *files,
                      struct tls_context **contexts);
/* Takes them in place of those that are in use; connections keep theirs. */
void sessions_take_tls(struct sessions *sessions,
                       struct tls_context **contexts);
/* That of a parent, by its number, in the configuration of the session; NULL:
   it is plain, or there was no memory for it. */
struct tls_context *sessions_parent_tls(const struct sessions *sessions,
                                        const struct config *config,
                                        size_t parent);

/* The session begins with its request unfinished. */
void sessions_add(struct sessions *sessions, struct session *session);
/* It has been in a pending state and enters another one (`pending`), or one
   that is not pending. */
void sessions_move(struct sessions *sessions, struct session *session,
                   bool pending);

struct route;
/* Frees it when the turn is over. */
void sessions_free_route_later(struct sessions *sessions, struct route *route);

/* Whether there is a descriptor for one session's second connection to its
   server, or for the sockets of an association; it counts as much as a session
   until it is uncounted. */
bool sessions_count_beside(struct sessions *sessions);
void sessions_uncount_beside(struct sessions *sessions);

/*
 * Takes the link of a session that has ended out of its list. It is freed at
 * the end of the turn: an event for it may still be in this one's batch. One
 * that is not `recorded`, since the log had no room, waits for that
 * until then; as many as the worker may have sessions can, so that all of them
 * can end at once. Further records are dropped and counted.
 */
void sessions_close(struct sessions *sessions, struct list *link,
                    bool recorded);

/* A walk begins; the next session, NULL at the end; it ends when its link is
   taken out of its list. */
void sessions_walk_start(struct sessions *sessions, struct sessions_walk *walk,
                         bool forward);
struct session *sessions_walk_next(struct sessions *sessions,
                                   struct sessions_walk *walk);
/* The link is about to leave its list: no walk goes on from there. */
void sessions_leave(struct sessions *sessions, struct list *link);

/* The log may have room again: writes the records of those that wait. */
void sessions_write_records(struct sessions *sessions);
/* Drops the records that wait, and counts them. */
void sessions_drop_records(struct sessions *sessions);

#endif
