/* The option table: one row an option, in the order of the manual. */

#include "gateway/config/auth.h"
#include "gateway/config/config.h"
#include "gateway/config/listeners.h"
#include "gateway/config/parents.h"
#include "gateway/config/rule_terms.h"
#include "gateway/config/rules.h"
#include "gateway/config/section.h"
#include "gateway/config/sets.h"
#include "gateway/config/tls.h"
#include "gateway/config/value.h"
#include "gateway/config/way_out.h"

#define AT(field) offsetof(struct config, field)
#define LISTENER(field) offsetof(struct config_listener, field)
#define TLS(field) offsetof(struct config_tls, field)
#define PARENT(field) offsetof(struct config_parent, field)
#define RULE(field) offsetof(struct rule, field)

#define HOUR UINT64_C(3600000)
#define DAY (24 * HOUR)
#define TCP_SECONDS_MAX UINT64_C(32767000) /* what the kernel takes */
#define MILLION UINT64_C(1000000)
#define GIGA (UINT64_C(1) << 30)

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* clang-format off */
const struct option options[] = {
    {"listen", &type_listeners, 0, 0, "", 0, 0, NULL,
     "The listeners, to which clients connect. Default: 127.0.0.1:1080, named "
     "local."},
    {"listen[].address", &type_endpoint, LISTENER(at), 0, NULL, 0, 0, NULL,
     "Address and port. IPv6 is written in brackets and means IPv6 only."},
    {"listen[].name", &type_name, LISTENER(name), 0, "", 0, 0, NULL,
     "The listener's name in rules and records. Default: listener-N."},
    {"listen[].socks4a", &type_choice, LISTENER(socks4a), 0, "false", 0, 0,
     NAMES("false", "true", "only"),
     "Whether the listener serves SOCKS 4A requests, which have a name: not at "
     "all (false), besides version 4 (true), or exclusively (only)."},
    {"listen[].socks5", &type_choice, LISTENER(socks5), 0, "false", 0, 0,
     NAMES("false", "true", "only"),
     "Whether the listener serves SOCKS5 (RFC 1928): not at all (false), "
     "besides version 4 and 4A (true), or exclusively (only)."},
    {"listen[].insecure_plaintext", &type_bool,
     LISTENER(insecure_plaintext), 0, "false", 0, 0, NULL,
     "Must be true if a listener without TLS is not on loopback: everyone on "
     "the path can read the data, and the passwords of SOCKS5."},
    {"listen[].freebind", &type_bool, LISTENER(freebind), 0, "false", 0, 0,
     NULL, "Start even if this machine does not have the address yet; clients "
     "can connect when it has."},
    {"listen[].proxy_protocol", &type_networks, LISTENER(proxy_protocol), 0,
     "[]", 0, 0, NULL,
     "Networks and sets of the balancers in front of the listener. A connection "
     "from there must begin with a PROXY header, version 1 or 2, whose client "
     "is the client from then on; a connection from elsewhere must not."},
    {"listen[].proxy_certificate", &type_bool, LISTENER(proxy_certificate), 0,
     "false", 0, 0, NULL,
     "Whether the header of a balancer also says what certificate the client "
     "has: the common name that the balancer verified counts as its only name."},
    {"listen[].tls", &type_tls, LISTENER(tls), 0, "", 0, 0, NULL,
     "TLS around the protocol; such a listener needs no insecure_plaintext. "
     "Default: off. A path is relative to the folder of the configuration; all "
     "files are PEM, and are read at the start and on HUP."},
    {"listen[].tls.certificate", &type_file, TLS(certificate), 0, NULL, 0, 0,
     NULL, "The gateway's certificate, and the certificates of the CAs between "
     "it and the one that clients know."},
    {"listen[].tls.key", &type_file, TLS(key), 0, NULL, 0, 0, NULL,
     "The private key of the certificate, not encrypted. Only the signer, a "
     "process of its own, reads it."},
    {"listen[].tls.client", &type_choice, TLS(client), 0, "off", 0, 0,
     NAMES("off", "request", "require"),
     "Whether the gateway asks clients for a certificate: no (off), and they "
     "may have none (request), or must have one (require). One that ca does "
     "not verify ends the connection."},
    {"listen[].tls.ca", &type_file, TLS(ca), 0, "none", 0, 0, NULL,
     "The CAs that verify the certificates of clients."},
    {"listen[].tls.crl", &type_file, TLS(crl), 0, "none", 0, 0, NULL,
     "Lists of revoked certificates, one of every CA in a client's chain; a "
     "list that has expired refuses all certificates of its CA."},
    {"listen[].tls.min_version", &type_choice, TLS(min_version), 0, "1.3", 0,
     0, NAMES("1.3", "1.2"), "The lowest version of TLS that is spoken; 1.2 "
     "with authenticated encryption and forward secrecy only."},
    {"listen[].tls.user", &type_choice, TLS(user), 0, "any", 0, 0,
     NAMES("any", "certificate"),
     "Whether USERID must be one of the names in the client's certificate; "
     "another is refused with 93."},
    {"listen[].tls.tickets", &type_count, TLS(tickets), 0, "auto", 0, 16, NULL,
     "Session tickets that a client is given to resume without a full "
     "handshake; auto is 2, and 0 where clients are asked for a certificate."},
    {"workers", &type_count, AT(workers), 0, "auto", 1, CONFIG_WORKERS_MAX,
     NULL, "Number of worker processes; auto is one for each processor that "
     "this process may use."},
    {"user", &type_user, AT(user), 0, "auto", 0, 0, NULL,
     "The user as which the children run if socks4d is started as root; auto "
     "is socks4d if that user exists, else nobody."},
    {"sandbox", &type_choice, AT(sandbox), 0, "try", 0, 0,
     NAMES("try", "require", "off"),
     "Confinement of the children: every layer that is available (try), no "
     "start if an available layer fails (require), or none (off)."},
    {"sets", &type_sets, 0, 0, "", 0, 0, NULL,
     "Named lists of networks, names, other sets and files of them, for rules. "
     "Always defined: any, "
     "public, private, loopback, link-local, multicast, this-network, self."},
    {"parents", &type_parents, 0, 0, "", 0, 0, NULL,
     "Other gateways, through which rules can lead (rules[].via)."},
    {"parents[].name", &type_name, PARENT(name), 0, NULL, 0, 0, NULL,
     "The parent's name in rules and records."},
    {"parents[].address", &type_parent_addresses, 0, 0, NULL, 0, 0, NULL,
     "Its address and port, or its name and port, which the resolver looks up; "
     "several are tried in order."},
    {"parents[].protocol", &type_choice, PARENT(protocol), 0, "same", 0, 0,
     NAMES("same", "socks4", "socks4a", "socks5"),
     "What the gateway speaks to it: 4 as 4 and 4A as 4A, octet for octet, and "
     "5 as 5 (same), always version 4 (socks4), or 4A where there is a name "
     "(socks4a), or always version 5 (socks5)."},
    {"parents[].names", &type_choice, PARENT(names), 0, "pass", 0, 0,
     NAMES("pass", "resolve"),
     "Whether a name is passed to it (pass), or looked up here, and the parent "
     "is asked for the address (resolve), as with protocol: socks4."},
    {"parents[].userid", &type_parent_userid, PARENT(userid), 0, "pass", 0, 0,
     NULL, "The USERID that it is told: that of the request (pass), or this "
     "one. Version 5 has none."},
    {"parents[].user", &type_parent_user, PARENT(user), 0, "none", 0, 0, NULL,
     "The user as which this gateway signs in at a parent of version 5 that "
     "asks for one (RFC 1929); none: without a user."},
    {"parents[].password_file", &type_file, PARENT(password_file), 0, "none", 0,
     0, NULL, "The file whose first line is that user's password. A path is "
     "relative to the folder of the configuration. The file is read at the "
     "start and on HUP."},
    {"parents[].retry", &type_choice, PARENT(retry), 0, "unreachable", 0, 0,
     NAMES("unreachable", "refused"),
     "When the next parent is tried: if this one cannot be reached or does not "
     "answer (unreachable), or also if it refuses (refused)."},
    {"parents[].tls", &type_parent_tls, PARENT(tls), 0, "", 0, 0, NULL,
     "TLS 1.3 to the parent, whose certificate is verified. Default: off. A "
     "path is relative to the folder of the configuration; all files are PEM, "
     "and are read at the start and on HUP."},
    {"parents[].tls.ca", &type_file, TLS(ca), 0, "system", 0, 0, NULL,
     "The CAs that verify the parent's certificate; system: those of this "
     "machine (/etc/ssl/certs/ca-certificates.crt)."},
    {"parents[].tls.name", &type_tls_name, TLS(name), 0, "auto", 0, 0, NULL,
     "The name or address that the parent's certificate must have; auto: the "
     "host in parents[].address."},
    {"parents[].tls.certificate", &type_file, TLS(certificate), 0, "none", 0, 0,
     NULL, "The certificate that this gateway shows if the parent asks for "
     "one, and those between it and the CA that the parent knows."},
    {"parents[].tls.key", &type_file, TLS(key), 0, "none", 0, 0, NULL,
     "The private key of that certificate, not encrypted. Only the signer, a "
     "process of its own, reads it."},
    {"parents[].insecure_plaintext", &type_bool, PARENT(insecure_plaintext), 0,
     "false", 0, 0, NULL,
     "Must be true if a parent without TLS is not on loopback: everyone on the "
     "path can read the data."},
    {"rules", &type_rules, 0, 0, "", 0, 0, NULL,
     "Which client may reach which server: the first rule that matches "
     "decides; if no rule matches, the request is refused."},
    {"rules[].name", &type_name, RULE(name), 0, "", 0, 0, NULL,
     "The rule's name in records. Default: rule-N."},
    {"rules[].action", &type_action, RULE(allow), 0, NULL, 0, 0,
     NAMES("deny", "allow"), "allow or deny."},
    {"rules[].from", &type_from, RULE(from), 0, NULL, 0, 0, NULL,
     "Networks and sets that contain the client's address."},
    {"rules[].listener", &type_rule_listeners, RULE(listeners), 0, "[]", 0, 0,
     NULL, "Names of the listeners that the client may have used; empty: any."},
    {"rules[].command", &type_commands, RULE(commands), 0, "[connect]", 0, 0,
     NULL, "connect, bind, udp (of SOCKS5). The default of a deny rule is all of "
     "them."},
    {"rules[].version", &type_versions, RULE(versions), 0, "[]", 0, 0,
     NAMES("4", "4a", "5"),
     "The request's version of SOCKS: 4, 4A where it names the server, or 5; "
     "empty: any. The listener's socks4a and socks5 say which are served."},
    {"rules[].to", &type_to, RULE(to), 0, NULL, 0, 0, NULL,
     "Networks and sets that contain the application server's address; where "
     "the request names the server (SOCKS 4A, SOCKS5) also its name, or .suffix "
     "for all names below a domain."},
    {"rules[].port", &type_rule_ports, RULE(ports), 0, "[]", 0, UINT16_MAX,
     NULL, "Ports of the application server and ranges of ports (8000-8100); "
     "empty: any."},
    {"rules[].user", &type_userids, RULE(users), 0, "[]", 0, 0, NULL,
     "USERIDs, or the beginning of USERIDs with a trailing *; empty: any. A "
     "USERID is a claim of the client and proves nothing."},
    {"rules[].certificate", &type_certificates, RULE(certificates), 0, "[]", 0,
     0, NULL,
     "Names of the client's certificate: exact, .suffix for all names below a "
     "domain, or the beginning of names with a trailing *; any alone: any "
     "verified certificate; empty: with or without one. DNS names are "
     "compared in lower case."},
    {"rules[].auth", &type_auth, RULE(auth), 0, "[]", 0, 0,
     NAMES("none", "password", "certificate"),
     "How the client has proved who it is: not at all (none), by the password "
     "of a SOCKS5 user, or by a verified certificate; empty: any of them. A "
     "rule with password has SOCKS5 clients that it may match asked for one; "
     "who offers none is refused, unless a rule that may match names none."},
    {"rules[].ident", &type_choice, RULE(ident), 0, "off", 0, 0,
     NAMES("off", "log", "require"),
     "Whether the gateway asks the client's identd: no (off), for the record "
     "(log), or to refuse the request unless it names USERID (require)."},
    {"rules[].peer", &type_peer, RULE(peer), 0, "exact", 0, 0,
     NAMES("exact", "any"),
     "The hosts that may connect to a BIND: exactly DSTIP, any host, or a "
     "list of networks and sets."},
    {"rules[].require_connect", &type_bool, RULE(require_connect), 0, "false",
     0, 0, NULL,
     "Grant a BIND only to a client that has a live CONNECT to the same "
     "DSTIP; of a name, only the addresses that have one may be the peer."},
    {"rules[].via", &type_rule_via, 0, 0, "[]", 0, 0, NULL,
     "Names of the parents through which the gateway connects, tried in order; "
     "empty: it connects directly."},
    {"rules[].egress", &type_rule_egress, 0, 0, "auto", 0, 0, NULL,
     "IPv4 addresses of this machine from which the gateway connects for this "
     "rule, several in turn; auto: as egress.address says."},
    {"rules[].send_proxy", &type_choice, RULE(send_proxy), 0, "off", 0, 0,
     NAMES("off", "v1", "v2"),
     "Whether a CONNECT sends a PROXY header to the application server in front "
     "of everything else, with the client's address and the server's: no (off), "
     "or in that version. A BIND sends none."},
    {"rules[].timeouts", &type_section, 0, 0, "", 0, 0, NULL,
     "The timeouts of the sessions that this rule grants; auto: those of all "
     "sessions."},
    {"rules[].timeouts.connect", &type_duration, RULE(timeouts.connect_ms), 0,
     "auto", 1, DAY, NULL, "In place of timeouts.connect."},
    {"rules[].timeouts.bind", &type_duration, RULE(timeouts.bind_ms), 0,
     "auto", 1, DAY, NULL, "In place of timeouts.bind."},
    {"rules[].timeouts.idle", &type_duration, RULE(timeouts.idle_ms), 0,
     "auto", 0, 365 * DAY, NULL,
     "In place of timeouts.idle; 0: no such limit."},
    {"rules[].timeouts.half_closed", &type_duration,
     RULE(timeouts.half_closed_ms), 0, "auto", 0, 365 * DAY, NULL,
     "In place of timeouts.half_closed; 0: no such limit."},
    {"rules[].log", &type_section, 0, 0, "", 0, 0, NULL,
     "The lines of the sessions that this rule decides; auto: as for all "
     "sessions."},
    {"rules[].log.level", &type_choice, RULE(log.level), 0, "auto", 0, 0,
     NAMES("auto", "error", "warning", "notice", "info", "debug"),
     "In place of log.level: with warning, say, the rule's sessions have no "
     "records."},
    {"rules[].log.start", &type_choice, RULE(log.start), 0, "auto", 0, 0,
     NAMES("auto", "false", "true"), "In place of log.start."},
    {"auth", &type_section, 0, 0, "", 0, 0, NULL,
     "Who the users of SOCKS5 are, for rules with auth: [password]."},
    {"auth.users", &type_file, AT(auth.users), 0, "none", 0, 0, NULL,
     "The users file: a line name:hash each, as `socks4d passwd' makes them. A "
     "path is relative to the folder of the configuration. The file is read at "
     "the start and on HUP; only the authenticator, a process of its own, "
     "computes hashes."},
    {"auth.pam", &type_pam, 0, 0, "none", 0, 0, NULL,
     "Only none is accepted. PAM is not offered: its modules open files, connect "
     "to services and run programs, so a process with them cannot be confined."},
    {"timeouts", &type_section, 0, 0, "", 0, 0, NULL, "How long each phase may "
     "take, counted from its start; idle and half_closed are counted from "
     "the last octet relayed."},
    {"timeouts.request", &type_duration, AT(timeouts.request_ms), 0, "10s", 1,
     HOUR, NULL, "From accept to the last octet of the request."},
    {"timeouts.ident", &type_duration, AT(timeouts.ident_ms), 0, "5s", 1,
     HOUR, NULL, "The query to the client's identd."},
    {"timeouts.resolve", &type_duration, AT(timeouts.resolve_ms), 0, "5s", 1,
     HOUR, NULL, "The lookup of a name."},
    /* The draft wants a limit for both, about two minutes [V4-5-1]. */
    {"timeouts.connect", &type_duration, AT(timeouts.connect_ms), 0, "2m", 1,
     DAY, NULL, "The connection of a CONNECT to the application server."},
    {"timeouts.bind", &type_duration, AT(timeouts.bind_ms), 0, "1m", 1, DAY,
     NULL, "The wait of a BIND for its peer."},
    {"timeouts.idle", &type_duration, AT(timeouts.idle_ms), 0, "12h", 0,
     365 * DAY, NULL, "A session that relays nothing; 0: no such limit."},
    {"timeouts.half_closed", &type_duration, AT(timeouts.half_closed_ms), 0,
     "5m", 0, 365 * DAY, NULL,
     "The same after one side has ended its stream; 0: no such limit."},
    {"timeouts.drain", &type_duration, AT(timeouts.drain_ms), 0, "5m", 0,
     365 * DAY, NULL,
     "Sessions that are live at TERM or INT; 0: no such limit."},
    {"limits", &type_section, 0, 0, "", 0, 0, NULL,
     "How much may exist at once."},
    {"limits.sessions", &type_count, AT(limits.sessions), 0, "auto", 1,
     100 * MILLION, NULL, "Sessions of all sources; auto is what descriptors "
     "and memory allow, at 24 KiB a session, and 44 KiB if a listener or a parent has "
     "tls."},
    {"limits.pending", &type_count, AT(limits.pending), 0, "auto", 1,
     100 * MILLION, NULL, "Sessions that do not relay yet; auto is a quarter "
     "of sessions."},
    {"limits.userid", &type_count, AT(limits.userid), 0, "1023", 1,
     CONFIG_USERID_MAX, NULL, "Octets of a USERID; a request with a longer one "
     "is refused."},
    {"limits.memory", &type_size, AT(limits.memory), 0, "auto", 1 << 20,
     1024 * 1024 * GIGA, NULL, "Memory for sessions; auto is what this machine "
     "or its control group has."},
    {"limits.per_source", &type_section, 0, 0, "", 0, 0, NULL,
     "The same for one source, which is an IPv4 address or an IPv6 /64."},
    {"limits.per_source.sessions", &type_count,
     AT(limits.per_source.sessions), 0, "auto", 1, 100 * MILLION, NULL,
     "Sessions; auto is an eighth of limits.sessions, at least 64, and no "
     "limit for this machine (loopback)."},
    {"limits.per_source.pending", &type_count, AT(limits.per_source.pending),
     0, "256", 1, 100 * MILLION, NULL, "Sessions that do not relay yet."},
    {"limits.per_source.binds", &type_count, AT(limits.per_source.binds), 0,
     "16", 1, 65535, NULL, "BINDs that wait for their peer."},
    {"limits.per_source.rate", &type_count, AT(limits.per_source.rate), 0,
     "auto", 1, 100 * MILLION, NULL, "New connections a second, and new "
     "destinations of datagrams; one that does not answer counts again after "
     "three seconds; auto is 200, and no limit for this machine (loopback)."},
    {"keepalive", &type_section_or_off, 0, AT(keepalive.off), "", 0, 0, NULL,
     "When TCP probes a silent client or server to find out whether it is "
     "still there; off: as the system does, usually after two hours."},
    {"keepalive.idle", &type_duration, AT(keepalive.idle_ms), 0, "2m", 1000,
     TCP_SECONDS_MAX, NULL, "Silence before the first probe."},
    {"keepalive.interval", &type_duration, AT(keepalive.interval_ms), 0, "30s",
     1000, TCP_SECONDS_MAX, NULL, "Time between two probes."},
    {"keepalive.count", &type_count, AT(keepalive.count), 0, "4", 1, 127, NULL,
     "Probes without an answer after which the session is reset."},
    {"relay", &type_section, 0, 0, "", 0, 0, NULL,
     "How the gateway relays octets."},
    {"relay.splice", &type_choice, AT(splice), 0, "auto", 0, 0,
     NAMES("auto", "never", "always"),
     "When octets stay in the kernel: for bulk transfers (auto), never, or "
     "from the start (always)."},
    {"relay.buffer", &type_size, AT(buffer), 0, "auto", 256 << 10, GIGA, NULL,
     "Most that the sockets of a session may hold in the kernel; auto is "
     "limits.memory / 2048, at least 512 KiB."},
    {"connect_reply", &type_choice, AT(connect_reply), 0, "address", 0, 0,
     NAMES("address", "zeros"),
     "The address and port in the reply to a granted CONNECT: the gateway's "
     "own ones towards the application server, or zeros."},
    {"bind", &type_section, 0, 0, "", 0, 0, NULL, "Where a BIND listens."},
    {"bind.address", &type_source, AT(bind.address), AT(bind.address_auto),
     "auto", 0, 0, NULL,
     "IPv4 address to listen on; auto is the one from which DSTIP is reached."},
    {"bind.advertise", &type_advertise, AT(bind.advertise),
     AT(bind.advertise_set), "none", 0, 0, NULL,
     "IPv4 address that the first reply names instead, if the gateway is "
     "behind NAT; of udp the reply."},
    {"bind.ports", &type_ports, AT(bind.port_first), AT(bind.port_last), "0",
     0, UINT16_MAX, NULL, "Ports to listen on (40000-40999), taken "
     "at random; 0: at most 8192, the upper ones of "
     "net.ipv4.ip_local_port_range. Of udp those towards clients; 0: any "
     "of that range. The associations of one source take half at most."},
    {"bind.on_stranger", &type_choice, AT(bind.on_stranger), 0, "refuse", 0,
     0, NAMES("refuse", "ignore"),
     "When a host that may not connect does so: end the BIND (refuse), or "
     "continue to wait (ignore)."},
    {"egress", &type_section, 0, 0, "", 0, 0, NULL,
     "How the gateway connects to application servers."},
    {"egress.address", &type_source, AT(egress.address),
     AT(egress.address_auto), "auto", 0, 0, NULL,
     "IPv4 address to connect from; auto is the system's choice."},
    {"resolver", &type_section, 0, 0, "", 0, 0, NULL,
     "How the gateway resolves names."},
    {"resolver.servers", &type_servers, 0, 0, "[]", 0, 0, NULL,
     "DNS servers, ADDRESS or ADDRESS:PORT; empty: the system's."},
    {"log", &type_section, 0, 0, "", 0, 0, NULL,
     "Where records and messages go."},
    {"log.target", &type_target, AT(log.target), AT(log.path), "stderr", 0, 0,
     NAMES("stderr", "syslog", "file:PATH"),
     "stderr (the journal, with fields, if systemd has made it that), syslog "
     "or file:PATH. The file is opened again on USR1 and on HUP. A relative "
     "PATH begins where socks4d was started."},
    {"log.format", &type_choice, AT(log.format), 0, "text", 0, 0,
     NAMES("text", "json"),
     "text (key=value) or json; each record is one line."},
    {"log.level", &type_choice, AT(log.level), 0, "info", 0, 0,
     log_level_names,
     "The lowest level that is written: sessions are info, refusals notice."},
    {"log.start", &type_bool, AT(log.start), 0, "false", 0, 0, NULL,
     "Whether the gateway also writes a line when a session begins to relay, "
     "besides the record at its end."},
    {"log.quiet", &type_networks, AT(log.quiet), 0, "[]", 0, 0, NULL,
     "Networks and sets of the sources of health checks: their connections "
     "without a request are counted, but have no record."},
    {"control", &type_section, 0, 0, "", 0, 0, NULL,
     "The socket that socks4ctl(1) talks to."},
    {"control.socket", &type_control, AT(control.socket), AT(control.path),
     "auto", 0, 0, NAMES("auto", "off"),
     "auto, off or a path. auto: /run/socks4d/control if root or systemd has "
     "started the gateway, otherwise $XDG_RUNTIME_DIR/socks4d/control; none "
     "if there is no such folder or another gateway uses the socket."},
    {"control.group", &type_group, AT(control.group), 0, "none", 0, 0, NULL,
     "A group whose members may look, but change nothing; root and the "
     "gateway's user may do both."},
    {"observe", &type_section, 0, 0, "", 0, 0, NULL,
     "What others may see of the gateway over HTTP."},
    {"observe.address", &type_endpoint_or_off, AT(observe.address), 0, "off",
     0, 0, NULL, "Address and port of /metrics, /health and the page at /."},
    {"observe.agent", &type_endpoint_or_off, AT(observe.agent), 0, "off", 0, 0,
     NULL, "Address and port that answer HAProxy's agent-check."},
};

/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const size_t option_count = COUNT(options);

_Static_assert(COUNT(options) <= OPTION_COUNT_MAX,
               "a section has room for all");
