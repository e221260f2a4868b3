/* Whole requests, each in the version that the server is tested in. */

#include <stdlib.h>
#include <string.h>

#include "socks5.h"

#define ANSWER_MS 8000

static bool
ask_greet(struct play *play, struct actor *actor, bool drips)
{
    const struct setting *setting = play->setting;
    char why[WHY_MAX];

    if (!setting->socks5 ||
        socks5_negotiate(setting, actor, drips, ANSWER_MS, why))
        return true;
    return play_fail(play, "%s: %.200s", actor->name, why);
}

/* "client greets": all that version 5 has before the request; "client greets
   dripping": octet by octet. */
static bool
verb_greets(struct play *play, struct actor *actor, const struct step *step)
{
    return ask_greet(play, actor, step->count > 2);
}

/* VN, CD, DSTPORT, DSTIP and a USERID. */
static size_t
ask_request_of_4(uint8_t command, const struct endpoint *to, uint8_t *octets)
{
    static const char userid[] = "tester";
    uint32_t ip = addr_to_v4(to->addr);

    octets[0] = 4;
    octets[1] = command;
    octets[2] = (uint8_t)(to->port >> 8);
    octets[3] = (uint8_t)to->port;
    for (unsigned i = 0; i < 4; i++)
        octets[4 + i] = (uint8_t)(ip >> (24 - 8 * i));
    memcpy(octets + 8, userid, sizeof userid);
    return 8 + sizeof userid;
}

/* "client asks connect server", "client asks bind server OCTETS": the octets
   come right behind the request. */
static bool
verb_asks(struct play *play, struct actor *actor, const struct step *step)
{
    const struct actor *other = play_actor(play, step->words[3]);
    uint8_t octets[4096];
    enum socks4_v5_command command = strcmp(step->words[2], "bind") == 0
                                         ? SOCKS4_V5_BIND
                                         : SOCKS4_V5_CONNECT;

    if (!ask_greet(play, actor, false))
        return false;
    size_t len = play->setting->socks5
                     ? socks5_request(command, &other->at, NULL, octets)
                     : ask_request_of_4((uint8_t)command, &other->at, octets);
    ssize_t more =
        play_octets(play, step, 4, octets + len, sizeof octets - len);
    if (more < 0)
        return false;
    int error = actor_send(actor, octets, len + (size_t)more);
    return error == 0 ||
           play_fail_errno(play, error, "%s cannot send", actor->name);
}

/* "client not-chosen-within MS": the server may say anything but which method
   it takes. */
static bool
verb_not_chosen_within(struct play *play, struct actor *actor,
                       const struct step *step)
{
    size_t there = actor_await(actor, 2, (unsigned)atoi(step->words[2]));
    const uint8_t *octets = actor->octets + actor->looked;

    return there < 2 || octets[0] != SOCKS4_V5_VERSION ||
           octets[1] == SOCKS4_V5_UNACCEPTABLE ||
           play_fail(play, "method %u is chosen", octets[1]);
}

/* "client gets-status failure", or success: of a password. */
static bool
verb_gets_status(struct play *play, struct actor *actor,
                 const struct step *step)
{
    size_t there = actor_await(actor, 2, ANSWER_MS);
    const uint8_t *octets = actor->octets + actor->looked;
    bool success = strcmp(step->words[2], "success") == 0;

    actor->looked += there;
    if (there < 2)
        return play_fail(play, "no status of the password");
    return success == (octets[1] == 0) ||
           play_fail(play, "status %u", octets[1]);
}

const struct verb ask_verbs[] = {
    {"greets", verb_greets},
    {"asks", verb_asks},
    {"not-chosen-within", verb_not_chosen_within},
    {"gets-status", verb_gets_status},
    {NULL, NULL},
};
