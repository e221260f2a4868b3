/* Datagrams: through the association of the last reply, and its ends. */

#include <stdlib.h>
#include <string.h>

#include "play.h"

#define SOON 5000
#define ENDS_MS 10000
#define LOST_MS 400 /* a relay that has not passed it on by then will not */
#define DATAGRAM_MAX 2048

/* Where the server takes datagrams: as the reply says. */
static struct endpoint
udp_relay(const struct play *play)
{
    struct endpoint to = play->bound;

    if (addr_is_any(to.addr))
        to.addr = play->setting->place.gateway.addr;
    return to;
}

static bool
verb_udp_opens(struct play *play, struct actor *actor, const struct step *step)
{
    int error = actor_open_datagrams(actor);

    (void)step;
    return error == 0 || play_fail_errno(play, error, "%s", actor->name);
}

static bool
udp_send(struct play *play, struct actor *actor, const struct endpoint *to,
         const struct step *step, unsigned from)
{
    uint8_t octets[DATAGRAM_MAX];
    ssize_t len = play_octets(play, step, from, octets, sizeof octets);

    if (len < 0)
        return false;
    int error = actor_send_datagram(actor, to, octets, (size_t)len);
    return error == 0 ||
           play_fail_errno(play, error, "%s cannot send", actor->name);
}

/* "client udp-sends OCTETS": to the relay. */
static bool
verb_udp_sends(struct play *play, struct actor *actor, const struct step *step)
{
    struct endpoint to = udp_relay(play);

    return udp_send(play, actor, &to, step, 2);
}

/* "server2 udp-answers server OCTETS": to where that actor's last datagram came
   from. */
static bool
verb_udp_answers(struct play *play, struct actor *actor,
                 const struct step *step)
{
    const struct actor *asked = play_actor(play, step->words[2]);

    return udp_send(play, actor, &asked->peer, step, 3);
}

/* "server udp-gets OCTETS": the next datagram is these. */
static bool
verb_udp_gets(struct play *play, struct actor *actor, const struct step *step)
{
    uint8_t wanted[DATAGRAM_MAX], octets[DATAGRAM_MAX];
    ssize_t len = play_octets(play, step, 2, wanted, sizeof wanted);

    if (len < 0)
        return false;
    ssize_t there = actor_receive_datagram(actor, octets, sizeof octets, SOON);
    if (there < 0)
        return play_fail(play, "no datagram comes to %s", actor->name);
    for (ssize_t i = 0; i < there && i < len; i++)
        if (octets[i] != wanted[i])
            return play_fail(play, "%s gets 0x%02x as octet %zd, not 0x%02x",
                             actor->name, octets[i], i, wanted[i]);
    return there == len || play_fail(play, "%s gets %zd octets, not %zd",
                                     actor->name, there, len);
}

/* "client udp-from-relay": the last datagram came from where the reply says. */
static bool
verb_udp_from_relay(struct play *play, struct actor *actor,
                    const struct step *step)
{
    struct endpoint relay = udp_relay(play);
    char said[ENDPOINT_TEXT_MAX], came[ENDPOINT_TEXT_MAX];

    (void)step;
    return endpoint_equal(&actor->peer, &relay) ||
           play_fail(play, "the reply says %s, and the datagram is from %s",
                     endpoint_format(&relay, said),
                     endpoint_format(&actor->peer, came));
}

/* "client udp-ends server OCTETS": the relay soon passes on no more of these.
 */
static bool
verb_udp_ends(struct play *play, struct actor *actor, const struct step *step)
{
    struct actor *other = play_actor(play, step->words[2]);
    struct endpoint to = udp_relay(play);
    uint64_t end = actor_now() + ENDS_MS;
    uint8_t octets[DATAGRAM_MAX];

    while (actor_now() < end) {
        if (!udp_send(play, actor, &to, step, 3))
            return false;
        if (actor_receive_datagram(other, octets, sizeof octets, LOST_MS) < 0)
            return true;
    }
    return play_fail(play, "datagrams still come to %s", other->name);
}

const struct verb udp_verbs[] = {
    {"udp-opens", verb_udp_opens},
    {"udp-sends", verb_udp_sends},
    {"udp-answers", verb_udp_answers},
    {"udp-gets", verb_udp_gets},
    {"udp-from-relay", verb_udp_from_relay},
    {"udp-ends", verb_udp_ends},
    {NULL, NULL},
};
