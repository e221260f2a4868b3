/* What clients and application servers do, and what they see. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/step.h"
#include "tests/scenario/toy_tls.h"

/* --- Coming --- */

/* Whether SOCKS4 is spoken there: not where a BIND waits for its peer. */
static bool
is_gateway(const struct play *play, const struct endpoint *to)
{
    for (size_t i = 0; i < play->config->listener_count; i++)
        if (play->config->listeners[i].at.port == to->port)
            return true;
    return false;
}

static bool
connect_client(struct play *play, const char *name, const char *from,
               const struct endpoint *to)
{
    struct endpoint at;
    struct actor *actor;

    if (!step_endpoint(play, from, &at))
        return false;
    actor = play_add_actor(play, name, is_gateway(play, to));
    actor->sock = sim_connect(&at, to);
    return actor->sock != NULL || play_fail(play, "nobody listens there");
}

static bool
connects(struct play *play, char *const args[])
{
    return connect_client(play, args[0], args[1],
                          &play->config->listeners[0].at);
}

/* Octets that are a PROXY header, or a part of one: of a TLS client's they are
   in front of its records. */
static bool
begins_with(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);

    if (actor == NULL)
        return false;
    struct octets *to = actor->tls ? &actor->out : &actor->sent;
    if (actor->sent.len > actor->head ||
        (actor->tls && to->len > actor->out_whole))
        return play_fail(play, "it has sent more than a header already");
    if (!octets_parse(to, args[1]))
        return play_fail(play, "not octets: %s", args[1]);
    if (actor->tls)
        actor->out_whole = to->len;
    else
        actor->head = to->len;
    if (!play->mode->racy)
        actor_move(actor, play->mode->split);
    return true;
}

/* Octets of what a TLS client wants to be known of it. */
static bool
connects_with_tls(struct play *play, char *const args[])
{
    if (!connects(play, args))
        return false;
    struct actor *actor = play_actor(play, args[0]);
    const char *words = args[2] != NULL ? args[2] : "hello";
    actor->tls = true;
    octets_add(&actor->hello, words, strlen(words));
    actor_move(actor, play->mode->split);
    return true;
}

static bool
connects_with_words_behind(struct play *play, char *const args[])
{
    if (!connects(play, args))
        return false;
    struct actor *actor = play_actor(play, args[0]);
    actor->tls = true;
    if (!begins_with(play, (char *[]){args[0], args[3]}))
        return false;
    octets_add(&actor->hello, args[2], strlen(args[2]));
    actor_move(actor, play->mode->split);
    return true;
}

static bool
connects_with_tls_behind(struct play *play, char *const args[])
{
    return connects_with_words_behind(
        play, (char *[]){args[0], args[1], "hello", args[2]});
}

static bool
connects_with_plain_tls(struct play *play, char *const args[])
{
    return connects_with_tls(play, (char *[]){args[0], args[1], NULL});
}

static bool
connects_to(struct play *play, char *const args[])
{
    struct endpoint to;
    return step_endpoint(play, args[2], &to) &&
           connect_client(play, args[0], args[1], &to);
}

static bool
cannot_connect(struct play *play, char *const args[])
{
    struct endpoint at = play->config->listeners[0].at;

    (void)args;
    return !sim_listening(&at) || play_fail(play, "somebody listens");
}

/* Nobody listens there, or only for others. */
static bool
cannot_connect_to(struct play *play, char *const args[])
{
    struct endpoint from, to;
    struct sim_sock *sock;

    if (!step_endpoint(play, args[0], &from) ||
        !step_endpoint(play, args[1], &to))
        return false;
    sock = sim_connect(&from, &to);
    if (sock == NULL)
        return true;
    sim_sock_close(sock);
    return play_fail(play, "it could");
}

/* --- Doing --- */

static struct actor *
connected(struct play *play, const char *name)
{
    struct actor *actor = step_actor(play, name);

    if (actor != NULL && actor->sock == NULL) {
        play_fail(play, "%s has no connection", name);
        return NULL;
    }
    return actor;
}

static bool
sends(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    if (!octets_parse(&actor->sent, args[1]))
        return play_fail(play, "not octets: %s", args[1]);
    if (!play->mode->racy)
        actor_move(actor, play->mode->split);
    return true;
}

static bool
sends_urgent(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    if (actor->urgent_at != ACTOR_NOT_URGENT &&
        actor->pushed <= actor->urgent_at)
        play_settle(play); /* it can remember one only */
    actor->urgent_at = actor->sent.len;
    return sends(play, args) || play_fail(play, "not octets");
}

static bool
ends(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor->ends = true;
    if (!play->mode->racy)
        actor_move(actor, play->mode->split);
    return true;
}

/* A FIN without the end that TLS has for it. */
static bool
is_cut(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor->cuts = true;
    return ends(play, args);
}

/* What it sends are records already, and what it receives is read as such. */
static bool
speaks_tls(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor->tls = actor->tidy = actor->greeted = true;
    actor->wrapped = actor->sent.len;
    return true;
}

/* One record of the toy's that is no data. */
static bool
sends_record(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor_move(actor, play->mode->split); /* what was sent is in records */
    toy_put(&actor->out, (enum toy_type)args[1][0], "", 0);
    actor_move(actor, play->mode->split);
    return true;
}

static bool
signs(struct play *play, char *const args[])
{
    (void)args;
    return toy_tls_sign() || play_fail(play, "no handshake waits");
}

static bool
closes(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor->closes = true;
    actor_move(actor, play->mode->split);
    return true;
}

static bool
ends_with_reset(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor->breaks = true;
    actor_move(actor, play->mode->split);
    return true;
}

static bool
resets(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor_reset(actor);
    return true;
}

static bool
restarts(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor_restart(actor);
    return true;
}

static bool
stops_reading(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor->stalled = true;
    return true;
}

static bool
reads_on(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor->stalled = false;
    return true;
}

static bool
reads_a_little(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);

    if (actor == NULL)
        return false;
    actor_read_a_little(actor);
    return true;
}

/* The network tells the gateway that it lost the way to this actor. */
static bool
is_lost(struct play *play, char *const args[])
{
    struct actor *actor = connected(play, args[0]);
    int error;

    if (actor == NULL || !step_errno(play, args[1], &error))
        return false;
    actor_lose(actor, error);
    return true;
}

/* --- Seeing --- */

static bool
expect_octets(struct play *play, struct actor *actor, const struct octets *want)
{
    const uint8_t *got = octets_from(&actor->received, actor->seen);
    size_t there = actor->received.len - actor->seen;
    char wanted[96], had[96];
    size_t same = 0;

    while (same < want->len && same < there && want->at[same] == got[same])
        same++;
    if (same == want->len) {
        actor->seen += want->len;
        return true;
    }
    octets_show(want->at, want->len, wanted, sizeof(wanted));
    octets_show(got, there, had, sizeof(had));
    return play_fail(play,
                     "%s should have received %s but has %s%s (equal "
                     "up to octet %zu)",
                     actor->name, wanted, had,
                     actor->saw_reset ? " and a reset"
                     : actor->saw_end ? " and an end"
                                      : "",
                     same);
}

static bool
receives(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);
    struct octets want = {NULL, 0, 0};
    bool good;

    if (actor == NULL)
        return false;
    good = octets_parse(&want, args[1]) ||
           play_fail(play, "not octets: %s", args[1]);
    good = good && expect_octets(play, actor, &want);
    octets_free(&want);
    return good;
}

/* A reply 90 with the gateway's own end of the server's connection. */
static bool
receives_grant(struct play *play, char *const args[], const char *kind)
{
    struct actor *actor = step_actor(play, args[0]);
    struct endpoint local;
    char text[ENDPOINT_TEXT_MAX], reply[80];
    char *reply_args[] = {args[0], reply};

    if (actor == NULL)
        return false;
    if (actor->partner == NULL || actor->partner->sock == NULL)
        return play_fail(play, "no server has accepted for %s", args[0]);
    local = sim_sock_peer(actor->partner->sock);
    snprintf(reply, sizeof(reply), "%s %s", kind,
             endpoint_format(&local, text));
    return receives(play, reply_args);
}

static bool
receives_granted(struct play *play, char *const args[])
{
    return receives_grant(play, args, "REPLY 90");
}

static bool
receives_granted_5(struct play *play, char *const args[])
{
    return receives_grant(play, args, "REPLY5 0");
}

/* A reply with that code and whatever address. */
static bool
receives_reply(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);
    const uint8_t *reply;

    if (actor == NULL)
        return false;
    reply = octets_from(&actor->received, actor->seen);
    if (actor->received.len < actor->seen + 8)
        return play_fail(play, "%s has no reply", args[0]);
    actor->seen += 8;
    return (reply[0] == 0 && reply[1] == atoi(args[1])) ||
           play_fail(play, "%s received VN %u, CD %u", args[0], reply[0],
                     reply[1]);
}

/* The PROXY header of the gateway's, in front of what its client sends. */
static bool
receives_header(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);
    size_t before = actor != NULL ? actor->seen : 0;

    if (actor == NULL || !receives(play, args))
        return false;
    actor->met_head = actor->seen - before;
    return true;
}

static bool
receives_nothing(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);
    char had[96];

    if (actor == NULL)
        return false;
    if (actor->received.len == actor->seen)
        return true;
    octets_show(octets_from(&actor->received, actor->seen),
                actor->received.len - actor->seen, had, sizeof(had));
    return play_fail(play, "%s has received %s", args[0], had);
}

static bool
receives_urgent(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);
    size_t at;

    if (actor == NULL)
        return false;
    at = actor->seen;
    if (!receives(play, args))
        return false;
    return actor->urgent_seen == at ||
           play_fail(play, "what %s received there was not urgent", args[0]);
}

static bool
sees(struct play *play, const char *name, bool end, bool reset)
{
    struct actor *actor = step_actor(play, name);
    const char *saw;

    if (actor == NULL)
        return false;
    if (actor->saw_reset ? reset : actor->saw_end ? end : !end && !reset)
        return !(end || reset) ||
               receives_nothing(play, (char *[]){actor->name});
    saw = actor->saw_reset ? "a reset"
          : actor->saw_end ? "an end"
                           : "a connection that stands";
    return play_fail(play, "%s sees %s", name, saw);
}

static bool
sees_cut(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);

    if (actor == NULL)
        return false;
    return actor->saw_cut || play_fail(play, "%s saw no such end", args[0]);
}

static bool
sees_end(struct play *play, char *const args[])
{
    return sees(play, args[0], true, false);
}

static bool
sees_reset(struct play *play, char *const args[])
{
    return sees(play, args[0], false, true);
}

static bool
sees_either(struct play *play, char *const args[])
{
    return sees(play, args[0], true, true);
}

static bool
sees_neither(struct play *play, char *const args[])
{
    return sees(play, args[0], false, false);
}

static bool
has_sent_all(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);

    if (actor == NULL)
        return false;
    return !actor_waits(actor) ||
           play_fail(play, "%s could send %zu octets only", args[0],
                     actor->pushed);
}

static bool
is_held_up(struct play *play, char *const args[])
{
    struct actor *actor = step_actor(play, args[0]);

    if (actor == NULL)
        return false;
    return actor_waits(actor) ||
           play_fail(play, "all %zu octets were taken", actor->pushed);
}

const struct step actor_steps[] = {
    {"%w connects from %w", connects},
    {"%w begins with %r", begins_with},
    {"%w connects from %w with TLS behind %r", connects_with_tls_behind},
    {"%w connects from %w with TLS and %w behind %r",
     connects_with_words_behind},
    {"%w connects from %w with TLS", connects_with_plain_tls},
    {"%w connects from %w with TLS and %w", connects_with_tls},
    {"%w sends the record %w", sends_record},
    {"%w will be read as TLS", speaks_tls},
    {"%w is cut off", is_cut},
    {"%w sees the connection cut", sees_cut},
    {"signer signs", signs},
    {"%w connects from %w to %w", connects_to},
    {"nobody can connect", cannot_connect},
    {"%w cannot connect to %w", cannot_connect_to},
    {"%w sends urgent %r", sends_urgent},
    {"%w sends %r", sends},
    {"%w finishes sending", ends},
    {"%w closes", closes},
    {"%w ends with a reset", ends_with_reset},
    {"%w resets", resets},
    {"%w restarts", restarts},
    {"%w stops reading", stops_reading},
    {"%w reads on", reads_on},
    {"%w reads a little", reads_a_little},
    {"%w is lost with %w", is_lost},
    {"%w receives granted", receives_granted},
    {"%w receives granted in 5", receives_granted_5},
    {"%w receives a reply %w", receives_reply},
    {"%w receives nothing", receives_nothing},
    {"%w receives urgent %r", receives_urgent},
    {"%w receives the header %r", receives_header},
    {"%w receives %r", receives},
    {"%w sees end", sees_end},
    {"%w sees reset", sees_reset},
    {"%w sees end or reset", sees_either},
    {"%w is still connected", sees_neither},
    {"%w has sent all", has_sent_all},
    {"%w is held up", is_held_up},
    {NULL, NULL},
};
