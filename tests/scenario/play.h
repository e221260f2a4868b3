#ifndef SCENARIO_PLAY_H
#define SCENARIO_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/worker/worker.h"
#include "tests/scenario/actor.h"
#include "tests/scenario/script.h"

/*
 * One performance of a scenario: a worker on a simulated kernel, the actors
 * around it, and what went wrong.
 */

/* How a scenario is played: the same script, a harder kernel. */
struct play_mode {
    const char *name;
    bool split;         /* every send in single octets */
    bool racy;          /* octets move between its system calls, too */
    unsigned times;     /* plays, each with another seed; 0: one */
    bool one_octet;     /* every read and write of the gateway, too */
    unsigned flaky;     /* one call in so many says EAGAIN */
    size_t room;        /* buffers of connections; 0: as usual */
    const char *splice; /* relay.splice, NULL: as configured */
    bool pipes_refused;
    bool version_5; /* `is relayed' asks in it */
};

struct play {
    const struct script *script;
    const struct script_scenario *scenario;
    const struct play_mode *mode;
    uint64_t seed;
    bool faulty;   /* faults were about: what the log is sent may be lost */
    bool tolerant; /* they are: only the laws count */
    bool spoilt;   /* a call failed that would not have: a leg may have lost
                      what it had received */
    bool loud;

    struct config *lent; /* to be played on; NULL: the scenario's text */

    struct segment *segment;
    struct config *config;
    struct config *former[8]; /* references, until the end */
    size_t former_count;
    struct worker worker;
    bool working; /* worker is to be finished */
    bool stopped; /* drained or stopped by the script */
    struct actor *actors;
    char *records[4096]; /* owned; lines */
    size_t record_count, record_next;
    char *messages[256]; /* owned; the lines that are no records */
    size_t message_count;
    size_t start_next; /* where the next line of a session that begins may be */
    uint64_t most_turns; /* of the loop, between two rests */
    uint64_t start_us;

    unsigned line; /* of the script, for messages */
    bool failed;
    char failure[512];
};

/* Plays it all, laws included. False: play->failure says what happened. */
bool play_run(struct play *play);

/* Gives its parents their passwords: of a file its name. */
void play_take_passwords(struct play *play, struct config *config);

/* Gives its names their numbers in the segment. */
void play_publish(struct play *play, const struct config *config);

/* The pieces of that, for runs with faults. */
bool play_open(struct play *play);
bool play_script(struct play *play);
bool play_probe(struct play *play);
void play_close(struct play *play);

/* Runs the gateway and the actors until nobody has anything to do. */
void play_settle(struct play *play);
/* The same while time passes, from timer to timer. */
void play_advance(struct play *play, uint64_t ms);

/* Notes a failure; the first one counts. Always false. */
bool play_fail(struct play *play, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct actor *play_actor(struct play *play, const char *name);
struct actor *play_add_actor(struct play *play, const char *name, bool client);

/* Takes what the worker has written meanwhile into play->records. */
void play_collect_records(struct play *play);

/* How often the log says that a limit was met; NULL: any that ends
   something. */
uint64_t play_complaints(struct play *play, const char *limit);

/* How many refusals have no record, as the log says. */
uint64_t play_suppressed(struct play *play);

/* The value of a key in a record's line, into `value`. */
bool record_value(const char *line, const char *key, char *value, size_t room);

/* One statement. */
bool step_run(struct play *play, const char *text);

/* Another configuration, as the monitor would bring it, in a play in which
   anything may fail: one that is not taken leaves the one before in force. */
void reload_try(struct play *play, const char *text);
/* Gives back what the reloads of a play have left. */
void reload_forget(struct play *play);

/* What holds after every scenario. */
bool law_check(struct play *play);
/* At every rest: what the gateway holds of a direction is bounded. */
bool law_held(struct play *play);
/* At every rest: a session that relays has given back what only its setup
   needs. */
bool law_setup(struct play *play);
/* No descriptor, session or timer of the worker's is left. */
bool law_nothing_open(struct play *play);

#endif
