#ifndef SCENARIO_STEP_H
#define SCENARIO_STEP_H

#include "tests/scenario/play.h"

/*
 * A statement's form and what it does. In the form %w stands for one word
 * and %r for the rest of the line; the function is given them in order.
 * It says what went wrong by play_fail, whose answer it returns.
 */
struct step {
    const char *form;
    bool (*run)(struct play *play, char *const args[]);
};

extern const struct step actor_steps[];         /* ends with a form of NULL */
extern const struct step gateway_steps[];       /* so does this */
extern const struct step monitor_steps[];       /* and this */
extern const struct step resolver_steps[];      /* and this */
extern const struct step authenticator_steps[]; /* and this */
extern const struct step datagram_steps[];      /* and this */
extern const struct step reload_steps[];        /* and this */

/* "500ms", "10s"; fails the play where it is no time. */
bool step_time(struct play *play, const char *text, uint64_t *ms);
bool step_endpoint(struct play *play, const char *text,
                   struct endpoint *endpoint);
/* "ECONNREFUSED"; a positive errno. */
bool step_errno(struct play *play, const char *text, int *error);
/* NULL and a failure where there is none of that name. */
struct actor *step_actor(struct play *play, const char *name);

#endif
