#ifndef GATEWAY_WORKER_RECORD_H
#define GATEWAY_WORKER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/span.h"
#include "gateway/config/config.h"
#include "gateway/labels.h"
#include "gateway/segment.h"

/*
 * The record of a session, one line at its end, as text or JSON; every
 * octet that came over a network is escaped. Lines gather in a queue of
 * fixed size and go to the monitor in batches of whole lines, a few
 * milliseconds after the first. The worker never waits for room in it: a line
 * that finds none is its owner's to keep, who hears when a batch has gone.
 */

#define RECORD_QUEUE (256 * 1024)

/* Everything borrowed for the call. NULL and 0: not known, "-" or null. */
struct record {
    bool begins; /* it has just begun: no key that only its end tells */
    enum log_level level;
    uint64_t wall_ms; /* when it ended, or began */
    uint64_t id;
    unsigned worker;
    const char *listener;
    struct endpoint client;
    const char *userid; /* octets of the client's */
    size_t userid_len;
    const char *command;
    const struct endpoint *dest;
    const char *name; /* octets of the client's */
    size_t name_len;
    const char *rule;
    const char *ident; /* octets of the client's identd, or of ours */
    size_t ident_len;
    const char *verdict;
    unsigned code;
    uint64_t up;
    uint64_t down;
    uint32_t ms[PHASE_COUNT];
    const char *ended_by;
    const char *end;
    const char *version;
    const struct endpoint *proxy;   /* the balancer */
    const char *tls;                /* version and cipher */
    const struct span *certificate; /* a name of the client's */
    const char *via;                /* the parent */
    const char *hint;
    const struct endpoint *local; /* towards the server, or of the BIND */
    const struct endpoint *peer;  /* the connection to a BIND */
};

struct record_log;
typedef void record_sent_fn(struct record_log *log);

struct record_log {
    struct loop *loop;             /* borrowed */
    struct segment_column *column; /* borrowed */
    enum config_log_format format;
    enum log_level level;
    struct watch watch; /* fd: borrowed */
    bool waits;         /* for room */
    struct timer flush;
    uint64_t since_ms; /* when that was started last */
    record_sent_fn *sent; /* called when a batch has left the queue */
    size_t filled;
    char queue[RECORD_QUEUE];
};

/* 0 or a negative errno. */
int record_log_init(struct record_log *log, struct loop *loop,
                    struct segment_column *column, const struct config *config,
                    int fd, record_sent_fn *sent);

/* Lines from now on are written as this configuration says. */
void record_log_set(struct record_log *log, const struct config *config);

/* Sends what the monitor takes now. */
void record_log_flush(struct record_log *log);
/* Forgets the descriptor. Records that are still in the queue are counted as
   dropped. */
void record_log_fini(struct record_log *log);

/* Writes the line unless `most`, which stands for log.level, leaves it out.
   Records are counted as written, the lines of sessions that begin are not.
   False: the queue has no room for it now. */
bool record_write(struct record_log *log, const struct record *record,
                  enum log_level most);

/*
 * Another line than a record: record_begin, log_text and log_number, then
 * record_say, which leaves it out if log.level does. False: the queue has no
 * room for it now.
 */
void record_begin(const struct record_log *log, struct log_line *line,
                  const char *event, enum log_level level);
bool record_say(struct record_log *log, struct log_line *line);
/* The same for one that was asked for: written whatever log.level says. */
bool record_answer(struct record_log *log, struct log_line *line);

/*
 * One line of the record as it would be written, without a log: at most
 * `room` octets, newline included. Its length, or 0 if it does not fit.
 */
size_t record_format(const struct record *record, enum config_log_format format,
                     char *line, size_t room);

#endif
