#ifndef GATEWAY_WORKER_SESSION_H
#define GATEWAY_WORKER_SESSION_H

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/labels.h"
#include "gateway/worker/authentication.h"
#include "gateway/worker/certificate.h"
#include "gateway/worker/identity.h"
#include "gateway/worker/live_link.h"
#include "gateway/worker/lookup.h"
#include "gateway/worker/refstr.h"
#include "gateway/worker/rendezvous.h"
#include "gateway/worker/request.h"
#include "gateway/worker/session_proxy.h"
#include "gateway/worker/sessions.h"
#include "gateway/worker/verdict.h"

/*
 * A session, from accept to its record:
 *
 *    (PROXY)
 *       ▼
 *     (TLS)
 *       ▼
 *     REQUEST ◄─► (AUTH)
 *        │
 *        ├─────► (RESOLVE) ─► (IDENT) ─┬─► CONNECT ───────────────┐
 *        │           │           │     │      └──► (PARENT) ─┐     │
 *        │           │           │     └─► (PRIMARY) ► LISTEN ─┴──┴─► RELAY
 *        │           │           │             │          │          │
 *        │           │           │             │          │     HALF_CLOSED
 *        └───────────┴───────────┴─────────────┴──────────┤          │
 *                                                         ▼          ▼
 *                                REFUSE (reply, linger) ──────────► END
 *
 * Each begins in session_open and ends in session_end (session.c);
 * session_enter alone sets the state between. A session always waits for one
 * named thing; the table says under which timer, and what comes of it.
 */

/*
 * symbol, timer, phase of the record, counts as pending,
 * what an event of the client's stream means (NULL: the relay's, or none),
 * what is done when the timer runs out, and the verdict it is done with,
 * states it may come from
 *
 * While the session waits for something else than the client, only a reset
 * of the client's ends it: a FIN may be no more than its half of a
 * half-close, and only where pending sessions run short is it refused first.
 * A waiting BIND ends with either [V4-B.2-6].
 */
#define SESSION_STATES(X)                                                      \
    X(NEW, NONE, NONE, 1, NULL, NULL, GRANTED, 0)                              \
    X(PROXY, REQUEST, NONE, 1, session_read_proxy, session_give_up_proxy,      \
      PROXY_LATE, FROM(NEW))                                                   \
    X(TLS, REQUEST, NONE, 1, session_handshake, session_give_up_tls, TLS_LATE, \
      FROM(NEW) | FROM(PROXY))                                                 \
    X(REQUEST, REQUEST, REQUEST, 1, session_read_request, session_give_up,     \
      REQUEST_LATE, FROM(NEW) | FROM(PROXY) | FROM(TLS) | FROM(AUTH))          \
    X(AUTH, REQUEST, AUTH, 1, session_notice_end, session_refuse,              \
      PASSWORD_LATE, FROM(REQUEST))                                            \
    X(RESOLVE, RESOLVE, RESOLVE, 1, session_notice_end, session_refuse,        \
      NAME_LATE, FROM(REQUEST))                                                \
    X(IDENT, NONE, IDENT, 1, session_notice_end, NULL, IDENT_LATE,             \
      FROM(REQUEST) | FROM(RESOLVE))                                           \
    X(CONNECT, CONNECT, CONNECT, 1, session_notice_end, session_dial_next,     \
      CONNECT_LATE, UNDECIDED | DIALLED)                                       \
    X(PRIMARY, PRIMARY, NONE, 1, session_notice_end, session_refuse,           \
      BIND_ALONE, UNDECIDED)                                                   \
    X(PARENT_NAME, NONE, CONNECT, 1, session_notice_end, session_parent_late,  \
      PARENT_LATE, FROM(CONNECT) | FROM(PARENT))                               \
    X(PARENT, NONE, CONNECT, 1, session_notice_end, session_parent_late,       \
      PARENT_LATE, FROM(CONNECT))                                              \
    X(LISTEN, BIND, CONNECT, 0, session_notice_leaving, session_refuse,        \
      BIND_LATE, UNDECIDED | FROM(PRIMARY) | FROM(PARENT))                     \
    X(RELAY, IDLE, RELAY, 0, NULL, session_rest, GRANTED,                      \
      FROM(CONNECT) | FROM(PARENT) | FROM(LISTEN))                             \
    X(HALF_CLOSED, HALF_CLOSED, RELAY, 0, NULL, session_rest, GRANTED,         \
      FROM(RELAY))                                                             \
    X(UDP, IDLE, RELAY, 0, session_watch_association, session_rest, GRANTED,   \
      FROM(REQUEST))                                                           \
    X(REFUSE, LINGER, NONE, 0, session_linger, session_refused, GRANTED,       \
      FROM(TLS) | FROM(AUTH) | UNDECIDED | FROM(CONNECT) | DIALLED |           \
          FROM(LISTEN))                                                        \
    X(END, NONE, NONE, 0, NULL, NULL, GRANTED,                                 \
      FROM(PROXY) | FROM(TLS) | FROM(AUTH) | UNDECIDED | FROM(CONNECT) |       \
          DIALLED | FROM(LISTEN) | FROM(RELAY) | FROM(HALF_CLOSED) |           \
          FROM(UDP) | FROM(REFUSE))

_Static_assert(CONFIG_LISTENERS_MAX <= UINT8_MAX, "listener_index");

/* What a BIND needs until its peer is there; the peer is kept for the
   record. */
struct bind {
    struct live_link_query query;
    struct session *session;
    struct rendezvous rendezvous;
    struct endpoint peer; /* the last that connected; port 0: none */
    int source_index;     /* where it is charged; negative: nowhere */
};

/* The connection to an address of the other family: session_beside.c. */
struct beside {
    struct stream stream;
    struct timer timer; /* the head start of the first family; then the share of
                           the present address */
    struct task take;   /* it stands, and becomes the session's */
    size_t at, end;     /* the present address of the route, and the end of
                           those; 0: there is one family */
    bool begun, over;
    bool counted; /* in sessions->besides */
};

/*
 * What a request by name needs until it relays: the lookup, then the
 * addresses it came to, in order, but for those that the rule does not
 * reach. The one that is dialled or awaited stands in request.to.
 */
struct route {
    struct lookup lookup;
    struct session *session;
    struct addr addresses[LOOKUP_ADDRESSES_MAX];
    size_t count;        /* 0: not resolved yet; of the first family, where
                            both are dialled */
    size_t at;           /* the one that is tried */
    size_t primaries;    /* of a BIND: that many, in front, have a CONNECT */
    struct netset peers; /* of a BIND: all of them */
    struct beside beside;
    struct list link; /* of those that are freed when the turn is over */
};

/* Of a session that goes through parents. */
struct via {
    struct via_setup *setup; /* owned; until it relays: session_parent.h */
    const char *tls_reason;  /* static; why TLS with a parent failed; NULL */
    char name[65];           /* of the parent tried last, for the record */
};

/* The query to the client's identd; kept for the record when it is over. */
struct session_ident {
    struct identity identity;
    struct session *session;
    const struct rule *rule; /* granted if it agrees; NULL: the session does
                                not wait for the answer */
};

/* The question whether a SOCKS5 user has this password. */
struct session_auth {
    struct authentication authentication;
    struct session *session;
};

/*
 * What a session needs until it relays, and what only some sessions have. When
 * it relays, session_leave_setup gives all of this back: only a session that
 * has something of the second part keeps it to its end, without the first.
 */
struct session_setup {
    struct config *config; /* reference; NULL once it relays */
    struct request_reading reading;
    struct route *route;       /* owned; while a name matters */
    struct session_auth *auth; /* owned; in AUTH */
    union {
        uint32_t header_sent; /* while it connects: octets of the PROXY header
                                 that the rule sends */
        uint32_t dropped;     /* once it is refused, or an association: octets
                                 read since */
    };
    uint16_t rule_index; /* in `config`, once a rule has granted it */
    uint8_t listener_index;
    bool hurried; /* its time to connect was shortened */
    /* What only some have. */
    union {
        struct bind *bind;               /* owned; of a BIND */
        struct association *association; /* owned; of a UDP ASSOCIATE */
    };
    struct session_ident *ident; /* owned; where identd is asked */
    struct via *via;             /* owned; where the rule has parents */
};

/*
 * There may be a million that relay: laid out so that no octet is lost between
 * fields, and what they share stands elsewhere. tests/unit/footprint.c knows
 * its size.
 */
struct session {
    struct relay relay; /* with both streams; the first: session_new */
    struct request request;
    struct list link;
    struct timer timer;
    struct session_setup *setup; /* owned; NULL: it relays, and kept nothing */
    struct refstr *listener;     /* reference: its name */
    struct rule_copy *rule;      /* reference: the one that decided */
    struct addr client;
    struct addr local; /* our end towards the server, or of the BIND */
    uint64_t id;
    uint64_t phase_us; /* when the present state was entered */
    uint32_t ms[PHASE_KEPT];
    uint32_t auth_ms;
    uint32_t total_ms;    /* of all states since accept */
    int16_t source_index; /* where it is charged; negative: nowhere */
    uint16_t local_port;  /* 0: not known */
    uint16_t client_port;
    uint16_t shared_index; /* shared_sessions.h */
    uint8_t state;         /* enum session_state */
    uint8_t verdict;       /* enum verdict */
    bool registered : 1;   /* with the monitor, as a live CONNECT */
    bool young : 1;        /* it has relayed for less than a second */
    uint8_t ended_by : 2;  /* enum verdict_by, once it has ended */
    uint8_t end : 3;       /* enum verdict_end, likewise */
    bool behind : 1;       /* a balancer: a struct session_proxy stands behind
                              this one */
};

_Static_assert(SEGMENT_SOURCES <= INT16_MAX, "source_index");

/* NULL: no balancer has made the connection. */
static inline struct session_proxy *
session_proxy(const struct session *session)
{
    return session->behind ? (struct session_proxy *)(uintptr_t)(session + 1)
                           : NULL;
}

/* Whether its request is not complete. */
static inline bool
session_is_unfinished(const struct session *session)
{
    return session->state == SESSION_PROXY || session->state == SESSION_TLS ||
           session->state == SESSION_REQUEST || session->state == SESSION_AUTH;
}

/* NULL: it is none. */
static inline struct bind *
session_bind_of(const struct session *session)
{
    return session->setup == NULL || session->request.command == RULE_UDP
               ? NULL
               : session->setup->bind;
}

static inline struct association *
session_association_of(const struct session *session)
{
    return session->setup != NULL && session->request.command == RULE_UDP
               ? session->setup->association
               : NULL;
}

static inline struct via *
session_via_of(const struct session *session)
{
    return session->setup != NULL ? session->setup->via : NULL;
}

/* Those of its worker, which have its relay's pool. */
static inline struct sessions *
sessions_of(const struct session *session)
{
    return container_of(session->relay.pool, struct sessions, pool);
}

/* What the relay of any session reports. */
relay_fn session_on_relay_event;

/*
 * Takes an accepted connection. One that is over a limit is reset, and
 * counted. Any other ends in a record whatever happens, but for want of
 * memory, which is counted as a dropped record.
 */
void session_open(struct sessions *sessions, int fd,
                  const struct endpoint *client, size_t listener_index,
                  struct refstr *listener);

/* Refuses an attempt because of a limit, or an unfinished request if it is
   still unfinished when all octets that have arrived are read. True: it has
   ended. */
bool session_shed(struct session *session, enum limit limit);

/* Resets a session that relays, for the kernel's memory that it has. */
void session_shed_stalled(struct session *session);

/* Registers a CONNECT that stands with the monitor, unless that has been done:
   from now on a BIND may ask for it. */
void session_register(struct session *session);

/* Ends it at once, whatever its state: an undecided one is answered, a live
   one reset. */
void session_stop(struct session *session);

/* The same for an operator: whoever waits is refused, one that relays is reset
   on both sides. False: it is about to end anyway. */
bool session_kill(struct session *session);

/* The name of its state. */
const char *session_state_name(const struct session *session);

/* What there is to say of it, and what that borrows. `begins`: it has not
   ended. */
#define SESSION_HINT_MAX 192
struct session_description {
    struct record record;
    struct endpoint dest, local;
    char ident[IDENTITY_TEXT_MAX], hint[SESSION_HINT_MAX];
};
void session_describe(struct session *session, bool begins,
                      struct session_description *description);

/* Writes a line of a trace: it has left the state of that name. False: the log
   has no room for it now. */
bool session_write_step(struct session *session, const char *left,
                        uint64_t dropped);

/* The certificate that the client has, by the connection itself or by the word
   of a balancer; NULL: none that was verified. */
struct certificate *session_find_certificate(const struct session *session);

static inline struct certificate *
session_certificate(const struct session *session)
{
    bool may_have =
        session->behind || stream_is(&session->relay.client, STREAM_TLS);

    return may_have ? session_find_certificate(session) : NULL;
}

/* The USERID; of SOCKS5 the user whose password was sent, or else the one that
   the certificate names. Its `at' is NULL: nobody is named. */
struct span session_user(const struct session *session);

/* Writes the line of a session that begins to relay, or its record. False: the
   log has no room for it now. */
bool session_record(struct session *session, bool begins);

/* Only sessions.c, when the turn in which it ended is over. */
void session_free(struct session *session);

#endif
