#ifndef GATEWAY_WORKER_VERDICT_H
#define GATEWAY_WORKER_VERDICT_H

#include <stdint.h>

#include "gateway/config/config.h"

/*
 * How a session can come out. Every session ends through one row: its name
 * in the record, the reply's code (0: no reply), which counter, the level
 * of its record, and who ended it how (of a granted session that is learnt
 * from the relay). The draft's codes are used with the draft's meanings
 * [V4-3.3-3 to V4-3.3-7].
 */

/* Each opened session is counted in exactly one of these. */
enum verdict_class { VERDICT_GRANTED, VERDICT_REFUSED, VERDICT_EARLY };

enum verdict_by { BY_CLIENT, BY_SERVER, BY_GATEWAY };
enum verdict_end {
    END_FIN,
    END_RESET,
    END_TIMEOUT,
    END_LIMIT,
    END_DRAIN,
    END_ERROR
};

/* symbol, name, code, class, level, by, end */
#define VERDICTS(X)                                                            \
    X(GRANTED, "granted", 90, GRANTED, INFO, GATEWAY, FIN)                     \
    /* Nothing was asked. */                                                   \
    X(NO_REQUEST, "no-request", 0, EARLY, INFO, CLIENT, FIN)                   \
    X(SILENT, "silent", 0, EARLY, INFO, GATEWAY, TIMEOUT)                      \
    X(CLIENT_GONE, "client-gone", 0, EARLY, INFO, CLIENT, RESET)               \
    X(SOCKS5, "not-socks4: looks like SOCKS5", 0, EARLY, NOTICE, GATEWAY, FIN) \
    X(TLS, "not-socks4: looks like TLS", 0, EARLY, NOTICE, GATEWAY, FIN)       \
    X(HTTP, "not-socks4: looks like HTTP", 0, EARLY, NOTICE, GATEWAY, FIN)     \
    X(PROXY, "not-socks4: looks like a PROXY header", 0, EARLY, NOTICE,        \
      GATEWAY, FIN)                                                            \
    X(HTTP_OR_PROXY, "not-socks4: looks like HTTP or a PROXY header", 0,       \
      EARLY, NOTICE, GATEWAY, FIN)                                             \
    X(NOT_SOCKS4, "not-socks4", 0, EARLY, NOTICE, GATEWAY, FIN)                \
    X(NO_MEMORY_EARLY, "no-memory", 0, EARLY, WARNING, GATEWAY, LIMIT)         \
    X(SHED_SESSIONS_EARLY, "limits.sessions", 0, EARLY, NOTICE, GATEWAY,       \
      LIMIT)                                                                   \
    X(SHED_PENDING_EARLY, "limits.pending", 0, EARLY, NOTICE, GATEWAY, LIMIT)  \
    X(SHED_MEMORY_EARLY, "limits.memory", 0, EARLY, NOTICE, GATEWAY, LIMIT)    \
    X(STOPPED_EARLY, "stopped", 0, EARLY, INFO, GATEWAY, DRAIN)                \
    /* The request is at fault. */                                             \
    X(REQUEST_CUT, "request-cut-short", 91, REFUSED, NOTICE, CLIENT, FIN)      \
    X(REQUEST_LATE, "request-timeout", 91, REFUSED, NOTICE, GATEWAY, TIMEOUT)  \
    X(BAD_COMMAND, "unknown-command", 91, REFUSED, NOTICE, GATEWAY, FIN)       \
    X(USERID_LONG, "userid-too-long", 91, REFUSED, NOTICE, GATEWAY, LIMIT)     \
    X(DOMAIN_LONG, "domain-too-long", 91, REFUSED, NOTICE, GATEWAY, LIMIT)     \
    X(DOMAIN_EMPTY, "domain-empty", 91, REFUSED, NOTICE, GATEWAY, FIN)         \
    X(SOCKS4A_OFF, "socks4a-off: the listener's socks4a: true would allow it", \
      91, REFUSED, NOTICE, GATEWAY, FIN)                                       \
    X(SOCKS4A_ONLY, "socks4a-only: the listener serves names alone", 91,       \
      REFUSED, NOTICE, GATEWAY, FIN)                                           \
    /* The name comes to nothing. */                                           \
    X(NAME_BAD, "name-bad", 91, REFUSED, NOTICE, GATEWAY, FIN)                 \
    X(NAME_UNKNOWN, "name-unknown", 91, REFUSED, NOTICE, GATEWAY, FIN)         \
    X(NAME_FAILED, "name-failed", 91, REFUSED, NOTICE, GATEWAY, ERROR)         \
    X(NAME_OVERLOADED, "name-overloaded", 91, REFUSED, NOTICE, GATEWAY, LIMIT) \
    X(NAME_LATE, "name-timeout", 91, REFUSED, NOTICE, GATEWAY, TIMEOUT)        \
    /* The policy says no. */                                                  \
    X(DENIED_RULE, "denied-by-rule", 91, REFUSED, NOTICE, GATEWAY, FIN)        \
    X(DENIED_DEFAULT, "denied-no-rule", 91, REFUSED, NOTICE, GATEWAY, FIN)     \
    X(DENIED_SPECIAL, "denied-special-address", 91, REFUSED, NOTICE, GATEWAY,  \
      FIN)                                                                     \
    X(DENIED_PORT, "denied-port-0", 91, REFUSED, NOTICE, GATEWAY, FIN)         \
    X(DENIED_LISTENER, "denied-own-listener", 91, REFUSED, NOTICE, GATEWAY,    \
      FIN)                                                                     \
    /* The client's identd does not say that USERID is who asks. */            \
    X(IDENT_DIFFERS, "ident-differs", 93, REFUSED, NOTICE, GATEWAY, FIN)       \
    X(IDENT_ERROR, "ident-error", 92, REFUSED, NOTICE, GATEWAY, FIN)           \
    X(IDENT_REFUSED, "ident-refused", 92, REFUSED, NOTICE, GATEWAY, FIN)       \
    X(IDENT_UNREACHABLE, "ident-unreachable", 92, REFUSED, NOTICE, GATEWAY,    \
      ERROR)                                                                   \
    X(IDENT_LATE, "ident-timeout", 92, REFUSED, NOTICE, GATEWAY, TIMEOUT)      \
    X(IDENT_CLOSED, "ident-closed", 92, REFUSED, NOTICE, GATEWAY, FIN)         \
    X(IDENT_MALFORMED, "ident-malformed", 92, REFUSED, NOTICE, GATEWAY, FIN)   \
    X(IDENT_FAILED, "ident-failed", 92, REFUSED, WARNING, GATEWAY, ERROR)      \
    /* The application server cannot be had. */                                \
    X(CONNECT_REFUSED, "connect-refused", 91, REFUSED, NOTICE, SERVER, RESET)  \
    X(CONNECT_UNREACHABLE, "connect-unreachable", 91, REFUSED, NOTICE, SERVER, \
      ERROR)                                                                   \
    X(CONNECT_LATE, "connect-timeout", 91, REFUSED, NOTICE, GATEWAY, TIMEOUT)  \
    X(CONNECT_SELF, "connect-to-itself", 91, REFUSED, NOTICE, GATEWAY, ERROR)  \
    X(CONNECT_FAILED, "connect-failed", 91, REFUSED, NOTICE, GATEWAY, ERROR)   \
    /* BIND, before and after the first reply. */                              \
    X(BIND_ALONE, "bind-without-connect", 91, REFUSED, NOTICE, GATEWAY, FIN)   \
    X(BIND_LIMIT, "limits.per_source.binds", 91, REFUSED, NOTICE, GATEWAY,     \
      LIMIT)                                                                   \
    X(BIND_NO_PORT, "bind.ports-exhausted", 91, REFUSED, WARNING, GATEWAY,     \
      LIMIT)                                                                   \
    X(BIND_NO_ADDRESS, "bind-no-address", 91, REFUSED, WARNING, GATEWAY,       \
      ERROR)                                                                   \
    X(BIND_LATE, "bind-timeout", 91, REFUSED, NOTICE, GATEWAY, TIMEOUT)        \
    X(BIND_STRANGER, "bind-stranger", 91, REFUSED, NOTICE, GATEWAY, FIN)       \
    X(BIND_LEFT, "bind-client-left", 0, EARLY, INFO, CLIENT, FIN)              \
    /* We cannot. */                                                           \
    X(NO_PORT, "no-local-port", 91, REFUSED, WARNING, GATEWAY, LIMIT)          \
    X(NO_DESCRIPTOR, "no-descriptor", 91, REFUSED, WARNING, GATEWAY, LIMIT)    \
    X(NO_MEMORY, "no-memory", 91, REFUSED, WARNING, GATEWAY, LIMIT)            \
    X(SHED_SESSIONS, "limits.sessions", 91, REFUSED, NOTICE, GATEWAY, LIMIT)   \
    X(SHED_PENDING, "limits.pending", 91, REFUSED, NOTICE, GATEWAY, LIMIT)     \
    X(SHED_MEMORY, "limits.memory", 91, REFUSED, NOTICE, GATEWAY, LIMIT)       \
    X(STOPPED, "stopped", 91, REFUSED, NOTICE, GATEWAY, DRAIN)

enum verdict {
#define X(symbol, name, code, class, level, by, end) V_##symbol,
    VERDICTS(X)
#undef X
        VERDICT_COUNT
};

struct verdict_row {
    const char *name;
    uint8_t code;
    uint8_t class;
    uint8_t level;
    uint8_t by;
    uint8_t end;
};

extern const struct verdict_row verdict_rows[VERDICT_COUNT];

/* Why a connection to the application server failed, or could not be
   awaited: a negative errno, by the table in fault.h. */
enum verdict verdict_of_errno(int error);
enum verdict verdict_of_bind_errno(int error);

const char *verdict_by_text(enum verdict_by by);
const char *verdict_end_text(enum verdict_end end);

#endif
