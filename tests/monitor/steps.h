#ifndef MONITOR_STEPS_H
#define MONITOR_STEPS_H

/* What a statement does; it fails by player_fail. */
struct monitor_step {
    const char *form; /* see tests/scenario/form.h */
    void (*run)(char *const args[]);
};

extern const struct monitor_step steps[]; /* ends with a form of NULL */

/* The file that the monitor reads; `lines` are separated by `|'. */
void steps_write_file(const char *lines);
/* The users file beside it. */
void steps_write_users(const char *text);
extern const char *steps_file; /* its path, and the log's */
extern const char *steps_log;

#endif
