/* identd, the name server, the clock. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "play.h"

#define SOON 2000

struct stage_manner {
    const char *name;
    enum identd_manner manner;
};

/* "identd says USERID", "identd error NO-USER", "identd raw "LINE"" ... */
static bool
verb_identd(struct play *play, struct actor *actor, const struct step *step)
{
    static const struct stage_manner manners[] = {
        {"says", IDENTD_SAYS},         {"error", IDENTD_ERROR},
        {"raw", IDENTD_RAW},           {"silent", IDENTD_SILENT},
        {"hangs-up", IDENTD_HANGS_UP},
    };

    (void)actor;
    for (unsigned i = 0; i < sizeof manners / sizeof manners[0]; i++)
        if (strcmp(manners[i].name, step->words[1]) == 0)
            play->identd.manner = manners[i].manner;
    play->identd.text = step->count > 2 ? step->words[2] : "";
    return true;
}

/* "client ident-asked": about the very pair of ports it is connected by. */
static bool
verb_ident_asked(struct play *play, struct actor *actor,
                 const struct step *step)
{
    uint16_t wanted = play->setting->place.gateway.port;
    uint16_t port = identd_asked(play->setting->identd, actor->at.port, SOON);

    (void)step;
    if (port == 0)
        return play_fail(play, "identd is not asked about port %u",
                         actor->at.port);
    return port == wanted || play_fail(play, "identd is asked about %u, %u",
                                       actor->at.port, port);
}

/* "dns asked NAME" */
static bool
verb_asked(struct play *play, struct actor *actor, const struct step *step)
{
    char at[ADDR_TEXT_MAX];

    (void)actor;
    return dns_asked(play->setting->dns, step->words[2], SOON) ||
           play_fail(play,
                     "the server does not ask the tester's name server, %s",
                     addr_format(play->setting->place.addr[ROLE_DNS], at));
}

/* "case waits 300" */
static bool
verb_waits(struct play *play, struct actor *actor, const struct step *step)
{
    (void)play, (void)actor;
    usleep((useconds_t)atoi(step->words[2]) * 1000);
    return true;
}

const struct verb stage_verbs[] = {
    {"says", verb_identd},
    {"error", verb_identd},
    {"raw", verb_identd},
    {"silent", verb_identd},
    {"hangs-up", verb_identd},
    {"ident-asked", verb_ident_asked},
    {"asked", verb_asked},
    {"waits", verb_waits},
    {NULL, NULL},
};
