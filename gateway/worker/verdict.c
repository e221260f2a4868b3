#include "gateway/worker/verdict.h"

#include <stddef.h>

const struct verdict_row verdict_rows[VERDICT_COUNT] = {
#define X(symbol, name, class, level, by, end)                                 \
    {name, VERDICT_##class, LOG_LEVEL_##level, BY_##by, END_##end},
    VERDICTS(X)
#undef X
};

const char *
verdict_hint(enum verdict verdict)
{
    static const char *const hints[VERDICT_COUNT] = {
        [V_SOCKS5] = "looks like SOCKS5: the listener's socks5: true would "
                     "serve it",
        [V_TLS] = "looks like TLS",
        [V_TLS_CUT] = "the client ended the connection inside the handshake",
        [V_TLS_LATE] = "the handshake took longer than timeouts.request",
        [V_HTTP] = "looks like HTTP",
        [V_PROXY] = "the listener's proxy_protocol does not have the address "
                    "that the header came from",
        [V_PROXY_MISSING] = "the listener's proxy_protocol has this address: "
                            "let it send PROXY headers",
        [V_PROXY_CUT] = "the connection ended inside the PROXY header",
        [V_PROXY_LATE] = "the PROXY header took longer than timeouts.request",
        [V_HTTP_OR_PROXY] = "looks like HTTP or a PROXY header",
        [V_SSH] = "looks like SSH",
        [V_TELNET] = "looks like telnet",
        [V_RDP] = "looks like RDP",
        [V_UNENDED_CUT] = "no NUL came behind the USERID or the name",
        [V_UNENDED_LATE] = "no NUL came behind the USERID or the name",
        [V_BIND_ALONE] = "the rule has require_connect: true, and the client "
                         "has no live CONNECT to this destination",
        [V_BIND_NO_ADDRESS] = "no route to the server, or bind.address is not "
                              "an address of this machine",
        [V_SOCKS4A_OFF] = "the listener's socks4a: true would allow it",
        [V_PARENT_UNREACHABLE] = "no connection to the parent: look whether it "
                                 "runs, and at parents[].address",
        [V_PARENT_NAME] = "the resolver knows no address of the parent's name",
        [V_PARENT_SELF] = "the parent's address is a listener of this gateway",
        [V_PARENT_NO_IPV6] = "the parent's address is IPv6, and this machine "
                             "has none, or no port left, to connect from",
        [V_PARENT_LATE] = "the parent did not answer within its share of "
                          "timeouts.connect",
        [V_PARENT_REFUSED] = "the parent refused: its log says why",
        [V_PARENT_NO_IDENTD] =
            "the parent asked this gateway's identd, in vain",
        [V_PARENT_OTHER_USER] = "the parent says that USERID is another user",
        [V_PARENT_METHOD] = "the parent wants authentication (see "
                            "parents[].user), or serves no SOCKS5: protocol: "
                            "socks4a would ask it in version 4",
        [V_PARENT_PASSWORD] = "the parent refused the user or the password: "
                              "look at parents[].user and its password_file",
        [V_PARENT_FORBIDS] = "the parent's rules do not allow it",
        [V_PARENT_NO_NETWORK] = "the parent cannot reach the server's network",
        [V_PARENT_NO_HOST] = "the parent cannot reach the server",
        [V_PARENT_SERVER_REFUSES] = "the server refused the parent's "
                                    "connection",
        [V_PARENT_SERVER_LATE] = "the server did not answer the parent in time",
        [V_PARENT_NO_COMMAND] = "the parent does not have this command",
        [V_PARENT_NO_TYPE] = "the parent does not have this type of address",
        [V_PARENT_MALFORMED] = "what the parent sent is not a reply of the "
                               "version that it is asked in: look at "
                               "parents[].protocol",
        [V_PARENT_CLOSED] = "the parent ended the connection without a reply",
        [V_EGRESS_ADDRESS] = "egress.address is not an address of this machine",
        [V_EGRESS_OF_RULE] = "an address in the rule's egress is not an "
                             "address of this machine",
        [V_DENIED_LOOPBACK] =
            "the set loopback in the rule's to would allow it",
        [V_DENIED_LINK_LOCAL] =
            "the set link-local in the rule's to would allow it",
        [V_DENIED_SELF] = "an address of this machine: the set self in the "
                          "rule's to would allow it",
        [V_DENIED_RANGE] = "a special range: naming it in the rule's to would "
                           "allow it",
        [V_NAME_FAILED] = "no DNS server can be reached, or it says that it "
                          "failed: look at resolver.servers, or at "
                          "/etc/resolv.conf",
        [V_NAME_LATE] = "no DNS server answered within timeouts.resolve: look "
                        "at resolver.servers, or at /etc/resolv.conf, and at "
                        "firewalls (port 53)",
        [V_IDENT_REFUSED] = "no identd listens at port 113 of the client",
        [V_IDENT_UNREACHABLE] = "port 113 of the client cannot be reached",
        [V_IDENT_LATE] = "no answer from port 113 of the client within "
                         "timeouts.ident: a firewall drops it, or its identd "
                         "is slow",
        [V_SOCKS4A_ONLY] = "the listener serves names alone",
        [V_SOCKS5_ONLY] = "the listener has socks5: only; true would serve "
                          "version 4 as well",
        [V_NO_METHOD] = "the client does not offer to go without "
                        "authentication: remove the user and the "
                        "password from its settings",
        [V_PASSWORD_MISSING] = "a rule asks for a password, and the client "
                               "offers none: give it one, or add auth: [none] "
                               "to the rule for it",
        [V_PASSWORD_MALFORMED] = "what the client sent is not a user name and "
                                 "a password (RFC 1929)",
        [V_PASSWORD_WRONG] = "the users file has no such user, or another "
                             "password for it; `socks4d passwd' sets one",
        [V_PASSWORD_LIMITED] = "too many wrong passwords from this source; it "
                               "has to wait",
        [V_PASSWORD_UNCHECKED] = "the authenticator cannot check passwords; "
                                 "see the log",
        [V_PASSWORD_OVERLOADED] = "the authenticator has no room, and this "
                                  "source asks most",
        [V_PASSWORD_LATE] = "the authenticator did not answer within "
                            "timeouts.request",
        [V_SOCKS5_MALFORMED] = "what came behind the greeting is not a request",
        [V_PARENT_IPV6] = "SOCKS 4 carries IPv4 addresses alone: it is the "
                          "parent's version, or the client's",
    };
    return hints[verdict];
}

const char *
verdict_by_text(enum verdict_by by)
{
    static const char *const texts[] = {"client", "server", "gateway",
                                        "operator"};
    return texts[by];
}

const char *
verdict_end_text(enum verdict_end end)
{
    static const char *const texts[] = {"fin",   "reset", "timeout",  "limit",
                                        "drain", "error", "truncated"};
    return texts[end];
}
