#include "play.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const outcome_names[OUTCOME_COUNT] = {"met", "unmet",
                                                  "not testable", "not tested"};

struct play_cast {
    const char *name;
    enum role role;
};

static const struct play_cast CAST[ACTOR_COUNT] = {
    {"client", ROLE_CLIENT},     {"client2", ROLE_CLIENT},
    {"lonely", ROLE_LONELY},     {"server", ROLE_SERVER},
    {"mirror", ROLE_SERVER},     {"server2", ROLE_SERVER2},
    {"stranger", ROLE_STRANGER}, {"named", ROLE_NAMED},
    {"far", ROLE_FAR},           {"raf", ROLE_RAF},
    {"six", ROLE_SIX},
};

int
play_code(const struct play *play)
{
    return play->reply_len >= 2 ? play->reply[1] : -1;
}

int
play_grant_code(const struct play *play)
{
    return play->setting->socks5 ? 0 : 90;
}

bool
play_names_socks_port(const struct play *play)
{
    const struct place *place = &play->setting->place;
    struct addr addr = play->bound.addr;

    return play->bound.port == place->gateway.port &&
           (addr_is_any(addr) || addr_equal(addr, place->gateway.addr) ||
            addr_equal(addr, place->outside));
}

struct actor *
play_actor(struct play *play, const char *name)
{
    for (unsigned i = 0; i < ACTOR_COUNT; i++)
        if (strcmp(CAST[i].name, name) == 0)
            return &play->actors[i];
    return NULL;
}

bool
play_fail(struct play *play, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(play->finding->why, WHY_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* What a peer, or a network on the way to it, can cause. */
static bool
play_is_peers(int error)
{
    static const int peers[] = {ECONNREFUSED, ECONNRESET,   ECONNABORTED,
                                EPIPE,        EHOSTUNREACH, ENETUNREACH,
                                ETIMEDOUT,    EHOSTDOWN,    EINVAL};

    for (unsigned i = 0; i < sizeof peers / sizeof peers[0]; i++)
        if (error == -peers[i])
            return true;
    return false;
}

bool
play_fail_errno(struct play *play, int error, const char *format, ...)
{
    char *why = play->finding->why;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, WHY_MAX, format, arguments);
    va_end(arguments);
    size_t len = strlen(why);
    play->unable = !play_is_peers(error);
    snprintf(why + len, WHY_MAX - len, ": %s%s", strerror(-error),
             play->unable ? ", on the tester's side" : "");
    return false;
}

bool
play_late(struct play *play, const char *what)
{
    const struct setting *setting = play->setting;

    play->late = play->what->slow && setting->timers_ms == 0;
    if (play->late)
        return play_fail(play, "timer longer than the wait of %g s: %s",
                         setting->wait_ms / 1000.0, what);
    return play_fail(play, "%s", what);
}

static const struct verb *
play_find_verb(const char *name)
{
    static const struct verb *const tables[] = {
        talk_verbs,  meet_verbs, bulk_verbs, reply_verbs,
        stage_verbs, ask_verbs,  udp_verbs};

    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct verb *verb = tables[i]; verb->name != NULL; verb++)
            if (strcmp(verb->name, name) == 0)
                return verb;
    return NULL;
}

static bool
play_guard_holds(const struct play *play, enum guard guard)
{
    bool granted = play_code(play) == play_grant_code(play);

    return guard == GUARD_NONE || granted == (guard == GUARD_GRANTED);
}

static bool
play_step(struct play *play, const struct step *step)
{
    const struct verb *verb = play_find_verb(step->words[1]);

    if (verb == NULL)
        return play_fail(play, "the case is wrong: no verb \"%s\"",
                         step->words[1]);
    return verb->run(play, play_actor(play, step->words[0]), step);
}

static void
play_end(struct play *play, const struct step *step)
{
    struct finding *finding = play->finding;
    size_t len = strlen(finding->why);

    if (play->what->tries > 1)
        snprintf(finding->why + len, WHY_MAX - len, " (try %u of %u)",
                 play->attempt, play->what->tries);
    if (play->connections > 1 && play->setting->serves_one) {
        play->unable = true; /* it may have waited for the other to end */
        len = strlen(finding->why);
        snprintf(finding->why + len, WHY_MAX - len,
                 " (the case needs several sessions, and the server serves one "
                 "client at a time)");
    }
    finding->line = step->line;
    if (play->late)
        finding->outcome = OUTCOME_UNTESTED;
    else if (play->unable)
        finding->outcome = OUTCOME_UNTESTABLE;
    else
        finding->outcome = step->must ? OUTCOME_UNMET : OUTCOME_UNTESTABLE;
}

/* Why it cannot be played at all; NULL: it can. */
static const char *
play_find_obstacle(const struct setting *setting,
                   const struct conform_case *what)
{
    if ((what->needs & NEEDS_NAMESPACES) && !setting->place.namespaces)
        return "needs several hosts: --namespaces";
    if ((what->needs & NEEDS_TRUST) && setting->ident)
        return "needs a server that does not ask identd";
    if ((what->needs & NEEDS_IDENT) && !setting->ident)
        return "needs a server that asks identd: --ident";
    if ((what->needs & NEEDS_TLS) && setting->place.tls == NULL)
        return "needs a server that speaks TLS: --tls";
    if ((what->needs & NEEDS_PLAIN) && setting->place.tls != NULL)
        return "needs a server without TLS, which has no urgent data";
    if ((what->needs & NEEDS_PASSWORD) && setting->user == NULL)
        return "needs a server that asks for a password: --user";
    if ((what->needs & NEEDS_OPEN) && setting->user != NULL)
        return "needs a server that asks for no password";
    if (setting->ident && setting->identd == NULL)
        return "port 113 of the client's address is not available: run as "
               "root, or with --namespaces";
    if ((what->needs & NEEDS_DNS) && setting->dns == NULL)
        return "port 53 is not available for the tester's name server: run as "
               "root, or with --namespaces";
    return NULL;
}

static void
play_steps(struct play *play)
{
    const struct conform_case *what = play->what;

    for (unsigned i = 0; i < what->step_count; i++) {
        const struct step *step = &what->steps[i];
        if (play_guard_holds(play, step->guard) && !play_step(play, step)) {
            play_end(play, step);
            return;
        }
    }
}

/* All actors are new in each try; the finding is that of the last try. */
static void
play_try(struct play *play)
{
    struct finding *finding = play->finding;
    unsigned attempt = play->attempt + 1;

    *play = (struct play){.setting = play->setting,
                          .what = play->what,
                          .finding = finding,
                          .actors = play->actors,
                          .attempt = attempt,
                          .identd = {IDENTD_SAYS, "tester"}};
    *finding = (struct finding){.outcome = OUTCOME_MET};
    for (unsigned i = 0; i < ACTOR_COUNT; i++)
        actor_init(&play->actors[i], CAST[i].name, CAST[i].role,
                   &play->setting->place, &finding->trace);
    play_steps(play);
    for (unsigned i = 0; i < ACTOR_COUNT; i++)
        actor_fini(&play->actors[i]);
}

void
play_none(struct finding *finding, const char *why)
{
    *finding = (struct finding){.outcome = OUTCOME_UNTESTABLE};
    snprintf(finding->why, WHY_MAX, "%s", why);
}

void
play_case(const struct setting *setting, const struct conform_case *what,
          struct finding *finding)
{
    const char *why = play_find_obstacle(setting, what);
    struct play play = {.setting = setting, .what = what, .finding = finding};
    uint64_t began = actor_now();

    play_none(finding, why != NULL ? why : "no memory");
    play.actors = why == NULL ? calloc(ACTOR_COUNT, sizeof *play.actors) : NULL;
    if (play.actors == NULL)
        return;
    do
        play_try(&play);
    while (finding->outcome == OUTCOME_MET && play.attempt < what->tries);
    free(play.actors);
    finding->ms = (unsigned)(actor_now() - began);
}
