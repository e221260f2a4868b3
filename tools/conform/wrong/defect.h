#ifndef CONFORM_WRONG_DEFECT_H
#define CONFORM_WRONG_DEFECT_H

#include <stdbool.h>

/*
 * X(DEFECT, name, as, caught by, what it does wrong)
 *
 * "as" is what the server must be for it: 4, 4a, ident (4, with ident),
 * hosts (4, between several hosts), tls (4, inside TLS), 5, 5-hosts,
 * password (5, with a password), 5-tls, or clients: nothing a tester of servers
 * can object to, but clients may be surprised. "caught by" are exactly the
 * cases that are unmet then; of 5 those whose names begin with 5.
 */
#define DEFECTS(X)                                                             \
    X(NONE, "right", "4", "", "nothing")                                       \
    /* replies */                                                              \
    X(REPLY_VERSION, "reply-version-4", "4",                                   \
      "reply-version refusal-version bind-first-version bind-second-version "  \
      "command-version",                                                       \
      "VN of every reply is 4, as in requests")                                \
    X(REFUSAL_SHORT, "refusal-four-octets", "4", "refusal-whole",              \
      "a refusal ends after DSTPORT")                                          \
    X(REFUSAL_LONG, "refusal-nine-octets", "4", "refusal-nothing-more",        \
      "a refusal has an octet too many")                                       \
    X(REFUSAL_CODE_0, "refusal-code-0", "4",                                   \
      "refusal-code bind-stranger bind-timer-91 "                              \
      "connect-timer-91",                                                      \
      "CD of a refusal is 0")                                                  \
    X(REFUSAL_CODE_94, "refusal-code-94", "4",                                 \
      "refusal-code bind-stranger bind-timer-91 "                              \
      "connect-timer-91",                                                      \
      "CD of a refusal is 94")                                                 \
    X(REFUSAL_92, "refusal-code-92", "4",                                      \
      "refusal-code bind-stranger bind-timer-91 "                              \
      "connect-timer-91",                                                      \
      "a failed connection is blamed on identd: 92")                           \
    X(REFUSAL_SILENT, "refusal-silent", "4", "refusal-answered",               \
      "a failed connection is not answered, only closed")                      \
    X(REFUSAL_HANGS, "refusal-hangs", "4", "refusal-answered",                 \
      "a failed connection is neither answered nor closed")                    \
    X(REFUSAL_OPEN, "refusal-stays-open", "4",                                 \
      "refusal-closes bind-refusal-closes bind-stranger-client "               \
      "bind-timer connect-timer request-timer",                                \
      "the connection is left open after a refusal")                           \
    X(REFUSAL_RESET, "refusal-reset", "4", "refusal-survives",                 \
      "a refusal is followed by a reset that destroys it")                     \
    X(EARLY_GRANT, "early-grant", "4", "connect-90-after",                     \
      "90 is sent before the connection stands")                               \
    X(GRANT_LONG, "grant-nine-octets", "4",                                    \
      "reply-whole connect-relays server-first half-close-client "             \
      "half-close-server back-pressure end-behind-data reset-data-down "       \
      "reset-data-down-long",                                                  \
      "a grant has an octet too many")                                         \
    X(UNCONNECTED, "grant-unconnected", "4",                                   \
      "connect-granted connect-90-after connect-port-order "                   \
      "connect-address-order connect-timer",                                   \
      "every CONNECT is granted, none is made")                                \
    /* requests */                                                             \
    X(PORT_SWAPPED, "port-swapped", "4", "connect-port-order",                 \
      "DSTPORT is read as little-endian")                                      \
    X(ADDRESS_SWAPPED, "address-swapped", "4", "connect-address-order",        \
      "DSTIP is read backwards")                                               \
    X(USERID_CUT, "userid-cut", "4", "userid-long",                            \
      "USERID is cut after 64 octets, and the rest is data")                   \
    X(USERID_EMPTY, "userid-empty-hangs", "4", "userid-empty",                 \
      "an empty USERID is not seen to have ended")                             \
    X(USERID_TEXT, "userid-text-only", "4", "userid-any-octet",                \
      "an octet of USERID over 127 makes it close without a reply")            \
    X(USERID_UNBOUNDED, "userid-unbounded", "4", "userid-endless",             \
      "USERID may be of any length")                                           \
    X(ONE_READ, "one-read", "4", "request-in-pieces",                          \
      "the request is expected to come in one piece")                          \
    X(ONE_READ_CLOSES, "one-read-closes", "4", "request-in-pieces",            \
      "a request that comes in pieces is closed without a reply")              \
    X(EARLY_DATA_LOST, "early-data-lost", "4",                                 \
      "early-data early-data-at-once early-data-nul",                          \
      "what follows the request in its segment is dropped")                    \
    X(EARLY_DATA_HELD, "early-data-held", "4", "early-data-at-once",           \
      "what follows the request in its segment waits until more comes")        \
    X(NUL_EATEN, "early-nul-eaten", "4", "early-data-nul",                     \
      "NULs in front of the client's data are dropped")                        \
    X(VERSION_ANY, "version-any", "4", "version-granted version-ends",         \
      "VN of a request is not looked at")                                      \
    X(VERSION_OPEN, "version-stays-open", "4", "version-ends",                 \
      "a request of another version is left without answer or close")          \
    X(COMMAND_ANY, "command-any", "4", "command-granted",                      \
      "every command but BIND is taken for CONNECT")                           \
    X(COMMAND_VERSION, "command-version-4", "4", "command-version",            \
      "VN of the reply to an unknown command is 4")                            \
    X(COMMAND_SILENT, "command-silent", "4", "command-answered",               \
      "an unknown command is closed without a reply")                          \
    X(NO_REQUEST_TIMER, "no-request-timer", "4",                               \
      "request-timer request-timer-drip", "half a request is kept for ever")   \
    X(DRIP_TIMER, "request-timer-restarts", "4", "request-timer-drip",         \
      "each octet of a request starts its timer again")                        \
    X(NO_CONNECT_TIMER, "no-connect-timer", "4",                               \
      "connect-timer connect-timer-91", "a connect is waited for for ever")    \
    X(CONNECT_TIMER_SILENT, "connect-timer-silent", "4", "connect-timer-91",   \
      "closes without a reply when the connect timer passes")                  \
    X(CONNECT_TIMER_OPEN, "connect-timer-stays-open", "4", "connect-timer",    \
      "does not close when the connect timer passes")                          \
    /* relay */                                                                \
    X(CLIENT_FIN_ENDS, "client-fin-ends", "4", "half-close-client",            \
      "the client's half-close ends the session")                              \
    X(SERVER_FIN_ENDS, "server-fin-ends", "4",                                 \
      "half-close-server bind-half-close",                                     \
      "the application server's half-close ends the session")                  \
    X(FIN_LOST, "fin-lost", "4",                                               \
      "half-close-client half-close-server bind-half-close end-behind-data",   \
      "a half-close is not passed on")                                         \
    X(RESET_AS_FIN, "reset-as-fin", "4",                                       \
      "reset-by-client reset-by-server reset-behind-down reset-behind-up",     \
      "a reset is passed on as an orderly end")                                \
    X(RESET_DATA_LOST, "reset-data-lost", "4",                                 \
      "reset-data-down reset-data-down-long reset-data-up "                    \
      "reset-data-up-long bind-reset-data-down bind-reset-data-up",            \
      "what came right before a reset is lost")                                \
    X(SEVEN_BITS, "seven-bits", "4", "relay-up relay-down",                    \
      "the highest bit of each octet is lost")                                 \
    X(NEWLINES, "newlines-changed", "4",                                       \
      "connect-relays server-first relay-up relay-down",                       \
      "CR LF becomes LF on its way")                                           \
    X(CLIENT_FIRST, "client-first", "4",                                       \
      "server-first half-close-server relay-down urgent-down "                 \
      "back-pressure bind-peer-first bind-relays",                             \
      "nothing comes from the application server until the client speaks")     \
    X(TAIL_LOST, "tail-lost", "4", "end-behind-data reset-data-down-long",     \
      "what came right before the end of the stream is lost")                  \
    X(URGENT_LOST, "urgent-lost", "4", "urgent-up urgent-down",                \
      "urgent data is passed on as ordinary")                                  \
    X(NO_BACK_PRESSURE, "no-back-pressure", "4", "back-pressure",              \
      "reads on, however slow the reader of the other side is")                \
    /* others kept waiting */                                                  \
    X(CONNECT_STALLS, "connect-stalls", "4", "serves-many",                    \
      "serves nobody else while it connects")                                  \
    X(RESOLVER_STALLS, "resolver-stalls", "4a", "4a-serves-many",              \
      "serves nobody else while it looks up a name")                           \
    X(IDENT_STALLS, "ident-stalls", "ident", "",                               \
      "serves nobody else while it asks identd")                               \
    /* BIND */                                                                 \
    X(BIND_SILENT, "bind-silent", "4", "bind-answered",                        \
      "BIND is closed without a reply")                                        \
    X(BIND_LISTENS_LATE, "bind-listens-late", "4", "bind-listens-first",       \
      "listens a moment after the first reply")                                \
    X(BIND_PORT_SWAPPED, "bind-port-swapped", "4", "bind-port",                \
      "DSTPORT of the first reply is little-endian")                           \
    X(BIND_PORT_ECHO, "bind-port-of-request", "4", "bind-port",                \
      "DSTPORT of the first reply is the request's")                           \
    X(BIND_PORT_SOCKS, "bind-port-of-socks", "4",                              \
      "bind-port bind-address bind-listens-first",                             \
      "DSTPORT of the first reply is the one that takes SOCKS requests")       \
    X(BIND_AT_DST, "bind-listens-at-dst", "4", "",                             \
      "BIND listens on DSTIP:DSTPORT, as only one host allows: "               \
      "not testable")                                                          \
    X(BIND_ADDRESS_ECHO, "bind-address-of-request", "4", "bind-address",       \
      "DSTIP of the first reply is the request's")                             \
    X(BIND_WRONG_SIDE, "bind-wrong-side", "hosts", "bind-address-reachable",   \
      "DSTIP of the first reply is the address that the client connected to")  \
    X(BIND_SECOND_NONE, "bind-no-second-reply", "4", "bind-second-reply",      \
      "relays without a second reply")                                         \
    X(BIND_SECOND_91, "bind-second-91", "4", "bind-second-reply",              \
      "the second reply is 91, though the right one called")                   \
    X(BIND_SECOND_SHORT, "bind-second-four-octets", "4", "bind-second-whole",  \
      "the second reply ends after DSTPORT")                                   \
    X(BIND_PORT_CHECKED, "bind-port-checked", "4", "bind-source-port",         \
      "the peer must call from DSTPORT")                                       \
    X(BIND_STRANGER, "bind-stranger-let-in", "4", "bind-stranger",             \
      "any address may call")                                                  \
    X(BIND_STRANGER_93, "bind-stranger-93", "4", "bind-stranger",              \
      "a stranger's call is answered with 93")                                 \
    X(BIND_STRANGER_KEPT, "bind-stranger-kept", "4", "bind-stranger-closed",   \
      "a stranger's connection is left open")                                  \
    X(BIND_CLIENT_KEPT, "bind-stranger-client-kept", "4",                      \
      "bind-stranger-client", "the client is left connected after a stranger") \
    X(BIND_PEER_DATA_LOST, "bind-peer-data-lost", "4", "bind-peer-first",      \
      "what the peer says before the second reply is lost")                    \
    X(BIND_MANY, "bind-listens-on", "4", "bind-one-peer",                      \
      "goes on listening when the peer has called")                            \
    X(BIND_GONE, "bind-client-gone", "4", "bind-client-leaves",                \
      "the port of a client that went away is kept")                           \
    X(NO_BIND_TIMER, "no-bind-timer", "4",                                     \
      "bind-timer bind-timer-port bind-timer-91", "a BIND waits for ever")     \
    X(BIND_TIMER_PORT, "bind-timer-keeps-port", "4", "bind-timer-port",        \
      "the port of a BIND whose timer passed is kept")                         \
    X(BIND_TIMER_SILENT, "bind-timer-silent", "4", "bind-timer-91",            \
      "closes without a reply when the BIND timer passes")                     \
    /* 0.0.0.x */                                                              \
    X(ZERO_X_GRANTED, "zero-x-granted", "4", "zero-x-refused",                 \
      "version 4: 0.0.0.x is taken for this host")                             \
    X(ZERO_X_WAITS, "zero-x-waits", "4", "zero-x-refused",                     \
      "version 4: waits for a name after all")                                 \
    X(ONLY_X_1, "only-0.0.0.1", "4a", "4a-any-x",                              \
      "no other address than 0.0.0.1 announces a name")                        \
    X(ZERO_NAMED, "zero-named", "4a", "4a-zero", "0.0.0.0 announces a name")   \
    X(NAME_AS_DATA, "name-as-data", "4a", "4a-name-no-data 4a-early-data",     \
      "DOMAIN is relayed as the client's first data")                          \
    X(EATS_SECOND, "second-field-eaten", "4a", "early-data-nul",               \
      "what looks like a name behind a plain request is dropped")              \
    X(NAMED_UNANSWERED, "named-unanswered", "4a",                              \
      "4a-connect 4a-not-judged 4a-several-addresses",                         \
      "a CONNECT by name is made, but not answered")                           \
    X(QUAD_SILENT, "quad-silent", "4a", "4a-not-judged",                       \
      "a name that is written as an address is closed without a reply")        \
    X(DOMAIN_255, "domain-255-hangs", "4a", "4a-domain-255",                   \
      "a DOMAIN of 255 octets is not read to its end")                         \
    X(ONE_READ_4A, "domain-one-read", "4a", "4a-in-pieces",                    \
      "DOMAIN is expected to come together with USERID")                       \
    X(USERID_UNBOUNDED_4A, "userid-unbounded-4a", "4a", "4a-userid-endless",   \
      "USERID may be of any length, in 4A too")                                \
    X(BIND_NAMED_ANY, "bind-named-any", "4a", "4a-bind-stranger",              \
      "whoever calls a BIND by name is let in")                                \
    X(UNRESOLVED_92, "unresolved-92", "4a",                                    \
      "4a-unresolved-code 4a-nxdomain 4a-servfail "                            \
      "4a-domain-octets",                                                      \
      "92 for a name that does not resolve")                                   \
    X(UNRESOLVED_SILENT, "unresolved-silent", "4a",                            \
      "4a-unresolved-answered 4a-nxdomain 4a-servfail 4a-bind-unresolved "     \
      "4a-domain-octets",                                                      \
      "closes without a reply when a name does not resolve")                   \
    X(UNRESOLVED_OPEN, "unresolved-stays-open", "4a", "4a-unresolved-closes",  \
      "is not closed after a name did not resolve")                            \
    X(EOF_SILENT, "eof-silent", "4a", "4a-eof-domain 4a-eof-userid",           \
      "a request that ends too soon is closed without a reply")                \
    X(EOF_HANGS, "eof-hangs", "4a", "4a-eof-domain 4a-eof-userid",             \
      "a request that ends too soon is kept for ever")                         \
    X(DOMAIN_UNBOUNDED, "domain-unbounded", "4a",                              \
      "4a-domain-endless 4a-domain-long", "DOMAIN may be of any length")       \
    X(DOMAIN_EMPTY, "domain-empty-hangs", "4a", "4a-domain-empty",             \
      "an empty DOMAIN is not seen to have ended")                             \
    X(FIRST_ADDRESS, "first-address-only", "4a", "4a-several-addresses",       \
      "only the first address of a name is tried")                             \
    X(RESOLVER_WAITS, "resolver-waits", "4a", "4a-resolver-timer",             \
      "a resolver that is silent is waited for for ever")                      \
    X(BIND_4A_ZEROS, "bind-4a-zeros", "4a", "4a-bind-replies",                 \
      "the reply to a BIND by name has no port")                               \
    /* ident */                                                                \
    X(IDENT_UNASKED, "ident-unasked", "ident",                                 \
      "ident-asked ident-none ident-other-user ident-error ident-garbage "     \
      "ident-longer ident-shorter ident-other-ports ident-hangs-up "           \
      "ident-silent ident-bind ident-first",                                   \
      "identd is not asked")                                                   \
    X(IDENT_PORTS, "ident-ports-swapped", "ident",                             \
      "ident-asked ident-other-user ident-error ident-garbage ident-longer "   \
      "ident-shorter ident-other-ports ident-hangs-up ident-silent "           \
      "ident-bind ident-first",                                                \
      "identd is asked about the ports the wrong way round")                   \
    X(IDENT_92_FOR_93, "ident-92-for-93", "ident",                             \
      "ident-other-user ident-longer ident-shorter ident-bind",                \
      "92 where identd names another user")                                    \
    X(IDENT_93_FOR_92, "ident-93-for-92", "ident",                             \
      "ident-none ident-silent ident-hangs-up",                                \
      "93 where no identd can be asked")                                       \
    X(IDENT_PREFIX, "ident-prefix", "ident", "ident-longer",                   \
      "identd's user need only begin as USERID")                               \
    X(IDENT_SHORTER, "ident-shorter", "ident", "ident-shorter",                \
      "USERID need only begin as identd's user")                               \
    X(IDENT_ERROR, "ident-error-granted", "ident", "ident-error",              \
      "an identd that answers ERROR is believed")                              \
    X(IDENT_GARBAGE, "ident-garbage-granted", "ident",                         \
      "ident-garbage ident-hangs-up",                                          \
      "an identd that says nothing sensible is believed")                      \
    X(IDENT_OTHER_PORTS, "ident-other-ports", "ident", "ident-other-ports",    \
      "an answer about other ports is taken")                                  \
    X(IDENT_LATE, "ident-after-connect", "ident", "ident-first",               \
      "connects first, then asks identd")                                      \
    X(IDENT_NO_TIMER, "no-ident-timer", "ident", "ident-silent",               \
      "identd is waited for for ever")                                         \
    /* TLS */                                                                  \
    X(TLS_PLAIN, "tls-plain-too", "tls", "tls-plain-refused",                  \
      "a request without TLS is served, too")                                  \
    X(TLS_NO_END, "tls-no-close-notify", "tls",                                \
      "half-close-client half-close-server bind-half-close end-behind-data",   \
      "a direction ends without close_notify")                                 \
    X(TLS_CUT_RECORD, "tls-cut-record", "tls",                                 \
      "half-close-client half-close-server bind-half-close end-behind-data",   \
      "a direction ends inside a record of TLS")                               \
    X(TLS_CUT_ENDS, "tls-cut-is-end", "tls", "tls-cut-client",                 \
      "an end without close_notify is passed on as an orderly end")            \
    /* version 5: methods */                                                   \
    X(5_VERSION_1, "5-choice-version-1", "5", "5-method-chosen",               \
      "VER of the choice is 1")                                                \
    X(5_GREETING_ONE_READ, "5-greeting-one-read", "5", "5-greeting-pieces",    \
      "the greeting is expected to come in one piece")                         \
    X(5_REQUEST_ONE_READ, "5-request-one-read", "5", "5-greeting-pieces",      \
      "the request is expected to come in one piece")                          \
    X(5_FIRST_METHOD, "5-first-method-only", "5",                              \
      "5-method-position 5-method-many",                                       \
      "only the first method of the greeting is looked at")                    \
    X(5_METHODS_CUT, "5-methods-cut", "5", "5-method-many",                    \
      "only sixteen methods are read, and the rest is taken for the request")  \
    X(5_METHOD_02, "5-method-02-always", "5",                                  \
      "5-method-one 5-method-position 5-method-many 5-method-ff",              \
      "method 2 is chosen whatever is offered")                                \
    X(5_METHOD_UNOFFERED, "5-method-unoffered", "5", "5-method-ff",            \
      "method 0 is chosen, although it is not offered")                        \
    X(5_FF_SILENT, "5-ff-silent", "5", "5-method-ff",                          \
      "closes without an answer when no method is acceptable")                 \
    X(5_FF_OPEN, "5-ff-stays-open", "5", "5-method-ff-closes 5-method-empty",  \
      "waits for the client to close behind 05 FF")                            \
    X(5_FF_SERVED, "5-ff-serves-on", "5", "5-method-ff-served",                \
      "serves the client behind 05 FF")                                        \
    X(5_METHODS_NONE, "5-no-methods-hangs", "5", "5-method-empty",             \
      "a greeting with no method is waited on for ever")                       \
    X(5_PIPELINED_LOST, "5-pipelined-lost", "5", "5-greeting-pipelined",       \
      "what follows the greeting in its segment is dropped")                   \
    X(5_GREETING_TIMER, "5-no-greeting-timer", "5", "5-greeting-timer",        \
      "half a greeting is kept for ever")                                      \
    X(5_REQUEST_TIMER, "5-no-request-timer", "5", "5-request-timer",           \
      "half a request is kept for ever")                                       \
    X(5_VERSION_ANY, "5-version-any", "5", "5-version-other",                  \
      "VER of a greeting is not looked at")                                    \
    X(5_REQUEST_VERSION, "5-request-version-any", "5", "5-request-version",    \
      "VER of a request is not looked at")                                     \
    /* version 5: requests */                                                  \
    X(5_IPV4_SILENT, "5-ipv4-silent", "5",                                     \
      "5-connect-ipv4 5-request-reserved 5-udp-answered "                      \
      "5-connect-timer-answered 5-greeting-pipelined",                         \
      "a request with an IPv4 address is closed without a reply")              \
    X(5_IPV6_SILENT, "5-ipv6-silent", "5", "5-connect-ipv6",                   \
      "a request with an IPv6 address is closed without a reply")              \
    X(5_NAME_SILENT, "5-name-silent", "5",                                     \
      "5-connect-name 5-connect-quad 5-name-unresolved",                       \
      "a request with a name is closed without a reply")                       \
    X(5_QUAD_SILENT, "5-quad-silent", "5", "5-connect-quad",                   \
      "a name that is written as an address is closed without a reply")        \
    X(5_EARLY_GRANT, "5-early-grant", "5",                                     \
      "5-connect-after 5-connect-bound 5-connect-timer-answered",              \
      "the grant is sent before the connection stands")                        \
    X(5_PORT_SWAPPED, "5-port-swapped", "5", "5-connect-port-order",           \
      "DST.PORT is read as little-endian")                                     \
    X(5_BOUND_ZEROS, "5-bound-zeros", "5", "5-connect-bound",                  \
      "BND.ADDR and BND.PORT of a granted CONNECT are zeros")                  \
    X(5_EARLY_DATA_LOST, "5-early-data-lost", "5", "5-early-data",             \
      "what follows the request in its segment is dropped")                    \
    X(5_NAME_255, "5-name-255-hangs", "5", "5-name-255",                       \
      "a name of more than 127 octets is not read to its end")                 \
    X(5_NAME_EMPTY, "5-name-empty-hangs", "5", "5-name-empty",                 \
      "an empty name is not seen to have ended")                               \
    X(5_NAME_NUL, "5-name-nul-cut", "5", "5-name-nul",                         \
      "a name is cut at a NUL")                                                \
    X(5_UNRESOLVED_SILENT, "5-unresolved-silent", "5", "5-name-unresolved",    \
      "closes without a reply when a name does not resolve")                   \
    X(5_TYPE_SILENT, "5-type-silent", "5", "5-type-answered",                  \
      "an unknown address type is closed without a reply")                     \
    X(5_TYPE_1, "5-type-code-1", "5", "5-type-code",                           \
      "an unknown address type is answered with 01")                           \
    X(5_COMMAND_SILENT, "5-command-silent", "5", "5-command-answered",         \
      "an unknown command is closed without a reply")                          \
    X(5_COMMAND_1, "5-command-code-1", "5", "5-command-code",                  \
      "an unknown command is answered with 01")                                \
    X(5_COMMAND_ANY, "5-command-any", "5", "5-command-granted",                \
      "an unknown command is taken for CONNECT")                               \
    X(5_RESERVED, "5-reserved-checked", "5", "5-request-reserved",             \
      "closes without a reply if RSV is not 0")                                \
    X(5_CONNECT_TIMER_SILENT, "5-connect-timer-silent", "5",                   \
      "5-connect-timer-answered",                                              \
      "closes without a reply when the connect timer passes")                  \
    X(5_CONNECT_STALLS, "5-connect-stalls", "5", "5-serves-many",              \
      "serves nobody else while it connects")                                  \
    /* version 5: replies */                                                   \
    X(5_REPLY_VERSION, "5-reply-version-4", "5",                               \
      "5-reply-version 5-bind-second", "VER of a grant is 4")                  \
    X(5_REPLY_RESERVED, "5-reply-rsv-1", "5", "5-reply-reserved",              \
      "RSV of a grant is 1")                                                   \
    X(5_REPLY_LONG, "5-reply-long", "5", "5-reply-whole",                      \
      "a grant has an octet too many")                                         \
    X(5_REFUSAL_VERSION, "5-refusal-version-4", "5", "5-refusal-version",      \
      "VER of a refusal is 4")                                                 \
    X(5_REFUSAL_CUT, "5-refusal-four-octets", "5", "5-refusal-whole",          \
      "a refusal ends behind its ATYP")                                        \
    X(5_REFUSAL_LONG, "5-refusal-long", "5", "5-refusal-whole",                \
      "a refusal has an octet too many")                                       \
    X(5_REFUSED_1, "5-refused-code-1", "5", "5-refusal-code",                  \
      "a connection that is refused is answered with 01")                      \
    /* version 5: BIND */                                                      \
    X(5_BIND_PORT_0, "5-bind-port-0", "5", "5-bind-port 5-bind-ipv6",          \
      "BND.PORT of the first reply is 0")                                      \
    X(5_BIND_ADDRESS, "5-bind-address-of-request", "5", "5-bind-address",      \
      "BND.ADDR of the first reply is the request's")                          \
    X(5_BIND_WRONG_SIDE, "5-bind-wrong-side", "5-hosts", "5-bind-reachable",   \
      "BND.ADDR of the first reply is the address that the client connected "  \
      "to")                                                                    \
    X(5_BIND_SECOND_NONE, "5-bind-no-second-reply", "5", "5-bind-second",      \
      "relays without a second reply")                                         \
    X(5_BIND_PEER_ZEROS, "5-bind-peer-zeros", "5", "5-bind-peer",              \
      "the second reply has zeros in place of the peer's address")             \
    X(5_BIND_IPV6, "5-bind-ipv6-as-4", "5", "5-bind-ipv6",                     \
      "listens on an IPv4 address for a host that has an IPv6 address")        \
    X(5_BIND_STRANGER_0, "5-bind-stranger-0", "5", "5-bind-stranger",          \
      "a stranger's connection is told as a success")                          \
    /* version 5: passwords */                                                 \
    X(5_PASSWORD_REFUSED, "5-password-refused", "password",                    \
      "5-password-right 5-password-pieces",                                    \
      "every password is refused, the right one too")                          \
    X(5_PASSWORD_ANY, "5-password-any", "password",                            \
      "5-password-wrong 5-password-user 5-password-empty 5-password-nobody "   \
      "5-password-longest",                                                    \
      "every password is right")                                               \
    X(5_PASSWORD_PREFIX, "5-password-prefix", "password", "5-password-wrong",  \
      "the password need only begin as the right one")                         \
    X(5_USER_ANY, "5-user-any", "password", "5-password-user",                 \
      "any user has this password")                                            \
    X(5_PASSWORD_OPTIONAL, "5-password-optional", "password",                  \
      "5-password-needed", "method 0 is chosen if it is offered")              \
    X(5_PASSWORD_VERSION, "5-password-version-any", "password",                \
      "5-password-version", "VER of the password is not looked at")            \
    X(5_STATUS_VERSION, "5-status-version-5", "password",                      \
      "5-password-right 5-password-status-version", "VER of the status is 5")  \
    X(5_PASSWORD_SILENT, "5-password-silent", "password",                      \
      "5-password-wrong 5-password-user 5-password-empty 5-password-nobody "   \
      "5-password-longest",                                                    \
      "closes without a status when the password is wrong")                    \
    X(5_PASSWORD_OPEN, "5-password-stays-open", "password",                    \
      "5-password-closes", "is not closed after a wrong password")             \
    X(5_PASSWORD_SKIPPED, "5-password-skipped", "password",                    \
      "5-password-skipped", "a request in place of the password is served")    \
    X(5_PASSWORD_EMPTY, "5-password-empty-right", "password",                  \
      "5-password-empty", "an empty password is right")                        \
    X(5_NOBODY, "5-nobody-right", "password", "5-password-nobody",             \
      "nobody without a password is somebody")                                 \
    X(5_PASSWORD_255, "5-password-255-hangs", "password",                      \
      "5-password-longest",                                                    \
      "a name of more than 127 octets is not read to its end")                 \
    X(5_PASSWORD_ONE_READ, "5-password-one-read", "password",                  \
      "5-greeting-pieces 5-password-pieces",                                   \
      "the password is expected to come in one piece")                         \
    /* version 5: UDP ASSOCIATE */                                             \
    X(5_UDP_SILENT, "5-udp-silent", "5", "5-udp-answered",                     \
      "UDP ASSOCIATE is closed without a reply")                               \
    X(5_UDP_UNSERVED, "5-udp-unserved", "5", "",                               \
      "UDP ASSOCIATE is answered with 07: not served")                         \
    X(5_UDP_PORT_0, "5-udp-port-0", "5", "5-udp-port",                         \
      "BND.PORT of the reply is 0")                                            \
    X(5_UDP_ZEROS, "5-udp-zeros-refused", "5", "5-udp-zeros",                  \
      "an association with zeros for the client's address is refused")         \
    X(5_UDP_TARGET, "5-udp-dst-is-target", "5",                                \
      "5-udp-relays 5-udp-zeros 5-udp-name 5-udp-fragment 5-udp-first "        \
      "5-udp-malformed",                                                       \
      "DST of the request is taken for where the datagrams go")                \
    X(5_UDP_BARE, "5-udp-no-header", "5", "5-udp-relays 5-udp-unasked",        \
      "datagrams for the client have no header")                               \
    X(5_UDP_SOURCE, "5-udp-other-source", "5", "5-udp-source",                 \
      "datagrams for the client come from another port")                       \
    X(5_UDP_NAME, "5-udp-name-lost", "5", "5-udp-name",                        \
      "a datagram to a name is dropped")                                       \
    X(5_UDP_FRAGMENT, "5-udp-fragment-relayed", "5", "5-udp-fragment",         \
      "FRAG is not looked at")                                                 \
    X(5_UDP_FIRST, "5-udp-first-sender", "5", "5-udp-first",                   \
      "whoever sends the first datagram is taken for the client")              \
    X(5_UDP_STRANGER, "5-udp-stranger-relayed", "5",                           \
      "5-udp-stranger 5-udp-first", "datagrams from any address are relayed")  \
    X(5_UDP_MALFORMED, "5-udp-malformed-ends", "5", "5-udp-malformed",         \
      "half a header ends the association")                                    \
    X(5_UDP_UNASKED, "5-udp-unasked-relayed", "5", "5-udp-unasked",            \
      "datagrams from anywhere reach the client")                              \
    X(5_UDP_GOES_ON, "5-udp-goes-on", "5", "5-udp-ends",                       \
      "the association outlives its connection")                               \
    X(5_TLS_PLAIN, "5-tls-plain-too", "5-tls", "5-tls-plain",                  \
      "a greeting without TLS is served, too")                                 \
    /* what only clients can object to */                                      \
    X(PIECES, "reply-in-pieces", "clients", "",                                \
      "a reply comes octet by octet")                                          \
    X(GLUED, "reply-glued", "clients", "",                                     \
      "the application server's first data comes in the reply's segment")      \
    X(ADDRESS_SET, "reply-address-set", "clients", "",                         \
      "DSTPORT and DSTIP of a reply to CONNECT are full of ones")              \
    X(GRANT_4, "grant-version-4", "clients", "", "VN of a grant is 4")         \
    X(GRANT_SHORT, "grant-cut", "clients", "",                                 \
      "closes after seven octets of a grant")                                  \
    X(GRANT_CODE_0, "grant-code-0", "clients", "", "CD of a grant is 0")       \
    X(GRANT_NEVER, "never-answers", "clients", "", "never answers a request")  \
    X(GRANT_CLOSES, "closes", "clients", "", "closes without a reply")         \
    X(GRANT_RESETS, "resets", "clients", "", "resets without a reply")         \
    X(ALL_91, "refuses-91", "clients", "", "refuses everything with 91")       \
    X(ALL_92, "refuses-92", "clients", "", "refuses everything with 92")       \
    X(ALL_93, "refuses-93", "clients", "", "refuses everything with 93")       \
    X(REFUSED_OPEN, "refuses-stays-open", "clients", "",                       \
      "refuses with 91 and does not close")                                    \
    X(SERVES_ONE, "serves-one", "clients", "", "serves one client at a time")  \
    X(DIES, "dies", "clients", "", "exits at a command it does not know")      \
    X(TALKS_HTTP, "talks-http", "clients", "", "answers as a web server does")

#define DEFECT_ENUM(id, name, as, caught, text) DEFECT_##id,
enum defect { DEFECTS(DEFECT_ENUM) DEFECT_COUNT };

/* Whether this server has it. */
bool defect_is(enum defect defect);

/* What a good client does with it: "fails: VN of a reply is 0". */
const char *defect_good(enum defect defect);

#endif
