#include "tests/scenario/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/octets.h"
#include "tests/scenario/sim.h"

static bool
datagram_sends(struct play *play, char *const args[])
{
    struct endpoint from, to;
    struct octets octets = {.at = NULL};

    if (!step_endpoint(play, args[0], &from) ||
        !step_endpoint(play, args[1], &to))
        return false;
    bool sent = octets_parse(&octets, args[2])
                    ? sim_datagram_arrives(&from, &to, octets.at, octets.len) ||
                          play_fail(play, "no socket has %s", args[1])
                    : play_fail(play, "no octets: %s", args[2]);
    octets_free(&octets);
    return sent;
}

static bool
datagram_leaves(struct play *play, char *const args[])
{
    struct endpoint to, from;
    struct octets octets = {.at = NULL};
    struct sim_datagram *datagram;
    char text[ENDPOINT_TEXT_MAX], other[ENDPOINT_TEXT_MAX], shown[160];

    if (!step_endpoint(play, args[0], &to) ||
        !step_endpoint(play, args[1], &from))
        return false;
    datagram = sim_take_datagram();
    if (datagram == NULL)
        return play_fail(play, "the gateway sends no datagram");
    bool good = octets_parse(&octets, args[2]);
    if (!good)
        play_fail(play, "no octets: %s", args[2]);
    else if (!endpoint_equal(&datagram->to, &to) ||
             !endpoint_equal(&datagram->from, &from))
        good = play_fail(play, "the gateway sends to %s from %s",
                         endpoint_format(&datagram->to, text),
                         endpoint_format(&datagram->from, other));
    else if (datagram->len != octets.len ||
             (octets.len > 0 &&
              memcmp(datagram->octets, octets.at, octets.len) != 0))
        good = play_fail(
            play, "the datagram is %s",
            octets_show(datagram->octets, datagram->len, shown, sizeof(shown)));
    octets_free(&octets);
    free(datagram);
    return good;
}

static bool
datagram_stays(struct play *play, char *const args[])
{
    struct sim_datagram *datagram = sim_take_datagram();
    char text[ENDPOINT_TEXT_MAX];

    (void)args;
    if (datagram == NULL)
        return true;
    play_fail(play, "it sends one to %s", endpoint_format(&datagram->to, text));
    free(datagram);
    return false;
}

const struct step datagram_steps[] = {
    {"gateway sends to %w from %w the datagram %r", datagram_leaves},
    {"gateway sends no datagram", datagram_stays},
    {"%w sends to %w the datagram %r", datagram_sends},
    {NULL, NULL},
};
