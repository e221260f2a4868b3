#ifndef GATEWAY_WORKER_RELAY_H
#define GATEWAY_WORKER_RELAY_H

#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/worker/backlog.h"
#include "gateway/worker/pipes.h"
#include "gateway/worker/stream.h"

/*
 * The relay: two half-pipes between two streams. Two TCP sessions become one
 * [V4-1-1, V4-2-1] that behaves as a direct connection [V4-1-2, V4-3.3-11],
 * in plain text [V4-C.2-1]. It knows nothing of what came before nor of what
 * the octets mean [V4-1-3, V4-1-6].
 *
 *              half[RELAY_UP]:   client ───► server
 *     client                                          server
 *              half[RELAY_DOWN]: client ◄─── server
 *
 * A half copies through the worker's one buffer; an idle session owns none.
 * What a slow reader does not take is held, and the half reads no more
 * until it is gone: at most RELAY_BUFFER octets a direction. A half that
 * turns out to be bulk borrows a pipe and splices; if it stalls, what is in
 * the pipe may have to be held, PIPE_SIZE at most. A FIN is passed on when
 * everything before it is written.
 *
 * When a leg breaks (a reset, a time-out of the network's), everything it had
 * sent before is written to the other leg and acknowledged there; then the
 * relay ends and its owner resets that leg. What the other leg sends meanwhile
 * is read and dropped, so that its writer is not held up.
 */

#define RELAY_BUFFER 65536

/* What is read at once, and so held at most, while all that is held has come
   to its share of limits.memory. What was in a pipe may be more. */
#define RELAY_TIGHT 4096

/* Octets read and not yet written, and whether the last of them is urgent. */
struct relay_held {
    struct relay_held *next; /* that of the other direction */
    size_t from;
    size_t to;
    bool urgent;
    uint8_t way; /* enum relay_direction */
    uint8_t octets[];
};

struct relay;

enum relay_event {
    RELAY_HALF_CLOSED,  /* one direction has ended, or one leg has broken; the
                           other goes on. Once in a relay's life */
    RELAY_FINISHED,     /* both have ended in order */
    RELAY_CLIENT_BROKE, /* an error on that leg, and everything before it is
                           delivered: pass it on as a reset */
    RELAY_SERVER_BROKE,
    RELAY_NO_MEMORY,
    RELAY_NO_SPLICE, /* splice(2) itself failed: all relays of the pool copy
                        from now on. Once in a pool's life */
};

/* Of any of a pool's relays. All but RELAY_HALF_CLOSED and RELAY_NO_SPLICE end
   the relay: it touches nothing afterwards, and the streams are the owner's to
   close. */
typedef void relay_fn(struct relay *relay, enum relay_event event);

/* What all relays of a worker share. */
struct relay_pool {
    struct loop *loop; /* borrowed */
    relay_fn *notify;
    enum config_splice splice;
    int splice_error;     /* a negative errno: splice(2) fails here */
    struct list runnable; /* relays that can go on at once */
    struct task run_queue;
    struct list unacked; /* a leg broke, and the other one has not acknowledged
                            everything yet */
    struct timer ack_check; /* of those */
    struct backlog backlog;
    struct pipes pipes;
    uint64_t held; /* octets, of all relays together */
    uint64_t held_max;
    uint8_t buffer[RELAY_BUFFER];
};

/* `column` is charged with the pipes, the octets held, and the backlog, of
   which the budget allows so much; where there is too much backlog, `full` is
   called. Beyond the budget's octets held the relays read in small pieces. */
void relay_pool_init(struct relay_pool *pool, struct loop *loop,
                     struct segment_column *column, enum config_splice splice,
                     const struct config_budget *budget, relay_fn *notify,
                     backlog_fn *full);
/* The same figures anew; relays under way keep what they have. */
void relay_pool_set(struct relay_pool *pool, enum config_splice splice,
                    const struct config_budget *budget);
void relay_pool_fini(struct relay_pool *pool);

enum relay_direction { RELAY_UP, RELAY_DOWN };

struct relay_half {
    uint64_t moved;       /* octets written */
    uint32_t unacked;     /* of those, when last looked: see pool->unacked */
    uint8_t streak;       /* full reads in a row, or small splices */
    uint8_t mark;         /* moved / BACKLOG_STEP, at its last entry's end */
    bool ended : 1;       /* the FIN was read */
    bool finished : 1;    /* and passed on (the last one: by the close) */
    bool reported : 1;    /* RELAY_HALF_CLOSED, of this one */
    bool first : 1;       /* its FIN came while the other had none */
    bool broke_first : 1; /* its writer broke while the other had not */
    bool spliced : 1;     /* bulk: splice while pipes can be had */
    bool copy_only : 1;   /* urgent data came, or a leg copies only */
    bool holds : 1;       /* it has a place in relay->held */
    bool no_memory : 1;   /* it could not hold what it read */
    bool in_bound : 1;    /* the kernel's queue of its writer is bounded */
    bool out_bound : 1;   /* that of its reader is */
};

struct relay {
    struct stream client; /* opened and closed by the owner */
    struct stream server;
    struct relay_half half[2];
    struct relay_held *held;       /* owned: of either half; NULL mostly */
    struct relay_pool *pool;       /* borrowed */
    struct backlog_entry *backlog; /* owned; NULL: holds little in the kernel */
    struct list queued;            /* in pool->runnable or pool->unacked */
    uint64_t moved_ms;             /* when an octet last moved, either way */
};

void relay_init(struct relay *relay, struct relay_pool *pool);

/* Gives back what the halves own. The streams must be closed already. */
void relay_fini(struct relay *relay);

/*
 * Keeps `count` octets that were read from the client before the relay
 * began; they go up first [V4-3.3-10]. 0 or -ENOMEM.
 */
int relay_keep(struct relay *relay, const uint8_t *octets, size_t count);

/* Both streams are open and connected: begins at once, at the end of this
   turn of the loop [V4-3.3-10]; from here on octets are only moved
   [V4-1-5]. */
void relay_start(struct relay *relay);

/* Which direction ended first, if one did. */
enum relay_direction relay_first_end(const struct relay *relay);

/* A direction has stalled: the reader's queue, or else we, take what is in its
   pipe, and the pipe is given back; unless all that is held has come to its
   share of limits.memory. */
void relay_leave_pipe(struct relay *relay, enum relay_direction way);

static inline struct stream *
half_from(struct relay *relay, enum relay_direction way)
{
    return way == RELAY_UP ? &relay->client : &relay->server;
}

static inline struct stream *
half_to(struct relay *relay, enum relay_direction way)
{
    return way == RELAY_UP ? &relay->server : &relay->client;
}

#endif
