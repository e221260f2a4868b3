#ifndef GATEWAY_OBSERVER_PROTO_H
#define GATEWAY_OBSERVER_PROTO_H

#include <stdint.h>

#include "base/addr.h"
#include "gateway/labels.h"

/*
 * The messages between a worker and the observer: one fixed struct an ask and
 * one a reply, on a seqpacket pair (a link) of their own. Neither side trusts
 * what the other one sends: texts have a length, and may hold any octet.
 *
 *   observer ─ ASK ──► worker ─ ROW, ROW, … ─ END ──► observer
 *
 * A worker serves few asks at once, a slice of its sessions in a turn of the
 * loop. It never waits for room in the link: rows of an ask wait there for the
 * next turn, events of sessions that are followed are dropped and counted.
 */

/* At once, of one worker. */
#define OBSERVER_ASKS_MAX 4
#define OBSERVER_FOLLOWS_MAX 4
#define OBSERVER_TRACES_MAX 2
/* Rows of one ask. */
#define OBSERVER_ROWS_MAX 200

#define OBSERVER_NAME_MAX 64 /* of a rule, a listener, a parent */
#define OBSERVER_TEXT_MAX 255
#define OBSERVER_IDS_MAX OBSERVER_ROWS_MAX

/* Octets, not terminated. `whole`: how many there were. */
struct observer_name {
    uint8_t len;
    char octets[OBSERVER_NAME_MAX];
};
struct observer_text {
    uint16_t whole;
    uint8_t len;
    char octets[OBSERVER_TEXT_MAX];
};

/* The terms that are there; a session must match all. */
enum observer_term {
    OBSERVER_CLIENT = 1 << 0,
    OBSERVER_DEST = 1 << 1,
    OBSERVER_PORT = 1 << 2,
    OBSERVER_RULE = 1 << 3,
    OBSERVER_USERID = 1 << 4,      /* exact, or with a * behind it */
    OBSERVER_CERTIFICATE = 1 << 5, /* likewise, or .suffix; of any name */
    OBSERVER_LISTENER = 1 << 6,
    OBSERVER_STATE = 1 << 7,
    OBSERVER_OLDER = 1 << 8,
    OBSERVER_UP = 1 << 9, /* more than; DOWN likewise */
    OBSERVER_DOWN = 1 << 10,
    OBSERVER_IDS = 1 << 11, /* in ascending order */
    OBSERVER_VERSION = 1 << 12,
};

struct observer_filter {
    uint32_t terms;
    uint16_t port;
    uint16_t id_count;
    uint32_t versions; /* bit 1 << enum request_version */
    struct addr client_first, client_last;
    struct addr dest_first, dest_last;
    uint64_t older_ms, up, down;
    struct observer_name rule, listener, state;
    struct observer_text userid, certificate;
    uint64_t ids[OBSERVER_IDS_MAX];
};

enum observer_ask_kind {
    OBSERVER_LIST = 1, /* at most `count` rows; all that match are counted */
    OBSERVER_TOP,      /* an entry each, by `count`: enum observer_by */
    OBSERVER_KILL,     /* ends them */
    OBSERVER_FOLLOW,   /* rows when sessions begin and end, until CANCEL;
                          `count` 1: when they end, alone */
    OBSERVER_TRACE,    /* lines in the log, for `count` seconds */
    OBSERVER_CANCEL,   /* of ask `id` */
};

enum observer_by {
    OBSERVER_BY_CLIENT,
    OBSERVER_BY_DEST,
    OBSERVER_BY_RULE,
    OBSERVER_BY_USERID,
    OBSERVER_BY_CERTIFICATE,
    OBSERVER_BY_COUNT
};

struct observer_ask {
    uint32_t kind;
    uint32_t id; /* the observer's own */
    uint32_t count;
    struct observer_filter filter;
};

/* What the record says of a session, and how it is now. Ports 0 and lengths 0:
   not known. */
struct observer_row {
    uint64_t id, age_ms;
    uint64_t up, down;
    struct endpoint client, dest, proxy, local, peer;
    uint32_t ms[PHASE_COUNT];
    uint32_t code;
    struct observer_name listener, state, command, rule, verdict, ended_by, end,
        version, tls, via;
    struct observer_text userid, name, ident, certificate, hint;
};

struct observer_end {
    uint64_t matched; /* sessions; killed */
    uint32_t refused; /* 1: the worker has too many asks already */
};

#define OBSERVER_ENTRIES_MAX 20
struct observer_entry {
    uint64_t id, up, down;
    struct observer_name key; /* empty: not known */
};
struct observer_top {
    uint32_t count;
    struct observer_entry entries[OBSERVER_ENTRIES_MAX];
};

enum observer_reply_kind {
    OBSERVER_ROW = 1,
    OBSERVER_BEGAN, /* of a follow: the row of a session that begins to relay */
    OBSERVER_ENDED, /* and of one that has ended */
    OBSERVER_ENTRIES,
    OBSERVER_END,
};

struct observer_reply {
    uint32_t kind;
    uint32_t id;      /* of the ask */
    uint64_t dropped; /* events of this follow that found no room, so far */
    union {
        struct observer_row row;
        struct observer_top top;
        struct observer_end end;
    };
};

#endif
