#ifndef GATEWAY_LABELS_H
#define GATEWAY_LABELS_H

/*
 * What a worker tells sessions apart by, where other processes need it too: the
 * state of a session, the phases that its record has, the version of its
 * request, the limits, and what came of a TLS handshake; and the states of the
 * worker itself. Metrics have the names as labels.
 */

/* symbol, name: in the order of a session's life. SESSION_STATES in
   worker/session.h says what each of them means. */
#define SESSION_STATE_NAMES(X)                                                 \
    X(NEW, "new")                                                              \
    X(PROXY, "proxy")                                                          \
    X(TLS, "tls")                                                              \
    X(REQUEST, "request")                                                      \
    X(AUTH, "auth")                                                            \
    X(RESOLVE, "resolve")                                                      \
    X(IDENT, "ident")                                                          \
    X(CONNECT, "connect")                                                      \
    X(PRIMARY, "primary")                                                      \
    X(PARENT_NAME, "parent-name")                                              \
    X(PARENT, "parent")                                                        \
    X(LISTEN, "listen")                                                        \
    X(RELAY, "relay")                                                          \
    X(HALF_CLOSED, "half-closed")                                              \
    X(UDP, "udp")                                                              \
    X(REFUSE, "refuse")                                                        \
    X(END, "end")

enum session_state {
#define X(symbol, name) SESSION_##symbol,
    SESSION_STATE_NAMES(X)
#undef X
};

#define X(symbol, name) +1
enum { SESSION_STATE_COUNT = 0 SESSION_STATE_NAMES(X) };
#undef X

/* symbol, name: of a process that the monitor starts (monitor/service.h) */
#define SERVICE_STATES(X)                                                      \
    X(EMPTY, "empty")                                                          \
    X(STARTING, "starting")                                                    \
    X(READY, "ready")                                                          \
    X(DRAINING, "draining")

enum service_state {
#define X(symbol, name) SERVICE_##symbol,
    SERVICE_STATES(X)
#undef X
        SERVICE_STATE_COUNT
};

/* symbol, name in the record */
#define PHASES(X)                                                              \
    X(REQUEST, "request")                                                      \
    X(RESOLVE, "resolve")                                                      \
    X(IDENT, "ident")                                                          \
    X(CONNECT, "connect")                                                      \
    X(RELAY, "relay")                                                          \
    X(TLS, "tls")                                                              \
    X(AUTH, "auth")                                                            \
    X(TOTAL, "total")

enum phase {
#define X(symbol, name) PHASE_##symbol,
    PHASES(X)
#undef X
        PHASE_COUNT,
    PHASE_KEPT = PHASE_TLS /* so many are kept in the session */
};

/* symbol, name in the record */
#define REQUEST_VERSIONS(X)                                                    \
    X(SOCKS4, "4")                                                             \
    X(SOCKS4A, "4a")                                                           \
    X(SOCKS5, "5")

enum request_version {
    REQUEST_UNKNOWN, /* no octet has come, or it is none of these */
#define X(symbol, name) REQUEST_##symbol,
    REQUEST_VERSIONS(X)
#undef X
        REQUEST_VERSION_COUNT
};

/* symbol, what the log calls it */
#define LIMITS(X)                                                              \
    X(RATE, "limits.per_source.rate")                                          \
    X(SOURCE_SESSIONS, "limits.per_source.sessions")                           \
    X(SOURCE_PENDING, "limits.per_source.pending")                             \
    X(SESSIONS, "limits.sessions")                                             \
    X(PENDING, "limits.pending")                                               \
    X(MEMORY, "limits.memory")                                                 \
    X(DESCRIPTORS, "descriptors")

enum limit {
#define X(symbol, name) LIMIT_##symbol,
    LIMITS(X)
#undef X
        LIMIT_COUNT,
    LIMIT_NONE = LIMIT_COUNT
};

/* symbol, name: what came of a TLS handshake with a client */
#define HANDSHAKES(X)                                                          \
    X(DONE, "done")                                                            \
    X(FAILED, "failed")           /* TLS did, or the client sent none */       \
    X(CERTIFICATE, "certificate") /* the client's was refused */               \
    X(CUT, "cut")                 /* the client ended the connection */        \
    X(LATE, "timeout")            /* of timeouts.request */

enum handshake {
#define X(symbol, name) HANDSHAKE_##symbol,
    HANDSHAKES(X)
#undef X
        HANDSHAKE_COUNT
};

/* symbol, name: what became of a datagram of a UDP association */
#define DATAGRAMS(X)                                                           \
    X(PASSED, "passed")                                                        \
    X(STRANGER, "stranger")   /* not from the client's address and port */     \
    X(MALFORMED, "malformed") /* no header of RFC 1928 */                      \
    X(FRAGMENT, "fragment")   /* FRAG is not 0 */                              \
    X(DENIED, "denied")       /* by the rules, as a request would be */        \
    X(NAME, "name")           /* its name came to nothing, or many wait */     \
    X(LIMITED, "limited")     /* limits.per_source.rate */                     \
    X(UNASKED, "unasked")     /* from where the client has sent nothing */     \
    X(LARGE, "large")         /* it does not fit a datagram */                 \
    X(UNSENT, "unsent")       /* there is no route, no room, no socket */

enum datagram {
#define X(symbol, name) DATAGRAM_##symbol,
    DATAGRAMS(X)
#undef X
        DATAGRAM_COUNT
};

#endif
