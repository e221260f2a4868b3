/* What is said over a connection that stands. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "play.h"

#define OCTETS_MAX ACTOR_ROOM
#define SOON 5000 /* what a server does at once is done by then */
#define DRIP_US 3000

static bool
verb_sends(struct play *play, struct actor *actor, const struct step *step)
{
    uint8_t octets[OCTETS_MAX];
    ssize_t len = play_octets(play, step, 2, octets, sizeof octets);

    if (len < 0)
        return false;
    int error = actor_send(actor, octets, (size_t)len);
    return error == 0 ||
           play_fail_errno(play, error, "%s cannot send", actor->name);
}

/* Octet by octet, each in a segment of its own. */
static bool
verb_drips(struct play *play, struct actor *actor, const struct step *step)
{
    uint8_t octets[OCTETS_MAX];
    ssize_t len = play_octets(play, step, 2, octets, sizeof octets);

    for (ssize_t i = 0; i < len; i++) {
        int error = actor_send(actor, &octets[i], 1);
        if (error < 0)
            return play_fail_errno(play, error, "%s cannot send octet %zd",
                                   actor->name, i);
        usleep(DRIP_US);
    }
    return len >= 0;
}

static bool
verb_finishes(struct play *play, struct actor *actor, const struct step *step)
{
    (void)play, (void)step;
    actor_finish(actor);
    return true;
}

static bool
verb_cuts(struct play *play, struct actor *actor, const struct step *step)
{
    (void)play, (void)step;
    actor_cut(actor);
    return true;
}

static bool
verb_closes(struct play *play, struct actor *actor, const struct step *step)
{
    (void)play, (void)step;
    actor_close(actor);
    return true;
}

static bool
verb_resets(struct play *play, struct actor *actor, const struct step *step)
{
    (void)play, (void)step;
    actor_reset(actor);
    return true;
}

/* "server unread 5000": so many octets have come, and stay where they are. */
static bool
verb_unread(struct play *play, struct actor *actor, const struct step *step)
{
    size_t count = (size_t)strtoull(step->words[2], NULL, 10);

    size_t there = actor_await_unread(actor, count, SOON);

    return there >= count ||
           play_fail(play, "%zu of %zu octets come to %s, which is %s", there,
                     count, actor->name,
                     actor_is_hung_up(actor) ? "disconnected"
                                             : "still connected");
}

static const char *const ending_words[] = {
    [ENDING_NONE] = "nothing: still open",
    [ENDING_FIN] = "an orderly end",
    [ENDING_RESET] = "a reset",
    [ENDING_CUT] = "an end without close_notify",
};

/* The end of the stream, with no octet before it. TLS has two aborts. */
static bool
talk_await_ending(struct play *play, struct actor *actor, enum ending wanted)
{
    size_t there = actor_await(actor, 1, SOON);

    if (there > 0)
        return play_fail(play, "%s gets 0x%02x where the stream must end",
                         actor->name, actor->octets[actor->looked]);
    if (actor->ending == wanted ||
        (wanted == ENDING_RESET && actor->ending == ENDING_CUT))
        return true;
    return play_fail(play, "%s gets %s", actor->name,
                     ending_words[actor->ending]);
}

static bool
talk_await_end(struct play *play, struct actor *actor)
{
    if (actor_await_end(actor, SOON))
        return true;
    return play_fail(play, "%s is still connected", actor->name);
}

/* The very octets, whatever may come behind them. */
static bool
talk_await_octets(struct play *play, struct actor *actor,
                  const struct step *step)
{
    uint8_t octets[OCTETS_MAX];
    ssize_t len = play_octets(play, step, 2, octets, sizeof octets);

    if (len < 0)
        return false;
    size_t there = actor_await(actor, (size_t)len, SOON);
    const uint8_t *at = actor->octets + actor->looked;
    for (size_t i = 0; i < there; i++)
        if (at[i] != octets[i])
            return play_fail(play, "%s gets 0x%02x as octet %zu, not 0x%02x",
                             actor->name, at[i], i, octets[i]);
    if (there < (size_t)len)
        return play_fail(play, "%s gets %zu of %zd octets, then %s",
                         actor->name, there, len, ending_words[actor->ending]);
    actor->looked += there;
    return true;
}

static bool
verb_gets(struct play *play, struct actor *actor, const struct step *step)
{
    const char *what = step->count > 2 ? step->words[2] : "";

    if (strcmp(what, "fin") == 0)
        return talk_await_ending(play, actor, ENDING_FIN);
    if (strcmp(what, "reset") == 0)
        return talk_await_ending(play, actor, ENDING_RESET);
    if (strcmp(what, "end") == 0)
        return talk_await_end(play, actor);
    return talk_await_octets(play, actor, step);
}

/* Nothing comes for so many ms: no octet, no end. */
static bool
verb_quiet(struct play *play, struct actor *actor, const struct step *step)
{
    unsigned ms = (unsigned)atoi(step->count > 2 ? step->words[2] : "500");

    if (actor_await(actor, 1, ms) > 0)
        return play_fail(play, "%s gets 0x%02x", actor->name,
                         actor->octets[actor->looked]);
    return actor->ending == ENDING_NONE ||
           play_fail(play, "%s is disconnected", actor->name);
}

/* Anything at all, before the wait for timers is over. */
static bool
verb_times_out(struct play *play, struct actor *actor, const struct step *step)
{
    unsigned wait = play->setting->wait_ms;

    (void)step;
    if (actor_await(actor, 1, wait) > 0 || actor->ending != ENDING_NONE)
        return true;
    return play_late(play, "nothing happened");
}

/* "client2 drips-beside client": what drips ends when what is silent does,
   give or take half the wait for timers. */
static bool
verb_drips_beside(struct play *play, struct actor *actor,
                  const struct step *step)
{
    struct actor *silent = play_actor(play, step->words[2]);
    uint64_t end = actor_now() + play->setting->wait_ms;
    uint64_t silent_end = 0;

    while (silent != NULL && actor->ending == ENDING_NONE) {
        uint64_t now = actor_now();
        actor_send(actor, (const uint8_t *)"u", 1);
        actor_read(actor, 200);
        if (silent_end == 0) {
            actor_read(silent, 0);
            if (silent->ending != ENDING_NONE || silent->len > 0)
                silent_end = now;
        }
        if (actor->len > 0)
            break;
        if (silent_end != 0 && now > silent_end + play->setting->wait_ms / 2)
            return play_fail(play, "each octet restarts the timer");
        if (silent_end == 0 && now > end)
            return play_late(play, "nothing happened");
    }
    return true;
}

const struct verb talk_verbs[] = {
    {"sends", verb_sends},
    {"drips", verb_drips},
    {"finishes", verb_finishes},
    {"cuts", verb_cuts},
    {"closes", verb_closes},
    {"resets", verb_resets},
    {"unread", verb_unread},
    {"gets", verb_gets},
    {"quiet", verb_quiet},
    {"times-out", verb_times_out},
    {"drips-beside", verb_drips_beside},
    {NULL, NULL},
};
