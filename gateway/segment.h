#ifndef GATEWAY_SEGMENT_H
#define GATEWAY_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/must_check.h"
#include "gateway/series.h"
#include "gateway/speakers.h"

/*
 * The segment all processes share: a memory file of fixed size, atomics,
 * no pointers. One column a worker slot; only the slot's worker writes to
 * it, readers sum, and the monitor zeroes a dead worker's gauges before the
 * slot is used again (its counters stay: what was counted did happen).
 * Nothing that grants access is answered from it.
 */

/* name, help */
#define SEGMENT_COUNTERS(X)                                                    \
    X(accepted, "connections accepted")                                        \
    X(granted, "sessions granted")                                             \
    X(refused, "requests refused")                                             \
    X(early, "sessions that ended before they were decided")                   \
    X(limited, "connections over a limit, reset at once")                      \
    X(shed, "sessions that gave way to others")                                \
    X(lost, "sessions that went down with a worker")                           \
    X(up, "octets from clients")                                               \
    X(down, "octets to clients")                                               \
    X(relayed_up, "octets from clients, of live sessions too")                 \
    X(relayed_down, "octets to clients, of live sessions too")                 \
    X(records, "records written")                                              \
    X(dropped, "records dropped")                                              \
    X(quiet, "sessions that log.quiet leaves without a record")                \
    X(suppressed, "refusals that a line counts, in place of their records")    \
    X(accept_paused, "times accepting was paused")                             \
    X(restarts, "workers that were started in place of one that had ended")

#define SEGMENT_GAUGES(X)                                                      \
    X(live, "sessions alive")                                                  \
    X(pending, "sessions not yet relaying")                                    \
    X(pipes, "pipes held")                                                     \
    X(held, "octets held for slow readers")                                    \
    X(queued, "octets of stalled sessions in the kernel")

enum segment_counter {
#define X(name, help) SEGMENT_COUNTER_##name,
    SEGMENT_COUNTERS(X)
#undef X
        SEGMENT_COUNTER_COUNT
};

enum segment_gauge {
#define X(name, help) SEGMENT_GAUGE_##name,
    SEGMENT_GAUGES(X)
#undef X
        SEGMENT_GAUGE_COUNT
};

#define SEGMENT_SLOTS 256             /* workers at most */
#define SEGMENT_MONITOR SEGMENT_SLOTS /* the monitor's own column */
#define SEGMENT_COLUMNS (SEGMENT_SLOTS + 1)

struct segment_column {
    _Alignas(64) _Atomic uint64_t counters[SEGMENT_COUNTER_COUNT];
    _Atomic uint64_t gauges[SEGMENT_GAUGE_COUNT];
    _Atomic uint32_t serving; /* 1: this slot's worker accepts */
    _Atomic uint32_t paused;  /* listeners it has paused */
};

/*
 * The sources: see sources.h. Where a source stands is found by its hash;
 * what it has taken stands in the column of the worker that gave it, a
 * column being one stretch of memory: that of a slot that never served is
 * never touched, and costs nothing.
 */
#define SEGMENT_SOURCES 16384

/* The first is the last to be given back: while there is one, the place is
   this source's. */
#define SEGMENT_CHARGES(X)                                                     \
    X(sessions)                                                                \
    X(pending)                                                                 \
    X(binds)                                                                   \
    X(associations)

enum segment_charge {
#define X(name) SEGMENT_CHARGE_##name,
    SEGMENT_CHARGES(X)
#undef X
        SEGMENT_CHARGE_COUNT
};

struct segment_source {
    _Atomic uint64_t key;     /* 0: free */
    _Atomic uint64_t due_ns;  /* when its next connection would be on time */
    _Atomic uint64_t refused; /* a second, and how often in that one */
};

struct segment_charges {
    _Atomic uint32_t count[SEGMENT_CHARGE_COUNT];
};

/*
 * Of each session what the log says if its worker dies: a cache line, written
 * by the worker when it accepts the session and when it relays. A worker has so
 * many; further sessions have none.
 */
#define SEGMENT_SESSIONS 16384

struct segment_session {
    _Alignas(64) _Atomic uint64_t id; /* of the record, and 1; 0: none */
    uint64_t began_us;                /* monotonic */
    struct endpoint client;
    struct endpoint dest; /* once it relays; port 0: not yet */
};

/* What the monitor says of the process in a slot. */
struct segment_worker {
    _Atomic uint32_t pid;            /* 0: there is none */
    _Atomic uint32_t state;          /* enum service_state */
    _Atomic uint32_t started;        /* processes started in this slot */
    _Atomic uint32_t config_version; /* the one it runs on, by number */
    _Atomic uint64_t started_ms;     /* wall clock */
};

/* As many as CONFIG_TLS_MAX. */
#define SEGMENT_CERTIFICATES 76

struct segment {
    uint64_t secret[2];            /* of the hash of sources; never changes */
    uint64_t began_ms;             /* wall clock; never changes */
    _Atomic uint64_t next_session; /* ids of records */
    _Atomic uint32_t slots;        /* slots in use: 0 to slots - 1 */
    _Atomic uint32_t counted;      /* slots that ever were: these have series */
    struct segment_worker workers[SEGMENT_SLOTS];
    /* Of the configuration in force, by config_tls_at: when the first of the
       certificate's chain ends, since 1970; 0: there is none. */
    _Atomic uint64_t expires_s[SEGMENT_CERTIFICATES];
    struct series_names names;
    struct segment_column columns[SEGMENT_COLUMNS];
    struct series series[SEGMENT_SLOTS];
    struct series_live lives[SEGMENT_SLOTS];
    struct speakers speakers[SEGMENT_SLOTS]; /* like series */
    struct segment_source sources[SEGMENT_SOURCES];
    struct segment_charges charges[SEGMENT_SLOTS][SEGMENT_SOURCES];
    struct segment_session sessions[SEGMENT_SLOTS][SEGMENT_SESSIONS];
};

/*
 * What no worker has a reason to change, or to set back: kept by the monitor,
 * since a worker that was taken over could.
 */
struct segment_head {
    uint64_t secret[2];
    uint64_t began_ms;
    uint64_t next_session;
};

/* Makes the memory file and maps it; its descriptor, or a negative errno. */
MUST_CHECK int segment_create(struct segment **segment);
/* Maps one that was passed; 0 or a negative errno. Show: to be read only. */
MUST_CHECK int segment_map(int fd, struct segment **segment);
MUST_CHECK int segment_show(int fd, const struct segment **segment);

static inline void
segment_count(struct segment_column *column, enum segment_counter which,
              uint64_t by)
{
    series_add(&column->counters[which], by);
}

static inline void
segment_charge(struct segment_column *column, enum segment_gauge which, int by)
{
    atomic_fetch_add_explicit(&column->gauges[which], (uint64_t)(int64_t)by,
                              memory_order_relaxed);
}

uint64_t segment_gauge_sum(const struct segment *segment,
                           enum segment_gauge which);
uint64_t segment_counter_sum(const struct segment *segment,
                             enum segment_counter which);

/* A worker, when it begins and when it ceases to accept. */
void segment_serve(struct segment *segment, unsigned slot, int serves);

/* How many workers accept, how many of these from all their listeners, and
   how many sessions they have. */
struct segment_share {
    uint64_t workers;
    uint64_t unpaused;
    uint64_t live;
};
struct segment_share segment_share(const struct segment *segment);

/* Of all slots that ever served: fewer to look at than segment_gauge_sum. */
uint64_t segment_served_sum(struct segment *segment, enum segment_gauge which);

/*
 * The monitor, at its start and from time to time: what is there is kept, or is
 * as it was again. True: a worker had changed it. Ids that sessions may have
 * got since are left out.
 */
void segment_keep(const struct segment *segment, struct segment_head *head);
bool segment_restore(struct segment *segment, struct segment_head *head);

/*
 * The monitor, when a slot's worker is dead: its live sessions are added to
 * `lost`, its gauges and its charges to sources are zeroed. Returns how many
 * sessions they were.
 */
uint64_t segment_retire(struct segment *segment, unsigned slot);

/*
 * The monitor, when a worker is dead: no worker has the slots from `first` to
 * `end`, that not included. Gauges and charges in their columns are those of a
 * worker that was taken over, and are zeroed. `fd` is the segment's.
 */
void segment_clear(struct segment *segment, int fd, unsigned first,
                   unsigned end);

/*
 * The monitor, likewise: no worker has ever had the slots from `first` on, so
 * that nobody has counted there but one that was taken over, and the memory is
 * given back. What was counted in those before is shown, whatever it has said.
 */
void segment_forget(struct segment *segment, int fd, unsigned first);

#endif
