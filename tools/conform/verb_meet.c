/* How connections come about, or do not. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "play.h"

#define SOON 5000
#define RETRY_US 50000
#define NOBODY_MS 400 /* who has not called by then does not call */
#define PORT_TRIES 200

static bool
said(struct play *play, const struct actor *actor, int error)
{
    return error == 0 ||
           play_fail(play, "%s: %s", actor->name, strerror(-error));
}

/* To the server under test, and known to identd before a word is said. */
static bool
verb_connects(struct play *play, struct actor *actor, const struct step *step)
{
    const struct setting *setting = play->setting;
    int error = actor_connect(actor, &setting->place.gateway, SOON);

    (void)step;
    if (error == 0 && setting->identd != NULL)
        identd_expect(setting->identd, actor->at.port, &play->identd);
    return said(play, actor, error);
}

/* "server listens", "server listens full" */
static bool
verb_listens(struct play *play, struct actor *actor, const struct step *step)
{
    if (step->count > 2 && strcmp(step->words[2], "full") == 0)
        return said(play, actor, actor_listen_full(actor));
    return said(play, actor, actor_listen(actor, 0));
}

/* "mirror listens-swapped server": both listen, on ports that are each
   other's with the octets swapped. */
static bool
verb_listens_swapped(struct play *play, struct actor *actor,
                     const struct step *step)
{
    struct actor *other = play_actor(play, step->words[2]);

    for (unsigned i = 0; other != NULL && i < PORT_TRIES; i++) {
        int error = actor_listen(other, 0);
        uint16_t port = other->at.port;
        uint16_t swapped = (uint16_t)(port << 8 | port >> 8);
        if (error == 0 && swapped > 1024 && swapped != port &&
            actor_listen(actor, swapped) == 0)
            return true;
    }
    return play_fail(play, "no such pair of ports is free");
}

/* "raf listens-as far": on the port that the other has. */
static bool
verb_listens_as(struct play *play, struct actor *actor, const struct step *step)
{
    struct actor *other = play_actor(play, step->words[2]);

    return other != NULL &&
           said(play, actor, actor_listen(actor, other->at.port));
}

/* A port that nobody listens on, to be called from later. */
static bool
verb_holds(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    return said(play, actor, actor_hold(actor));
}

/* What it calls from next is any port. */
static bool
verb_lets_go(struct play *play, struct actor *actor, const struct step *step)
{
    (void)play, (void)step;
    if (actor->held >= 0)
        close(actor->held);
    actor->held = -1;
    return true;
}

static bool
verb_accepts(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    if (actor_accept(actor, SOON) == 0)
        return true;
    return play_fail(play, "no connection comes to %s", actor->name);
}

static bool
verb_not_called(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    if (actor_accept(actor, NOBODY_MS) < 0)
        return true;
    return play_fail(play, "a connection comes to %s", actor->name);
}

static int
call_once(struct actor *actor, const struct endpoint *to, unsigned wait)
{
    return actor->held >= 0 ? actor_connect_held(actor, to, wait)
                            : actor_connect(actor, to, wait);
}

/*
 * Where a BIND waits: as the reply says, 0 being the server's own address.
 * `lenient`: if nobody is there, at the address we know the server by.
 */
static int
call(struct play *play, struct actor *actor, bool lenient, unsigned wait)
{
    struct endpoint to = play->bound;

    if (addr_to_v4(to.addr) == 0) /* [V4-4.2-7] */
        to.addr = play->setting->place.gateway.addr;
    int error = call_once(actor, &to, wait);
    if (error == 0 || !lenient)
        return error;
    to.addr = play->setting->place.gateway.addr;
    return call_once(actor, &to, wait);
}

/*
 * "server calls": where the BIND waits, from the port it holds if it holds
 * one. "at-once": the first try counts; "exactly": nowhere but where the
 * reply says.
 */
static bool
verb_calls(struct play *play, struct actor *actor, const struct step *step)
{
    const char *how = step->count > 2 ? step->words[2] : "";
    bool lenient = strcmp(how, "exactly") != 0;
    uint64_t end = actor_now() + (strcmp(how, "at-once") == 0 ? 0 : 1500);
    int error = -EINVAL;

    for (;;) {
        if (play->bound.port != 0)
            error = call(play, actor, lenient, 1500);
        if (error == 0 || actor_now() >= end)
            break;
        usleep(RETRY_US);
    }
    return error == 0 || play_fail(play, "%s calls port %u: %s", actor->name,
                                   play->bound.port, strerror(-error));
}

/* "server call-refused": nobody listens there any more, two seconds from
   now at the latest. */
static bool
verb_call_refused(struct play *play, struct actor *actor,
                  const struct step *step)
{
    uint64_t end = actor_now() + 2000;
    int error;

    (void)step;
    do {
        error = call(play, actor, false, 500);
        if (error < 0)
            return true;
        if (actor_read(actor, 200) && actor->ending != ENDING_NONE)
            return true; /* taken from a queue, and dropped */
        actor_close(actor);
        usleep(RETRY_US);
    } while (actor_now() < end);
    return play_fail(play, "port %u is still served", play->bound.port);
}

const struct verb meet_verbs[] = {
    {"connects", verb_connects},
    {"listens", verb_listens},
    {"listens-swapped", verb_listens_swapped},
    {"listens-as", verb_listens_as},
    {"holds", verb_holds},
    {"lets-go", verb_lets_go},
    {"accepts", verb_accepts},
    {"not-called", verb_not_called},
    {"calls", verb_calls},
    {"call-refused", verb_call_refused},
    {NULL, NULL},
};
