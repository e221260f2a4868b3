/* The option table: one row an option, in the order of the manual. */

#include "gateway/config/config.h"
#include "gateway/config/listeners.h"
#include "gateway/config/rule_terms.h"
#include "gateway/config/rules.h"
#include "gateway/config/section.h"
#include "gateway/config/sets.h"
#include "gateway/config/value.h"

#define AT(field) offsetof(struct config, field)
#define LISTENER(field) offsetof(struct config_listener, field)
#define RULE(field) offsetof(struct rule, field)

#define HOUR UINT64_C(3600000)
#define DAY (24 * HOUR)
#define MILLION UINT64_C(1000000)
#define GIGA (UINT64_C(1) << 30)

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* clang-format off */
const struct option options[] = {
    {"listen", &type_listeners, 0, 0, "", 0, 0, NULL,
     "Where clients are served. Without it: 127.0.0.1:1080, named local."},
    {"listen[].address", &type_endpoint, LISTENER(at), 0, NULL, 0, 0, NULL,
     "Address and port; IPv6 in brackets, and then IPv6 only."},
    {"listen[].name", &type_name, LISTENER(name), 0, "", 0, 0, NULL,
     "What rules and records call it. Unnamed: listener-N."},
    {"listen[].socks4a", &type_choice, LISTENER(socks4a), 0, "false", 0, 0,
     NAMES("false", "true", "only"),
     "Whether SOCKS 4A requests, which carry a name, are served: not at all, "
     "beside version 4, or alone."},
    {"listen[].insecure_plaintext", &type_bool,
     LISTENER(insecure_plaintext), 0, "false", 0, 0, NULL,
     "Must be true where a listener without TLS is not on loopback: "
     "everything passes readable."},
    {"workers", &type_count, AT(workers), 0, "auto", 1, CONFIG_WORKERS_MAX,
     NULL, "Processes that serve; auto is one for each processor this "
     "process may use."},
    {"user", &type_user, AT(user), 0, "auto", 0, 0, NULL,
     "Whom workers run as when started as root; auto is socks4d if there is "
     "such a user, else nobody."},
    {"sandbox", &type_choice, AT(sandbox), 0, "try", 0, 0,
     NAMES("try", "require", "off"),
     "Confinement of the children: as far as it can be had, all that can be "
     "had or no start, or none."},
    {"sets", &type_sets, 0, 0, "", 0, 0, NULL,
     "Named lists of networks and other sets, for rules. Always there: any, "
     "public, private, loopback, link-local, multicast, this-network, self."},
    {"rules", &type_rules, 0, 0, "", 0, 0, NULL,
     "Who may reach what: the first rule that matches decides; where none "
     "does, the request is refused."},
    {"rules[].name", &type_name, RULE(name), 0, "", 0, 0, NULL,
     "What records call it. Unnamed: rule-N."},
    {"rules[].action", &type_action, RULE(allow), 0, NULL, 0, 0,
     NAMES("deny", "allow"), "allow or deny."},
    {"rules[].from", &type_from, RULE(from), 0, NULL, 0, 0, NULL,
     "Networks and sets the client is in."},
    {"rules[].listener", &type_rule_listeners, RULE(listeners), 0, "[]", 0, 0,
     NULL, "Names of listeners it came through; empty: any."},
    {"rules[].command", &type_commands, RULE(commands), 0, "[connect]", 0, 0,
     NULL, "connect, bind or both. A deny rule that does not say means both."},
    {"rules[].to", &type_to, RULE(to), 0, NULL, 0, 0, NULL,
     "Networks and sets the application server is in; for SOCKS 4A also a "
     "name, or .suffix for all names below it."},
    {"rules[].port", &type_rule_ports, RULE(ports), 0, "[]", 0, UINT16_MAX,
     NULL, "Ports of the application server, and ranges (8000-8100); empty: "
     "any."},
    {"rules[].user", &type_userids, RULE(users), 0, "[]", 0, 0, NULL,
     "USERIDs, exact or with a trailing * their beginning; empty: any. A "
     "claim of the client, no more."},
    {"rules[].ident", &type_choice, RULE(ident), 0, "off", 0, 0,
     NAMES("off", "log", "require"),
     "Whether the client's identd is asked, and must agree with USERID."},
    {"rules[].peer", &type_peer, RULE(peer), 0, "exact", 0, 0,
     NAMES("exact", "any"),
     "Who may connect to a BIND: DSTIP exactly, anyone, or a list of networks "
     "and sets."},
    {"rules[].require_connect", &type_bool, RULE(require_connect), 0, "false",
     0, 0, NULL,
     "BIND only for a client that has a live CONNECT to the same DSTIP."},
    {"timeouts", &type_section, 0, 0, "", 0, 0, NULL, "How long things may "
     "take, each counted from its start; idle and half_closed from the last "
     "octet moved."},
    {"timeouts.request", &type_duration, AT(timeouts.request_ms), 0, "10s", 1,
     HOUR, NULL, "From accept to the request's last octet."},
    {"timeouts.ident", &type_duration, AT(timeouts.ident_ms), 0, "5s", 1,
     HOUR, NULL, "The client's identd."},
    {"timeouts.resolve", &type_duration, AT(timeouts.resolve_ms), 0, "5s", 1,
     HOUR, NULL, "A name."},
    /* The draft wants a limit for both, about two minutes [V4-5-1]. */
    {"timeouts.connect", &type_duration, AT(timeouts.connect_ms), 0, "2m", 1,
     DAY, NULL, "A CONNECT's connection to the application server."},
    {"timeouts.bind", &type_duration, AT(timeouts.bind_ms), 0, "1m", 1, DAY,
     NULL, "A BIND's wait for the application server."},
    {"timeouts.idle", &type_duration, AT(timeouts.idle_ms), 0, "12h", 0,
     365 * DAY, NULL, "A session in which nothing moves; 0: no such limit."},
    {"timeouts.half_closed", &type_duration, AT(timeouts.half_closed_ms), 0,
     "5m", 0, 365 * DAY, NULL,
     "The same once one side has ended its stream; 0: no such limit."},
    {"timeouts.drain", &type_duration, AT(timeouts.drain_ms), 0, "5m", 0,
     365 * DAY, NULL,
     "Live sessions after TERM or INT; 0: no such limit."},
    {"limits", &type_section, 0, 0, "", 0, 0, NULL,
     "How much there may be at once."},
    {"limits.sessions", &type_count, AT(limits.sessions), 0, "auto", 1,
     100 * MILLION, NULL, "Sessions in all; auto is what descriptors and "
     "memory allow, 24 KiB a session."},
    {"limits.pending", &type_count, AT(limits.pending), 0, "auto", 1,
     100 * MILLION, NULL, "Sessions that do not relay yet; auto is a quarter "
     "of sessions."},
    {"limits.userid", &type_count, AT(limits.userid), 0, "1023", 1,
     CONFIG_USERID_MAX, NULL, "Octets of a USERID; a longer one is refused."},
    {"limits.memory", &type_size, AT(limits.memory), 0, "auto", 1 << 20,
     1024 * 1024 * GIGA, NULL, "Memory that sessions are reckoned from; auto "
     "is what this machine or control group has."},
    {"limits.per_source", &type_section, 0, 0, "", 0, 0, NULL,
     "The same for one source: an IPv4 address or an IPv6 /64."},
    {"limits.per_source.sessions", &type_count,
     AT(limits.per_source.sessions), 0, "auto", 1, 100 * MILLION, NULL,
     "Sessions; auto is an eighth of sessions, at least 64, and no limit of its "
     "own for this machine (loopback)."},
    {"limits.per_source.pending", &type_count, AT(limits.per_source.pending),
     0, "256", 1, 100 * MILLION, NULL, "Sessions that do not relay yet."},
    {"limits.per_source.binds", &type_count, AT(limits.per_source.binds), 0,
     "16", 1, 65535, NULL, "BINDs that wait."},
    {"limits.per_source.rate", &type_count, AT(limits.per_source.rate), 0,
     "auto", 1, 100 * MILLION, NULL, "New connections a second; auto is 200, "
     "and no limit for this machine (loopback)."},
    {"relay", &type_section, 0, 0, "", 0, 0, NULL, "How octets are moved."},
    {"relay.splice", &type_choice, AT(splice), 0, "auto", 0, 0,
     NAMES("auto", "never", "always"),
     "Whether they stay in the kernel: for bulk, never, or from the start."},
    {"connect_reply", &type_choice, AT(connect_reply), 0, "address", 0, 0,
     NAMES("address", "zeros"),
     "What a granted CONNECT's reply names: the gateway's own address and "
     "port towards the application server, or zeros."},
    {"bind", &type_section, 0, 0, "", 0, 0, NULL, "What a BIND listens on."},
    {"bind.address", &type_source, AT(bind.address), AT(bind.address_auto),
     "auto", 0, 0, NULL,
     "IPv4 address to listen on; auto is the one that faces DSTIP."},
    {"bind.advertise", &type_advertise, AT(bind.advertise),
     AT(bind.advertise_set), "none", 0, 0, NULL,
     "IPv4 address the first reply names instead, where NAT is in front."},
    {"bind.ports", &type_ports, AT(bind.port_first), AT(bind.port_last), "0",
     0, UINT16_MAX, NULL, "Ports to listen on (40000-40999); 0: any."},
    {"bind.on_stranger", &type_choice, AT(bind.on_stranger), 0, "refuse", 0,
     0, NAMES("refuse", "ignore"),
     "When somebody else than the peer connects: end the BIND, or go on "
     "waiting."},
    {"egress", &type_section, 0, 0, "", 0, 0, NULL,
     "How application servers are reached."},
    {"egress.address", &type_source, AT(egress.address),
     AT(egress.address_auto), "auto", 0, 0, NULL,
     "IPv4 address to connect from; auto is the system's choice."},
    {"resolver", &type_section, 0, 0, "", 0, 0, NULL,
     "How names are resolved."},
    {"resolver.servers", &type_servers, 0, 0, "[]", 0, 0, NULL,
     "DNS servers, ADDRESS or ADDRESS:PORT; empty: the system's."},
    {"log", &type_section, 0, 0, "", 0, 0, NULL,
     "Where records and messages go."},
    {"log.target", &type_target, AT(log.target), AT(log.path), "stderr", 0, 0,
     NAMES("stderr", "syslog", "file:PATH"),
     "stderr, syslog or file:PATH; a file is opened again on "
     "USR1 and on HUP."},
    {"log.format", &type_choice, AT(log.format), 0, "text", 0, 0,
     NAMES("text", "json"), "text (key=value) or json, a line each."},
    {"log.level", &type_choice, AT(log.level), 0, "info", 0, 0,
     log_level_names,
     "The least that is written: sessions are info, refusals notice."},
};

/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const size_t option_count = COUNT(options);

_Static_assert(COUNT(options) <= OPTION_COUNT_MAX, "one bit an option");
