#ifndef GATEWAY_WORKER_VERDICT_H
#define GATEWAY_WORKER_VERDICT_H

#include <stdint.h>

#include "gateway/config/config.h"

/*
 * How a session can come out. Every session ends through one row: its name
 * in the record, its class, the level of its record, and who ended it how
 * (of a granted session that is learnt from the relay). What a refusal is to
 * the client is the protocol's affair: request_socks4.c, request_socks5.c.
 */

/* Each opened session is counted in exactly one of these. EARLY gets no
   reply; nor does REFUSED, and then it is counted as EARLY, where the client
   has not begun to ask. LIMITED is as if it had never been opened. */
enum verdict_class {
    VERDICT_GRANTED,
    VERDICT_REFUSED,
    VERDICT_EARLY,
    VERDICT_LIMITED
};

enum verdict_by { BY_CLIENT, BY_SERVER, BY_GATEWAY, BY_OPERATOR };
enum verdict_end {
    END_FIN,
    END_RESET,
    END_TIMEOUT,
    END_LIMIT,
    END_DRAIN,
    END_ERROR,
    END_TRUNCATED
};

/* symbol, name, class, level, by, end */
#define VERDICTS(X)                                                            \
    X(GRANTED, "granted", GRANTED, INFO, GATEWAY, FIN)                         \
    /* Nothing was asked. */                                                   \
    X(NO_REQUEST, "no-request", EARLY, INFO, CLIENT, FIN)                      \
    X(SILENT, "silent", EARLY, INFO, GATEWAY, TIMEOUT)                         \
    X(CLIENT_GONE, "client-gone", EARLY, INFO, CLIENT, RESET)                  \
    X(SOCKS5, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                       \
    X(TLS, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                          \
    X(HTTP, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                         \
    X(HTTP_OR_PROXY, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                \
    X(SSH, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                          \
    X(TELNET, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                       \
    X(RDP, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                          \
    X(NOT_SOCKS4, "not-socks4", EARLY, NOTICE, GATEWAY, FIN)                   \
    /* A PROXY header came from elsewhere; or from a balancer none, or a bad   \
       one. Of CUT and LATE it had begun. */                                   \
    X(PROXY, "proxy-unexpected", EARLY, NOTICE, GATEWAY, FIN)                  \
    X(PROXY_MISSING, "proxy-missing", EARLY, NOTICE, GATEWAY, FIN)             \
    X(PROXY_MALFORMED, "proxy-malformed", EARLY, NOTICE, GATEWAY, FIN)         \
    X(PROXY_CUT, "proxy-malformed", EARLY, NOTICE, CLIENT, FIN)                \
    X(PROXY_LATE, "proxy-malformed", EARLY, NOTICE, GATEWAY, TIMEOUT)          \
    /* It turned out to be over a limit of its client's: no record. */         \
    X(LIMITED, "limited", LIMITED, INFO, GATEWAY, LIMIT)                       \
    /* TLS did not come about; of CUT and LATE the client had begun. */        \
    X(TLS_FAILED, "tls-failed", EARLY, NOTICE, GATEWAY, FIN)                   \
    X(TLS_CUT, "tls-failed", EARLY, NOTICE, CLIENT, FIN)                       \
    X(TLS_LATE, "tls-failed", EARLY, NOTICE, GATEWAY, TIMEOUT)                 \
    X(TLS_CERTIFICATE, "tls-certificate", EARLY, NOTICE, GATEWAY, FIN)         \
    /* The request is at fault. */                                             \
    X(REQUEST_CUT, "request-cut-short", REFUSED, NOTICE, CLIENT, FIN)          \
    X(REQUEST_LATE, "request-timeout", REFUSED, NOTICE, GATEWAY, TIMEOUT)      \
    X(UNENDED_CUT, "request-cut-short", REFUSED, NOTICE, CLIENT, FIN)          \
    X(UNENDED_LATE, "request-timeout", REFUSED, NOTICE, GATEWAY, TIMEOUT)      \
    X(BAD_COMMAND, "unknown-command", REFUSED, NOTICE, GATEWAY, FIN)           \
    X(USERID_LONG, "userid-too-long", REFUSED, NOTICE, GATEWAY, LIMIT)         \
    X(DOMAIN_LONG, "domain-too-long", REFUSED, NOTICE, GATEWAY, LIMIT)         \
    X(DOMAIN_EMPTY, "domain-empty", REFUSED, NOTICE, GATEWAY, FIN)             \
    X(SOCKS4A_OFF, "socks4a-off", REFUSED, NOTICE, GATEWAY, FIN)               \
    X(SOCKS4A_ONLY, "socks4a-only", REFUSED, NOTICE, GATEWAY, FIN)             \
    X(SOCKS5_ONLY, "socks5-only", REFUSED, NOTICE, GATEWAY, FIN)               \
    X(NO_METHOD, "no-method", REFUSED, NOTICE, GATEWAY, FIN)                   \
    X(SOCKS5_MALFORMED, "socks5-malformed", REFUSED, NOTICE, GATEWAY, FIN)     \
    X(BAD_TYPE, "unknown-address-type", REFUSED, NOTICE, GATEWAY, FIN)         \
    /* The client is not who it has to be. */                                  \
    X(PASSWORD_MISSING, "auth-failed", REFUSED, NOTICE, GATEWAY, FIN)          \
    X(PASSWORD_MALFORMED, "auth-failed", REFUSED, NOTICE, GATEWAY, FIN)        \
    X(PASSWORD_WRONG, "auth-failed", REFUSED, NOTICE, GATEWAY, FIN)            \
    X(PASSWORD_LIMITED, "auth-failed", REFUSED, NOTICE, GATEWAY, LIMIT)        \
    X(PASSWORD_UNCHECKED, "auth-failed", REFUSED, NOTICE, GATEWAY, ERROR)      \
    X(PASSWORD_OVERLOADED, "auth-failed", REFUSED, NOTICE, GATEWAY, LIMIT)     \
    X(PASSWORD_LATE, "auth-failed", REFUSED, NOTICE, GATEWAY, TIMEOUT)         \
    /* The name comes to nothing. */                                           \
    X(NAME_BAD, "name-bad", REFUSED, NOTICE, GATEWAY, FIN)                     \
    X(NAME_UNKNOWN, "name-unknown", REFUSED, NOTICE, GATEWAY, FIN)             \
    X(NAME_FAILED, "name-failed", REFUSED, NOTICE, GATEWAY, ERROR)             \
    X(NAME_OVERLOADED, "name-overloaded", REFUSED, NOTICE, GATEWAY, LIMIT)     \
    X(NAME_LATE, "name-timeout", REFUSED, NOTICE, GATEWAY, TIMEOUT)            \
    /* The policy says no. */                                                  \
    X(DENIED_RULE, "denied-by-rule", REFUSED, NOTICE, GATEWAY, FIN)            \
    X(DENIED_DEFAULT, "denied-no-rule", REFUSED, NOTICE, GATEWAY, FIN)         \
    X(DENIED_SPECIAL, "denied-special-address", REFUSED, NOTICE, GATEWAY, FIN) \
    X(DENIED_LOOPBACK, "denied-special-address", REFUSED, NOTICE, GATEWAY,     \
      FIN)                                                                     \
    X(DENIED_LINK_LOCAL, "denied-special-address", REFUSED, NOTICE, GATEWAY,   \
      FIN)                                                                     \
    X(DENIED_SELF, "denied-special-address", REFUSED, NOTICE, GATEWAY, FIN)    \
    X(DENIED_RANGE, "denied-special-address", REFUSED, NOTICE, GATEWAY, FIN)   \
    X(DENIED_PORT, "denied-port-0", REFUSED, NOTICE, GATEWAY, FIN)             \
    X(DENIED_LISTENER, "denied-own-listener", REFUSED, NOTICE, GATEWAY, FIN)   \
    /* The certificate does not say that USERID is who asks. */                \
    X(USERID_NOT_CERTIFICATE, "userid-not-certificate", REFUSED, NOTICE,       \
      GATEWAY, FIN)                                                            \
    /* The client's identd does not say that USERID is who asks. */            \
    X(IDENT_DIFFERS, "ident-differs", REFUSED, NOTICE, GATEWAY, FIN)           \
    X(IDENT_ERROR, "ident-error", REFUSED, NOTICE, GATEWAY, FIN)               \
    X(IDENT_REFUSED, "ident-refused", REFUSED, NOTICE, GATEWAY, FIN)           \
    X(IDENT_UNREACHABLE, "ident-unreachable", REFUSED, NOTICE, GATEWAY, ERROR) \
    X(IDENT_LATE, "ident-timeout", REFUSED, NOTICE, GATEWAY, TIMEOUT)          \
    X(IDENT_CLOSED, "ident-closed", REFUSED, NOTICE, GATEWAY, FIN)             \
    X(IDENT_MALFORMED, "ident-malformed", REFUSED, NOTICE, GATEWAY, FIN)       \
    X(IDENT_FAILED, "ident-failed", REFUSED, WARNING, GATEWAY, ERROR)          \
    /* The application server cannot be had. */                                \
    X(CONNECT_REFUSED, "connect-refused", REFUSED, NOTICE, SERVER, RESET)      \
    X(CONNECT_UNREACHABLE, "connect-unreachable", REFUSED, NOTICE, SERVER,     \
      ERROR)                                                                   \
    X(CONNECT_NO_NETWORK, "connect-unreachable", REFUSED, NOTICE, SERVER,      \
      ERROR)                                                                   \
    X(CONNECT_LATE, "connect-timeout", REFUSED, NOTICE, GATEWAY, TIMEOUT)      \
    X(CONNECT_SELF, "connect-to-itself", REFUSED, NOTICE, GATEWAY, ERROR)      \
    X(CONNECT_FAILED, "connect-failed", REFUSED, NOTICE, GATEWAY, ERROR)       \
    /* A parent cannot be had, or says no. */                                  \
    X(PARENT_UNREACHABLE, "parent-unreachable", REFUSED, WARNING, SERVER,      \
      ERROR)                                                                   \
    X(PARENT_NAME, "parent-unreachable", REFUSED, WARNING, GATEWAY, ERROR)     \
    X(PARENT_SELF, "parent-unreachable", REFUSED, WARNING, GATEWAY, ERROR)     \
    X(PARENT_NO_IPV6, "parent-unreachable", REFUSED, WARNING, GATEWAY, ERROR)  \
    X(PARENT_IPV6, "parent-protocol", REFUSED, NOTICE, GATEWAY, FIN)           \
    X(PARENT_LATE, "parent-timeout", REFUSED, WARNING, GATEWAY, TIMEOUT)       \
    X(PARENT_REFUSED, "parent-refused", REFUSED, NOTICE, SERVER, FIN)          \
    X(PARENT_NO_IDENTD, "parent-refused", REFUSED, NOTICE, SERVER, FIN)        \
    X(PARENT_OTHER_USER, "parent-refused", REFUSED, NOTICE, SERVER, FIN)       \
    X(PARENT_METHOD, "parent-refused", REFUSED, NOTICE, SERVER, FIN)           \
    X(PARENT_PASSWORD, "parent-refused", REFUSED, NOTICE, SERVER, FIN)         \
    X(PARENT_FORBIDS, "parent-refused", REFUSED, NOTICE, SERVER, FIN)          \
    X(PARENT_NO_NETWORK, "parent-refused", REFUSED, NOTICE, SERVER, FIN)       \
    X(PARENT_NO_HOST, "parent-refused", REFUSED, NOTICE, SERVER, FIN)          \
    X(PARENT_SERVER_REFUSES, "parent-refused", REFUSED, NOTICE, SERVER, FIN)   \
    X(PARENT_SERVER_LATE, "parent-refused", REFUSED, NOTICE, SERVER, FIN)      \
    X(PARENT_NO_COMMAND, "parent-refused", REFUSED, NOTICE, SERVER, FIN)       \
    X(PARENT_NO_TYPE, "parent-refused", REFUSED, NOTICE, SERVER, FIN)          \
    X(PARENT_MALFORMED, "parent-malformed", REFUSED, WARNING, SERVER, ERROR)   \
    X(PARENT_CLOSED, "parent-malformed", REFUSED, WARNING, SERVER, ERROR)      \
    X(PARENT_TLS, "parent-tls", REFUSED, WARNING, SERVER, ERROR)               \
    /* BIND, before and after the first reply. */                              \
    X(BIND_ALONE, "bind-without-connect", REFUSED, NOTICE, GATEWAY, FIN)       \
    X(BIND_LIMIT, "limits.per_source.binds", REFUSED, NOTICE, GATEWAY, LIMIT)  \
    X(BIND_NO_PORT, "bind.ports-exhausted", REFUSED, WARNING, GATEWAY, LIMIT)  \
    X(BIND_NO_ADDRESS, "bind-no-address", REFUSED, WARNING, GATEWAY, ERROR)    \
    X(BIND_LATE, "bind-timeout", REFUSED, NOTICE, GATEWAY, TIMEOUT)            \
    X(BIND_STRANGER, "bind-stranger", REFUSED, NOTICE, GATEWAY, FIN)           \
    X(BIND_LEFT, "bind-client-left", EARLY, INFO, CLIENT, FIN)                 \
    /* We cannot. */                                                           \
    X(EGRESS_ADDRESS, "egress-address", REFUSED, WARNING, GATEWAY, ERROR)      \
    X(EGRESS_OF_RULE, "egress-address", REFUSED, WARNING, GATEWAY, ERROR)      \
    X(NO_PORT, "no-local-port", REFUSED, WARNING, GATEWAY, LIMIT)              \
    X(NO_DESCRIPTOR, "no-descriptor", REFUSED, WARNING, GATEWAY, LIMIT)        \
    X(NO_MEMORY, "no-memory", REFUSED, WARNING, GATEWAY, LIMIT)                \
    X(SHED_SOURCE_PENDING, "limits.per_source.pending", REFUSED, NOTICE,       \
      GATEWAY, LIMIT)                                                          \
    X(SHED_SESSIONS, "limits.sessions", REFUSED, NOTICE, GATEWAY, LIMIT)       \
    X(SHED_PENDING, "limits.pending", REFUSED, NOTICE, GATEWAY, LIMIT)         \
    X(SHED_MEMORY, "limits.memory", REFUSED, NOTICE, GATEWAY, LIMIT)           \
    X(STOPPED, "stopped", REFUSED, NOTICE, GATEWAY, DRAIN)                     \
    X(OPERATOR, "operator", REFUSED, NOTICE, OPERATOR, RESET)

enum verdict {
#define X(symbol, name, class, level, by, end) V_##symbol,
    VERDICTS(X)
#undef X
        VERDICT_COUNT
};

struct verdict_row {
    const char *name;
    uint8_t class;
    uint8_t level;
    uint8_t by;
    uint8_t end;
};

extern const struct verdict_row verdict_rows[VERDICT_COUNT];

/* What the operator may do about it, or what the client seems to speak; NULL:
   nothing that the verdict does not say. */
const char *verdict_hint(enum verdict verdict);
const char *verdict_by_text(enum verdict_by by);
const char *verdict_end_text(enum verdict_end end);

#endif
