/* How connections are made, or are not. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "play.h"

#define SOON 5000
#define RETRY_US 50000
#define CLOSED_US 700000
#define NOBODY_MS 400 /* a server that has not connected by then will not */
#define PORT_TRIES 200

static bool
meet_judge(struct play *play, const struct actor *actor, int error)
{
    if (error == -EBADMSG)
        return play_fail(play, "%s: TLS with the server fails: %.180s",
                         actor->name, actor->fault.text);
    return error == 0 || play_fail_errno(play, error, "%s", actor->name);
}

/* Connects to the server under test; identd knows of it before the request. */
static bool
verb_connects(struct play *play, struct actor *actor, const struct step *step)
{
    const struct setting *setting = play->setting;
    int error = actor_connect(actor, &setting->place.gateway, SOON);

    (void)step;
    play->called = false;
    play->connections++;
    if (error == 0 && setting->identd != NULL)
        identd_expect(setting->identd, actor->at.port, &play->identd);
    return meet_judge(play, actor, error);
}

/* "client connects-plain": to the very port, without TLS. */
static bool
verb_connects_plain(struct play *play, struct actor *actor,
                    const struct step *step)
{
    (void)step;
    play->called = false;
    play->connections++;
    return meet_judge(
        play, actor,
        actor_connect_plain(actor, &play->setting->place.gateway, SOON));
}

/* "server listens", "server listens full" */
static bool
verb_listens(struct play *play, struct actor *actor, const struct step *step)
{
    if (step->count > 2 && strcmp(step->words[2], "full") == 0)
        return meet_judge(play, actor, actor_listen_full(actor));
    return meet_judge(play, actor, actor_listen(actor, 0));
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
           meet_judge(play, actor, actor_listen(actor, other->at.port));
}

/* A port that nobody listens on, to be called from later. */
static bool
verb_holds(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    return meet_judge(play, actor, actor_hold(actor));
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
meet_call_once(struct actor *actor, const struct endpoint *to, unsigned wait)
{
    return actor->held >= 0 ? actor_connect_held(actor, to, wait)
                            : actor_connect(actor, to, wait);
}

/*
 * Where a BIND waits: as the reply says, 0 being the server's own address.
 * `lenient`: if nobody is there, at the address where it should be.
 */
static int
meet_call(struct play *play, struct actor *actor, bool lenient, unsigned wait)
{
    struct endpoint to = play->bound;

    if (addr_is_any(to.addr)) /* [V4-4.2-7] */
        to.addr = play->setting->place.gateway.addr;
    if (addr_is_v4(to.addr) != addr_is_v4(actor->at.addr))
        return -ENETUNREACH;
    int error = meet_call_once(actor, &to, wait);
    if (error == 0 || !lenient)
        return error;
    to.addr = play->setting->place.outside;
    return meet_call_once(actor, &to, wait);
}

/*
 * "server calls": where the BIND waits, from the port it holds if it holds
 * one. "exactly": nowhere but where the reply says.
 */
static bool
verb_calls(struct play *play, struct actor *actor, const struct step *step)
{
    bool lenient = step->count == 2;
    uint64_t end = actor_now() + 1500;
    int error = -EINVAL;

    play->called_late = 0;
    if (play_names_socks_port(play))
        return play_fail(play,
                         "there is nobody to call: port %u takes SOCKS "
                         "requests",
                         play->bound.port);
    while (play->bound.port != 0) {
        error = meet_call(play, actor, lenient, 1500);
        if (error == 0 || actor_now() >= end)
            break;
        play->called_late++;
        usleep(RETRY_US);
    }
    play->called = error == 0;
    return error == 0 || play_fail_errno(play, error, "%s calls port %u",
                                         actor->name, play->bound.port);
}

/* "server called-as-replied": from the address and the port that the reply to
   CONNECT has. */
static bool
verb_called_as_replied(struct play *play, struct actor *actor,
                       const struct step *step)
{
    char said[ENDPOINT_TEXT_MAX], came[ENDPOINT_TEXT_MAX];

    (void)step;
    return endpoint_equal(&actor->peer, &play->named) ||
           play_fail(play, "the reply says %s, and %s connects",
                     endpoint_format(&play->named, said),
                     endpoint_format(&actor->peer, came));
}

/* "server called-at-once": nobody was kept from calling by being too soon. */
static bool
verb_called_at_once(struct play *play, struct actor *actor,
                    const struct step *step)
{
    (void)actor, (void)step;
    return play->called_late == 0 ||
           play_fail(play, "the port did not listen at first");
}

/* "server call-refused": a moment later nobody listens there any more. A full
   queue is no refusal, nor is a reset behind it; and one call is all there is,
   for it may be what ends the listening. */
static bool
verb_call_refused(struct play *play, struct actor *actor,
                  const struct step *step)
{
    usleep(CLOSED_US);
    if (endpoint_equal(&play->bound, &actor->at)) /* a call from there to */
        verb_lets_go(play, actor, step);          /* there always succeeds */
    int error = meet_call(play, actor, false, 500);
    if (error == -ECONNREFUSED || error == -EHOSTUNREACH ||
        error == -ENETUNREACH)
        return true;
    if (error < 0 && error != -ETIMEDOUT)
        return play_fail_errno(play, error, "%s calls port %u", actor->name,
                               play->bound.port);
    return play_fail(play, "port %u is still served", play->bound.port);
}

const struct verb meet_verbs[] = {
    {"connects", verb_connects},
    {"connects-plain", verb_connects_plain},
    {"listens", verb_listens},
    {"listens-swapped", verb_listens_swapped},
    {"listens-as", verb_listens_as},
    {"holds", verb_holds},
    {"lets-go", verb_lets_go},
    {"accepts", verb_accepts},
    {"not-called", verb_not_called},
    {"calls", verb_calls},
    {"called-at-once", verb_called_at_once},
    {"call-refused", verb_call_refused},
    {"called-as-replied", verb_called_as_replied},
    {NULL, NULL},
};
