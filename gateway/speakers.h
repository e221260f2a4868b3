#ifndef GATEWAY_SPEAKERS_H
#define GATEWAY_SPEAKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "gateway/labels.h"

/*
 * Who has spoken which version of SOCKS, and when last: a part of the shared
 * segment. A worker notes each request that was decided in the table of its
 * slot, to which no other process writes; the observer puts those of all slots
 * together. What was noted stays when the worker ends.
 *
 * An entry is a client, a user and a rule. The table never grows:
 *
 *   source ─ keyed hash ─► set ─► 32 entries, each with a tag of 16 bits
 *
 * All entries of a source (an IPv4 address or an IPv6 /64) are in one set, so
 * that a client with ever new USERIDs fills no more than that. In a full set
 * what was refused makes room for what was granted, and never the other way
 * round; a source that has SPEAKERS_SHARE entries replaces one of its own; else
 * the entry goes that was used longest ago. What went is counted.
 */
#define SPEAKERS_SETS 128
#define SPEAKERS_WAYS 32
#define SPEAKERS_COUNT (SPEAKERS_SETS * SPEAKERS_WAYS)
#define SPEAKERS_SHARE 4

#define SPEAKERS_VERSIONS (REQUEST_VERSION_COUNT - 1)

#define SPEAKER_USER_MAX 40

struct speaker_key {
    struct addr client;
    uint32_t rule;       /* its number: series.h */
    uint16_t user_whole; /* how long the user is; 0: none is known */
    uint8_t user_len;    /* how much of it is kept */
    char user[SPEAKER_USER_MAX];
};

struct speaker_seen {
    uint64_t count;
    uint32_t first_s, last_s; /* wall clock, since 1970 */
};

struct speaker {
    _Alignas(64) _Atomic uint32_t turns; /* odd: it is being written */
    uint32_t last_s;                     /* of any version */
    struct speaker_key key;
    uint8_t granted; /* 1: a request was */
    /* By request_version, less 1. */
    struct speaker_seen seen[SPEAKERS_VERSIONS];
};

_Static_assert(sizeof(struct speaker) == 128, "two cache lines");

struct speaker_set {
    uint16_t tags[SPEAKERS_WAYS]; /* 0: the entry is free */
    struct speaker entries[SPEAKERS_WAYS];
};

struct speakers {
    /* Entries that were pushed out, and newcomers that found no room: those of
       which a request was granted, and the others. */
    _Atomic uint64_t forgotten, forgotten_refused;
    struct speaker_set sets[SPEAKERS_SETS];
};

/* The key of such a request; `user` is cut. */
struct speaker_key speaker_key(struct addr client, const char *user, size_t len,
                               unsigned rule);

/* A request was decided. `source` is a keyed hash of the client's. */
void speakers_note(struct speakers *speakers, uint64_t source,
                   const struct speaker_key *key, enum request_version version,
                   bool granted, uint32_t now_s);

/* Entry `index`, below SPEAKERS_COUNT. False: it is free, or is being written.
   Whatever stands there the copy has lengths and a rule that can be. */
bool speakers_read(const struct speakers *speakers, unsigned index,
                   struct speaker *copy);

#endif
