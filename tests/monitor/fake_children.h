#ifndef MONITOR_FAKE_CHILDREN_H
#define MONITOR_FAKE_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/role.h"
#include "gateway/segment.h"

/*
 * What stands around the monitor under test in place of the system: children
 * that are none (they answer on their channels, and die when they are told
 * to), the clock, the signals, what wait(2) and exec(2) say. Everything else
 * is real: the loop, the channels, files, sockets.
 */
struct fake_child {
    pid_t pid;
    int role;        /* its row in roles[] */
    unsigned number; /* of a worker: its slot */
    bool alive;
    bool killed;   /* by the monitor */
    bool ready;    /* it has said so */
    bool silent;   /* it reads nothing, and so answers nothing */
    bool busy;     /* it reads a configuration, and does not take it */
    bool draining; /* it was told to drain */
    bool stopping; /* it was told to end at once */
    bool dies_meanwhile; /* while another binary is executed */
    int status;    /* for wait(2) */
    int control, stderr_fd, lines, config;
    struct segment *segment; /* a worker's view of it */
    unsigned links;          /* to another process, that it was given */
    unsigned keys, users;    /* that it was given */
    uint32_t offered, taken; /* configurations, by number; 0: none yet */
};

/* The newest living one; NULL: there is none. */
struct fake_child *fake_child_find(int role, unsigned number);
/* How many live; of all numbers. */
unsigned fake_child_count(int role);

void fake_child_say_ready(struct fake_child *child);
/* Takes what it was offered, if it was busy. */
void fake_child_take(struct fake_child *child);
/* `status` as of wait(2). */
void fake_child_die(struct fake_child *child, int status);
/* A worker's word about itself in the segment. */
void fake_child_hold(struct fake_child *child, unsigned sessions);

/* Each does what it has to; whether anybody had. */
bool fake_children_turn(void);

/* The gauge of live sessions, over all workers. */
uint64_t fake_children_live(void);

/* The monitor gets that signal. */
void fake_signal(int number);

/* Everything that was given to the log writer and written. */
const char *fake_log(void);

/* Milliseconds pass: in the monitor's loop, timer by timer. */
void fake_pass(uint64_t ms);
/* The same at once, as for a process that was stopped. */
void fake_jump(uint64_t ms);

/* The next exec fails with that errno, if it is positive. Whether there was
   an exec that did not fail. */
void fake_refuse_exec(int error);

/* As a kernel whose landlock knows files only. */
void fake_bound_no_ports(void);

/* So many of the next watches cannot be registered. */
void household_refuse_watches(unsigned count);

/* The player's: nothing else happens any more. */
void player_next(void);
/* The monitor executes another binary: it is no more. */
_Noreturn void player_executed(void);
_Noreturn void player_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
