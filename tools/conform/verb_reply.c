/* Replies. Only the step that is about a part of one is strict about it, so
   that one defect of a server is one case's failure. */

#include <stdlib.h>
#include <string.h>

#include "play.h"
#include "tools/route/v5_address.h"

#define ANSWER_MS 8000 /* the shortest wait for any answer */
#define CALLED_MS 3000 /* for the second reply, after the peer's connect */
#define REPLY_SIZE 8

/* How long a reply of version 5 is, as far as its first `len` octets tell. */
static size_t
reply_size_of_5(const uint8_t *octets, size_t len)
{
    if (len < 5)
        return 5;
    switch (octets[3]) {
    case SOCKS4_V5_NAME:
        return 7u + octets[4];
    case SOCKS4_V5_IPV6:
        return 22;
    default:
        return 10;
    }
}

static size_t
reply_size(const struct play *play, const uint8_t *octets, size_t len)
{
    return play->setting->socks5 ? reply_size_of_5(octets, len) : REPLY_SIZE;
}

/* As many octets of it as come; they are not looked at yet. */
static size_t
reply_receive(const struct play *play, struct actor *actor, unsigned wait)
{
    const uint8_t *octets = actor->octets + actor->looked;
    uint64_t end = actor_now() + wait;
    size_t wanted = reply_size(play, octets, 0), there = 0, before;

    do {
        uint64_t now = actor_now();
        before = wanted;
        there =
            actor_await(actor, wanted, now < end ? (unsigned)(end - now) : 0);
        wanted = reply_size(play, octets, there);
    } while (there == before && wanted > there);
    return there;
}

static void
reply_read_address(struct play *play, struct endpoint *at)
{
    uint8_t reply[SOCKS4_V5_REPLY_MAX];
    struct socks4_v5_reply seen;

    memcpy(reply, play->reply, sizeof reply);
    if (!play->setting->socks5) {
        at->port = (uint16_t)(reply[2] << 8 | reply[3]);
        at->addr = addr_v4((uint32_t)reply[4] << 24 | (uint32_t)reply[5] << 16 |
                           (uint32_t)reply[6] << 8 | reply[7]);
        return;
    }
    reply[0] = SOCKS4_V5_VERSION; /* another one has a step of its own */
    if (socks4_v5_reply_decode(reply, play->reply_len, &seen) <= 0)
        return;
    at->port = seen.address.port;
    at->addr = v5_address_addr(&seen.address);
}

/* Whether all of the last reply is there. */
static bool
reply_is_whole(const struct play *play)
{
    return play->reply_len > 0 &&
           play->reply_len == reply_size(play, play->reply, play->reply_len);
}

/* Any reply, or the end of the stream in its place. */
static bool
reply_await_within(struct play *play, struct actor *actor, unsigned wait)
{
    play->reply_len = reply_receive(play, actor, wait);
    memcpy(play->reply, actor->octets + actor->looked, play->reply_len);
    actor->looked += play->reply_len;
    play->answered = play->reply_len > 0 || actor->ending != ENDING_NONE;
    if (!play->answered)
        return play_late(play, "no answer");
    if (reply_is_whole(play))
        reply_read_address(play, &play->named);
    if (reply_is_whole(play) && !play->called)
        play->bound = play->named;
    return true;
}

static bool
reply_await(struct play *play, struct actor *actor)
{
    unsigned wait = play->setting->wait_ms;

    if (play->called)
        wait = CALLED_MS;
    else if (!play->what->slow && wait < ANSWER_MS)
        wait = ANSWER_MS;
    return reply_await_within(play, actor, wait);
}

static unsigned
reply_ms_word(const struct step *step)
{
    return (unsigned)atoi(step->count > 2 ? step->words[2] : "1000");
}

/* "client answered": there is a reply, whatever it says. */
static bool
verb_answered(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    if (!reply_await(play, actor))
        return false;
    if (play->reply_len == 0)
        return play_fail(play, "the connection ends without a reply");
    return true;
}

static bool
verb_granted(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    if (!reply_await(play, actor))
        return false;
    if (play_code(play) == play_grant_code(play))
        return true;
    if (play->reply_len == 0)
        return play_fail(play, "not granted: the connection ends");
    return play_fail(play, "not granted: code %d", play_code(play));
}

/* "client served": no answer of version 5 says that the server lacks the
   command or the type of address. */
static bool
verb_served(struct play *play, struct actor *actor, const struct step *step)
{
    (void)actor, (void)step;
    if (play_code(play) == SOCKS4_V5_NO_COMMAND)
        return play_fail(play, "not served: code 7, no such command");
    return play_code(play) != SOCKS4_V5_NO_TYPE ||
           play_fail(play, "not served: code 8, no such type of address");
}

static bool
reply_is_refused(struct play *play)
{
    return play_code(play) != play_grant_code(play) ||
           play_fail(play, "granted");
}

/* Refused, in whatever words, or with none. */
static bool
verb_refused(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    if (!reply_await(play, actor))
        return false;
    return reply_is_refused(play);
}

/* The same of the reply that has been read. */
static bool
verb_refused_so_far(struct play *play, struct actor *actor,
                    const struct step *step)
{
    (void)actor, (void)step;
    return reply_is_refused(play);
}

static bool
verb_granted_so_far(struct play *play, struct actor *actor,
                    const struct step *step)
{
    (void)actor, (void)step;
    return play_code(play) == play_grant_code(play) ||
           play_fail(play, "not granted: code %d", play_code(play));
}

static bool
verb_answered_within(struct play *play, struct actor *actor,
                     const struct step *step)
{
    return reply_await_within(play, actor, reply_ms_word(step));
}

static bool
verb_refused_within(struct play *play, struct actor *actor,
                    const struct step *step)
{
    return reply_await_within(play, actor, reply_ms_word(step)) &&
           reply_is_refused(play);
}

/* A refusal, or nothing at all, is what may come. */
static bool
verb_not_granted_within(struct play *play, struct actor *actor,
                        const struct step *step)
{
    size_t there = actor_await(actor, REPLY_SIZE, reply_ms_word(step));

    return there < 2 ||
           actor->octets[actor->looked + 1] != play_grant_code(play) ||
           play_fail(play, "granted");
}

/* Behind a reply that is all there is. */
static bool
verb_nothing_more(struct play *play, struct actor *actor,
                  const struct step *step)
{
    (void)step;
    if (actor_await(actor, 1, 1500) == 0)
        return true;
    return play_fail(play, "0x%02x comes behind the reply",
                     actor->octets[actor->looked]);
}

static bool
verb_not_reset(struct play *play, struct actor *actor, const struct step *step)
{
    (void)step;
    actor_await_end(actor, 2000);
    return actor->ending != ENDING_RESET ||
           play_fail(play, "a reset follows the reply");
}

/* "client code 91 92": one of these. */
static bool
verb_code(struct play *play, struct actor *actor, const struct step *step)
{
    (void)actor;
    for (unsigned i = 2; i < step->count; i++)
        if (play_code(play) == atoi(step->words[i]))
            return true;
    if (play_code(play) < 0)
        return play_fail(play, "no code at all");
    return play_fail(play, "code %d", play_code(play));
}

static bool
verb_version(struct play *play, struct actor *actor, const struct step *step)
{
    (void)actor;
    if (play->reply_len == 0)
        return play_fail(play, "no reply");
    return play->reply[0] == atoi(step->words[2]) ||
           play_fail(play, "VN is %u", play->reply[0]);
}

/* "client whole": all eight octets, or what version 5 has for its address. */
static bool
verb_whole(struct play *play, struct actor *actor, const struct step *step)
{
    (void)actor, (void)step;
    return reply_is_whole(play) ||
           play_fail(play, "%zu octets", play->reply_len);
}

/* "client reserved 0": RSV of a reply of version 5. */
static bool
verb_reserved(struct play *play, struct actor *actor, const struct step *step)
{
    (void)actor;
    if (play->reply_len < 3)
        return play_fail(play, "no RSV");
    return play->reply[2] == atoi(step->words[2]) ||
           play_fail(play, "RSV is %u", play->reply[2]);
}

/* "client names server": the address and the port of the reply are those that
   this actor has, which has connected. */
static bool
verb_names(struct play *play, struct actor *actor, const struct step *step)
{
    const struct actor *other = play_actor(play, step->words[2]);
    char said[ENDPOINT_TEXT_MAX], is[ENDPOINT_TEXT_MAX];

    (void)actor;
    return endpoint_equal(&play->named, &other->at) ||
           play_fail(play, "the reply says %s, not %s",
                     endpoint_format(&play->named, said),
                     endpoint_format(&other->at, is));
}

/* "client port-given": DSTPORT is not 0. */
static bool
verb_port_given(struct play *play, struct actor *actor, const struct step *step)
{
    (void)actor, (void)step;
    return play->bound.port != 0 || play_fail(play, "DSTPORT is 0");
}

/* "client not-socks-port": the reply to a BIND names a listener of its own.
   Whoever calls the SOCKS port is connected too, and to nobody. */
static bool
verb_not_socks_port(struct play *play, struct actor *actor,
                    const struct step *step)
{
    (void)actor, (void)step;
    return !play_names_socks_port(play) ||
           play_fail(play,
                     "DSTPORT is %u: the port that the server takes "
                     "SOCKS requests at",
                     play->bound.port);
}

/* DSTIP may be 0, or the server's own; it is nobody else's. */
static bool
verb_address_given(struct play *play, struct actor *actor,
                   const struct step *step)
{
    const struct place *place = &play->setting->place;
    struct addr addr = play->bound.addr;
    char text[ADDR_TEXT_MAX];

    (void)actor, (void)step;
    if (addr_equal(addr, place->gateway.addr))
        return true;
    for (unsigned i = 0; i < ACTOR_COUNT; i++) {
        const struct actor *other = &play->actors[i];
        if (other->role == ROLE_NAMED ||
            !addr_equal(addr, place->addr[other->role]))
            continue;
        addr_format(addr, text);
        play->unable =
            !place->namespaces && actor_port_is_taken(other, play->bound.port);
        if (play->unable)
            return play_fail(play,
                             "the server listens on %s, which only on "
                             "this one host is its own: --namespaces",
                             text);
        return play_fail(play, "DSTIP is %s, the address of another host",
                         text);
    }
    return true;
}

const struct verb reply_verbs[] = {
    {"answered", verb_answered},
    {"granted", verb_granted},
    {"refused", verb_refused},
    {"served", verb_served},
    {"reserved", verb_reserved},
    {"names", verb_names},
    {"granted-so-far", verb_granted_so_far},
    {"refused-so-far", verb_refused_so_far},
    {"answered-within", verb_answered_within},
    {"refused-within", verb_refused_within},
    {"not-granted-within", verb_not_granted_within},
    {"nothing-more", verb_nothing_more},
    {"not-reset", verb_not_reset},
    {"code", verb_code},
    {"version", verb_version},
    {"whole", verb_whole},
    {"port-given", verb_port_given},
    {"not-socks-port", verb_not_socks_port},
    {"address-given", verb_address_given},
    {NULL, NULL},
};
