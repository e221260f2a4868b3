#ifndef GATEWAY_CONFIG_CONFIG_H
#define GATEWAY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/sys.h"
#include "gateway/config/local_ports.h"
#include "gateway/policy/policy.h"
#include "gateway/policy/sets.h"

/*
 * The configuration: an immutable, reference-counted snapshot. It is made
 * from text by config_parse alone, in the monitor and in every worker by
 * the same code, and config_dump writes it back as text that parses to the
 * same. Durations are in milliseconds, sizes in octets. A text pointer is
 * owned by the snapshot and lives as long as it.
 */

enum config_4a { CONFIG_4A_OFF, CONFIG_4A_ON, CONFIG_4A_ONLY };
enum config_socks5 { CONFIG_SOCKS5_OFF, CONFIG_SOCKS5_ON, CONFIG_SOCKS5_ONLY };
enum config_splice {
    CONFIG_SPLICE_AUTO,
    CONFIG_SPLICE_NEVER,
    CONFIG_SPLICE_ALWAYS
};
enum config_connect_reply { CONFIG_REPLY_ADDRESS, CONFIG_REPLY_ZEROS };
enum config_stranger { CONFIG_STRANGER_REFUSE, CONFIG_STRANGER_IGNORE };
enum config_sandbox {
    CONFIG_SANDBOX_TRY,
    CONFIG_SANDBOX_REQUIRE,
    CONFIG_SANDBOX_OFF
};
enum config_log_target {
    CONFIG_LOG_STDERR,
    CONFIG_LOG_SYSLOG,
    CONFIG_LOG_FILE
};
enum config_control {
    CONFIG_CONTROL_AUTO,
    CONFIG_CONTROL_OFF,
    CONFIG_CONTROL_PATH
};
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };

/* A count or size that may be left to us. */
#define CONFIG_AUTO UINT64_MAX

enum config_tls_client {
    CONFIG_TLS_CLIENT_OFF,
    CONFIG_TLS_CLIENT_REQUEST,
    CONFIG_TLS_CLIENT_REQUIRE
};
enum config_tls_version { CONFIG_TLS_1_3, CONFIG_TLS_1_2 };
enum config_tls_user { CONFIG_TLS_USER_ANY, CONFIG_TLS_USER_CERTIFICATE };

/* A file, and where the configuration names it. */
struct config_file {
    char *path; /* NULL: none */
    unsigned line, column;
    const char *option; /* static: of the command line; NULL: the file has it */
};

struct config_tls {
    struct config_file certificate, key; /* both are there; of a parent, both or
                                            none */
    enum config_tls_client client;
    struct config_file ca; /* there, if client certificates are asked for; of a
                              parent none: the system's */
    char *name;            /* of a parent, in its certificate; NULL: the host of
                              its address */
    struct config_file crl;
    enum config_tls_version min_version;
    enum config_tls_user user;
    uint64_t tickets; /* CONFIG_AUTO: see config_tickets */
};

/* Networks and sets, outside the rules. */
struct config_networks {
    struct netset nets;
    struct rule_texts texts;
};

struct config_listener {
    struct endpoint at;
    char *name; /* "listener-N" where the file gives none */
    enum config_4a socks4a;
    enum config_socks5 socks5;
    bool insecure_plaintext;
    bool freebind;
    struct config_networks proxy_protocol; /* who sends a PROXY header */
    bool proxy_certificate; /* its word on client certificates is believed */
    struct config_tls *tls; /* NULL: plain */
};

enum config_parent_protocol {
    CONFIG_PARENT_SAME,
    CONFIG_PARENT_SOCKS4,
    CONFIG_PARENT_SOCKS4A,
    CONFIG_PARENT_SOCKS5
};
enum config_parent_names { CONFIG_PARENT_PASS, CONFIG_PARENT_RESOLVE };
enum config_parent_retry {
    CONFIG_PARENT_RETRY_UNREACHABLE,
    CONFIG_PARENT_RETRY_REFUSED
};

struct config_parent_address {
    char *name; /* NULL: `at` is an address */
    size_t name_len;
    struct endpoint at; /* of a name: its port */
    unsigned number;    /* among the addresses of all parents */
};

/* Another gateway. */
struct config_parent {
    char *name;
    struct config_parent_address *addresses; /* tried in order */
    size_t address_count;
    enum config_parent_protocol protocol;
    enum config_parent_names names;
    char *userid; /* NULL: that of the request */
    char *user;   /* of SOCKS5; NULL: it is told no password */
    struct config_file password_file; /* there, if `user` is */
    char *password; /* NULL but in a worker (parents_take_passwords) */
    size_t password_len;
    enum config_parent_retry retry;
    struct config_tls *tls; /* NULL: plain */
    bool insecure_plaintext;
    unsigned line, column;
    bool used; /* by a rule */
};

struct config_set {
    char *name;
    struct set_members members;
    struct rule_texts texts;
    unsigned line, column;
    bool used; /* by a rule or another set */
};

#define CONFIG_LISTENERS_MAX RULE_LISTENERS_MAX
#define CONFIG_USERID_MAX                                                      \
    8192                     /* of limits.userid: a request fits a buffer,     \
                                its record a batch */
#define CONFIG_SERVERS_MAX 8 /* of the resolver */
#define CONFIG_PARENTS_MAX 12
#define CONFIG_PARENT_ADDRESSES_MAX 16 /* of one */
#define CONFIG_PARENT_USERID_MAX 255
#define CONFIG_CONTROL_PATH_MAX 103 /* the address of a socket holds 107 */
#define CONFIG_WORKERS_MAX 128 /* half the segment: an upgrade has two sets */

struct arena;

struct config {
    unsigned refs;
    struct arena *arena; /* owned: every text and list below, but no ranges */
    char *file;          /* its name as given; NULL: the built-in default */
    char *to;            /* of --to; NULL: it is not a stub */
    size_t warned;       /* so many warnings were found */

    struct config_listener *listeners;
    size_t listener_count;
    bool listeners_given;            /* by -l, or built in: not by the file */
    uint64_t workers;                /* CONFIG_AUTO: one a processor */
    char *user;                      /* NULL: auto */
    unsigned user_line, user_column; /* where it stands, if it does */
    enum config_sandbox sandbox;
    struct config_set *sets;
    size_t set_count;
    struct config_parent *parents;
    size_t parent_count;
    unsigned parent_address_count; /* of all of them */
    struct policy policy;          /* the rules, and what decides by them */
    struct {
        struct config_file users; /* name:hash; path NULL: none */
    } auth;

    struct {
        uint64_t request_ms, ident_ms, resolve_ms, connect_ms, bind_ms;
        uint64_t idle_ms, half_closed_ms, drain_ms; /* 0: no such timer */
    } timeouts;
    struct {
        uint64_t sessions, pending, userid, memory;
        struct {
            uint64_t sessions, pending, binds, rate;
        } per_source;
    } limits;
    struct {
        bool off; /* the system's */
        uint64_t idle_ms, interval_ms, count;
    } keepalive;
    enum config_splice splice;
    uint64_t buffer; /* octets of a session in the kernel, or CONFIG_AUTO */
    enum config_connect_reply connect_reply;
    struct {
        bool address_auto;
        uint32_t address;               /* host order */
        bool advertise_set;             /* false: none */
        uint32_t advertise;             /* may be 0.0.0.0 */
        uint16_t port_first, port_last; /* 0: any */
        enum config_stranger on_stranger;
    } bind;
    struct {
        bool address_auto;
        uint32_t address;
    } egress;
    struct endpoint *resolver_servers;
    size_t resolver_server_count;
    struct {
        enum config_log_target target;
        char *path;
        enum config_log_format format;
        enum log_level level;
        bool start;                   /* a line when a session begins, too */
        struct config_networks quiet; /* no record of their empty connections */
    } log;
    struct {
        enum config_control socket;
        char *path;
        char *group; /* NULL: none */
    } control;
    struct {
        struct endpoint address, agent; /* port 0: off */
    } observe;
};

/* Where and what: "gw.yaml:3:11: unknown key `adress' (did you mean
   `address'?)" goes to the operator as one line. */
struct config_error {
    char text[512];
};

/*
 * Parses `len` octets of YAML. `file` is for messages and may be NULL.
 * Returns a snapshot with one reference, or NULL with the first error in
 * `error`. The other errors and the warnings (lint.h) are appended to
 * `warnings` as lines, which may be NULL.
 */
struct config *config_parse(const char *file, const char *text, size_t len,
                            struct config_error *error, FILE *warnings);

/* The same from the monitor's memory file, of `len` octets. */
struct config *config_load_sealed(int fd, size_t len,
                                  struct config_error *error);

/* What `socks4d` without -c runs on: text, fit for config_parse. */
extern const char config_default_text[];

/*
 * What -l and --socks4a ask for: replaces all listeners by `count`
 * endpoints ("ADDR:PORT"), or with count 0 only sets socks4a on those of the
 * built-in default. Only before anybody else has a reference. 0, or -1 with the
 * error.
 */
int config_set_listeners(struct config *config, const char *const *at,
                         size_t count, bool socks4a,
                         struct config_error *error);

/* Where the configuration comes from: -c, -l, --socks4a, and --to with its
   options; all borrowed. */
struct config_source {
    const char *file; /* NULL: the built-in default */
    const char *const *listen;
    size_t listen_count;
    bool socks4a;
    const char *to; /* NULL: not the stub; and how it gets there */
    bool socks5, tls;
    const char *ca, *certificate, *key; /* files; NULL: none */
    const char *user, *password_file;   /* likewise */
};

/* As config_parse, from a file of at most 64 MiB, config_default_text or what
   --to says; then config_set_listeners. NULL with a whole line in `error`.
   `again`, at a reload: nothing but a regular file is read, since a pipe would
   keep the process waiting. */
struct config *config_open(const struct config_source *source, bool again,
                           struct config_error *error, FILE *warnings);

/*
 * The effective configuration as YAML, every key; config_parse gives the same
 * again. `computed` figures of this machine are added as comments. 0 or a
 * negative errno.
 */
int config_dump(const struct config *config, bool computed, FILE *to);

/* Listeners and parents that have TLS are numbered together: parents from
   CONFIG_LISTENERS_MAX on. NULL: it has none. */
#define CONFIG_TLS_MAX (CONFIG_LISTENERS_MAX + CONFIG_PARENTS_MAX)
const struct config_tls *config_tls_at(const struct config *config,
                                       size_t number);
/* The password_file of the parent with that number; its path is NULL where
   there is none. */
struct config_file config_password_at(const struct config *config,
                                      size_t number);
/* Whether that listener or parent has any file, and whether one of them has. */
bool config_has_files(const struct config *config, size_t number);
bool config_has_any_files(const struct config *config);

/* The versions that it serves: bits, by enum rule_version. */
unsigned config_versions(const struct config_listener *listener);

/* Whether a client can have a name that the rule's `user' compares only by
   sending a password: no USERID reaches the rule, nor the name of a
   certificate. */
bool config_user_is_proved(const struct config *config,
                           const struct rule *rule);

/* Whether a listener serves SOCKS5: then requests have IPv6 addresses, too, and
   names. */
bool config_serves_socks5(const struct config *config);

/* How many session tickets a client is given; 0: none. */
unsigned config_tickets(const struct config_tls *tls);

/* `keepalive` in the system's units; idle_s 0: the system's. */
struct sys_keepalive config_keepalive(const struct config *config);

/* Of the text that config_dump writes without computed figures: a hash, by
   which people tell configurations apart and on which nothing relies. */
#define CONFIG_ID_MAX 9 /* eight hexadecimal digits, NUL */
void config_text_id(const char *text, size_t len, char id[CONFIG_ID_MAX]);

/* Without values, with one reference; NULL: no memory. */
struct config *config_new(const char *file);
struct config *config_ref(struct config *config);
void config_unref(struct config *config);
/* What so many members took goes back to the kernel; the allocator would keep
   it for ever. */
void config_trim(size_t members);

/*
 * The computed figures behind `auto`, on this machine and under the limits
 * of the calling process: workers, octets of memory, descriptors a worker
 * may have, sessions in all, sessions not yet relaying. The machine is
 * looked at by the first call, or again by config_look.
 */
void config_look(void);
/* At its range of ports alone, again. A worker uses what the monitor has found,
   which must know to which ports it confines itself. */
void config_look_at_ports(void);
void config_use_ports(struct local_ports ports);
struct local_ports config_local_ports(void);
uint64_t config_workers(const struct config *config);
uint64_t config_memory(const struct config *config);
uint64_t config_buffer(const struct config *config);
uint64_t config_descriptors(void);
/* Where a BIND listens; for associations of UDP bind.ports is as it says. */
struct local_ports config_bind_ports(const struct config *config);
/* From how many the kernel chooses where none is named; 0: it is not known. */
unsigned config_chosen_ports(void);
/* What every process must be allowed, so that the monitor can start all
   workers, and each of them serves a session. */
uint64_t config_descriptors_needed(const struct config *config);
/* A child is started with its descriptors from this number on. */
#define CONFIG_CHILD_FDS 84
uint64_t config_sessions(const struct config *config);
uint64_t config_pending(const struct config *config);
/* Of a source that is not this machine itself: with auto that has no limit. */
uint64_t config_source_sessions(const struct config *config);
uint64_t config_source_rate(const struct config *config);
#define CONFIG_SOURCE_RATE 200

/* What a session is reckoned at, kernel memory included; what TLS adds, whose
   library keeps so much for each, and while its handshake lasts so much; and a
   pipe. */
#define CONFIG_SESSION_OCTETS (24 << 10)
#define CONFIG_TLS_OCTETS (20 << 10)
#define CONFIG_HANDSHAKE_OCTETS (100 << 10)
#define CONFIG_PIPE (256 << 10)

/* What a worker does with its descriptors, and its share of the memory. */
struct config_budget {
    uint64_t descriptors;
    uint64_t fixed;    /* its own, eight for messages, one in reserve */
    uint64_t pipes;    /* of two each: at most so many */
    uint64_t session;  /* for one session */
    uint64_t sessions; /* for so many there are some: accepting pauses then */
    uint64_t held;     /* octets for slow readers, until reading gets tight */
    uint64_t queued;   /* octets that stalled sessions may have in the kernel */
    /* Bounds of one socket's queues; 0: the kernel's own tuning stays. */
    uint32_t buffer_in, buffer_out;
    uint64_t out_given; /* to where setsockopt can raise a send queue */
};
struct config_budget config_budget(const struct config *config);

#endif
