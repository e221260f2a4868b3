#include "tests/scenario/step.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/scenario/form.h"

bool
step_time(struct play *play, const char *text, uint64_t *ms)
{
    return text_duration(text, ms) == 0 ||
           play_fail(play, "'%s' is no time", text);
}

bool
step_endpoint(struct play *play, const char *text, struct endpoint *endpoint)
{
    return endpoint_parse(text, endpoint) == 0 ||
           play_fail(play, "'%s' is no address and port", text);
}

bool
step_errno(struct play *play, const char *text, int *error)
{
    for (int i = 1; i < 134; i++) {
        const char *name = strerrorname_np(i);
        if (name == NULL || strcmp(name, text) != 0)
            continue;
        *error = i;
        return true;
    }
    return play_fail(play, "'%s' is no errno", text);
}

struct actor *
step_actor(struct play *play, const char *name)
{
    struct actor *actor = play_actor(play, name);

    if (actor == NULL)
        play_fail(play, "nobody is called '%s'", name);
    return actor;
}

/* 1: done; 0: failed; -1: another form. */
static int
try_step(struct play *play, const struct step *step, const char *text)
{
    char *args[FORM_ARGS_MAX] = {NULL};
    int result = -1;

    if (form_match(step->form, text, args))
        result = step->run(play, args);
    form_free(args);
    return result;
}

static int
try_steps(struct play *play, const struct step *steps, const char *text)
{
    int result = -1;

    for (; result < 0 && steps->form != NULL; steps++)
        result = try_step(play, steps, text);
    return result;
}

bool
step_run(struct play *play, const char *text)
{
    bool before = play->failed;
    int result = try_steps(play, gateway_steps, text);

    if (result < 0)
        result = try_steps(play, datagram_steps, text);
    if (result < 0)
        result = try_steps(play, actor_steps, text);
    if (result < 0)
        result = try_steps(play, monitor_steps, text);
    if (result < 0)
        result = try_steps(play, resolver_steps, text);
    if (result < 0)
        result = try_steps(play, authenticator_steps, text);
    if (result < 0)
        result = try_steps(play, reload_steps, text);
    if (result < 0)
        return play_fail(play, "not understood: %s", text);
    if (result == 0 && play->tolerant && !before) {
        play->failed = false; /* expected, with faults about */
        return false;
    }
    return result == 1;
}
