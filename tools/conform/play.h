#ifndef CONFORM_PLAY_H
#define CONFORM_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "actor.h"
#include "case.h"
#include "dns.h"
#include "identd.h"
#include "socks4/v5.h"

/* What all cases of a run share; constant while they run. */
struct setting {
    struct place place;
    bool socks4a;          /* the server speaks 4A */
    bool socks5;           /* it is tested as a server of version 5 */
    const char *user;      /* of version 5; NULL: it asks for no password */
    const char *password;  /* of that user */
    bool ident;            /* the server asks identd and refuses by it */
    unsigned wait_ms;      /* how long to wait for the server's timers */
    unsigned timers_ms;    /* the longest that they may be; 0: unknown */
    unsigned stalls;       /* STALL_*: what the server stalls at */
    bool serves_one;       /* the server serves one client at a time */
    struct identd *identd; /* NULL: port 113 is not available */
    struct dns *dns;       /* NULL: port 53 is not available */
};

enum outcome {
    OUTCOME_MET,
    OUTCOME_UNMET,
    OUTCOME_UNTESTABLE, /* not from here, or not with this server */
    OUTCOME_UNTESTED,   /* its timer is longer than the wait */
    OUTCOME_COUNT
};

extern const char *const outcome_names[OUTCOME_COUNT];

#define WHY_MAX 240

struct finding {
    enum outcome outcome;
    unsigned line; /* of the case, where it ended otherwise than met */
    char why[WHY_MAX];
    unsigned ms;
    struct trace trace;
};

enum { ACTOR_COUNT = 11 };

/* One case being played. */
struct play {
    const struct setting *setting;
    const struct conform_case *what;
    struct finding *finding;
    struct actor *actors; /* ACTOR_COUNT; owned by play_case */
    struct identd_answer identd;
    uint8_t reply[SOCKS4_V5_REPLY_MAX]; /* the last one of any client, as far
                                           as it came */
    size_t reply_len;
    bool answered;         /* something came: a reply, or the end */
    struct endpoint bound; /* of the last reply that had all of it */
    struct endpoint named; /* the same, also of the second reply to a BIND */
    bool called; /* a peer has connected to the BIND: its reply is due */
    unsigned called_late; /* attempts of that peer that failed before */
    bool late;            /* a timer was not seen */
    bool unable;          /* this machine kept the tester from looking */
    unsigned connections; /* to the server under test, in this try */
    unsigned attempt;     /* of the case's tries; 1 is the first */
};

/* Plays the case from its first step to the one that fails. */
void play_case(const struct setting *setting, const struct conform_case *what,
               struct finding *finding);

/* The finding of a case that was not played, and why. */
void play_none(struct finding *finding, const char *why);

/* CD or REP of the last reply; -1: none. */
int play_code(const struct play *play);
/* The code of a grant: 90, or 0 of version 5. */
int play_grant_code(const struct play *play);

/* Whether the last reply leads to where the server takes SOCKS requests. */
bool play_names_socks_port(const struct play *play);

/* The actor of that name, or NULL. */
struct actor *play_actor(struct play *play, const char *name);

/* Notes why a step did not come out as wanted; returns false. */
bool play_fail(struct play *play, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same for an error of a socket call. One that comes from this machine
 * and not from a peer (a port that is taken, no descriptors) says nothing of
 * the server: the case is not testable then, even at a `must`.
 */
bool play_fail_errno(struct play *play, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a wait that ended with nothing seen; false. */
bool play_late(struct play *play, const char *what);

/*
 * The octets of words[from] and those behind it, as they are sent: see
 * socks4-conform(1). How many, or -1 with the reason said.
 */
ssize_t play_octets(struct play *play, const struct step *step, unsigned from,
                    uint8_t *octets, size_t room);

/* A verb: whether it came out as wanted. words[0] and [1] are who and what. */
typedef bool verb_fn(struct play *play, struct actor *actor,
                     const struct step *step);

struct verb {
    const char *name;
    verb_fn *run;
};

/* Each table ends with a NULL name. */
extern const struct verb talk_verbs[];  /* over a connection */
extern const struct verb meet_verbs[];  /* to have one */
extern const struct verb bulk_verbs[];  /* with many octets */
extern const struct verb reply_verbs[]; /* about replies */
extern const struct verb stage_verbs[]; /* identd, dns, the clock */
extern const struct verb ask_verbs[];   /* whole requests, by version */
extern const struct verb udp_verbs[];   /* datagrams */

#endif
