#ifndef GATEWAY_POLICY_RULE_H
#define GATEWAY_POLICY_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netset.h"

/*
 * One rule, its terms compiled: `from` and `to` are what they mean after the
 * law on special ranges (sets.h). An empty list of listeners, ports or users
 * matches any.
 */

/* What a client may ask for, whatever version it speaks. */
enum rule_command {
    RULE_CONNECT = 1,
    RULE_BIND = 2,
    RULE_UDP = 3 /* of SOCKS5: each datagram by its own destination */
};

/* Which request it is: of 4A where it names its destination. */
enum rule_version { RULE_VERSION_4, RULE_VERSION_4A, RULE_VERSION_5 };
#define RULE_VERSION_ALL                                                       \
    (1u << RULE_VERSION_4 | 1u << RULE_VERSION_4A | 1u << RULE_VERSION_5)

/* How the client has proved who it is: at least one of them holds of each. */
enum rule_auth { RULE_AUTH_NONE, RULE_AUTH_PASSWORD, RULE_AUTH_CERTIFICATE };
#define RULE_AUTH_ALL                                                          \
    (1u << RULE_AUTH_NONE | 1u << RULE_AUTH_PASSWORD |                         \
     1u << RULE_AUTH_CERTIFICATE)

enum rule_ident { RULE_IDENT_OFF, RULE_IDENT_LOG, RULE_IDENT_REQUIRE };
enum rule_send_proxy {
    RULE_SEND_PROXY_OFF,
    RULE_SEND_PROXY_1,
    RULE_SEND_PROXY_2
};
enum rule_peer { RULE_PEER_EXACT, RULE_PEER_ANY, RULE_PEER_NETS };

struct rule_ports {
    uint16_t first;
    uint16_t last;
};

/* The members of a list as written. */
struct rule_texts {
    char **at;
    size_t count;
};

/* A name, an exact USERID, or with `prefix` its beginning. */
struct rule_word {
    char *text;
    size_t len;
    bool prefix;
};

struct rule {
    char *name;
    bool allow;
    struct netset from;
    struct netset to;
    bool from_self, to_self; /* this machine's own addresses are meant, too */
    struct netset to_hosts;  /* of `to', what was written as one address */
    struct netset to_cut;    /* special ranges around which `to' lies */
    struct rule_word *to_names; /* 4A: exact name, or .suffix */
    size_t to_name_count;
    uint64_t listeners; /* bit N: the listener with that number; 0: any */
    unsigned commands;  /* bit 1 << enum rule_command */
    unsigned versions;  /* bit 1 << enum rule_version; 0: any */
    struct rule_ports *ports;
    size_t port_count;
    struct rule_word *users;
    size_t user_count;
    struct rule_word *certificates; /* exact, .suffix, or a beginning */
    size_t certificate_count;
    bool certificate_any; /* any that was verified; beside no word */
    unsigned auth;        /* bit 1 << enum rule_auth; 0: any */
    enum rule_ident ident;
    enum rule_peer peer;
    struct netset peers;
    bool require_connect;
    enum rule_send_proxy send_proxy; /* the header's version */
    struct {
        uint64_t idle_ms, half_closed_ms, connect_ms, bind_ms;
    } timeouts; /* of what it grants; RULE_TIMEOUT_NONE: as for all */
    struct {
        unsigned level; /* 1 + enum log_level */
        unsigned start; /* 1: no, 2: yes */
    } log;              /* of what it decides; 0: as for all */
    uint8_t *via;       /* parents by number, in order */
    size_t via_count;   /* 0: directly */
    /* The parents take names as they are; and `to' has every address that is
       not special, so that a name need not be resolved to be decided. */
    bool passes_names, to_any;
    uint32_t *egress;    /* local addresses of what it grants, in turn */
    size_t egress_count; /* 0: as for all */
    /* As written, for the dump and explain. */
    unsigned line, column;
    struct rule_texts from_text, to_text, peer_text;
};

#define RULE_TIMEOUT_NONE UINT64_MAX
#define RULE_EGRESS_MAX 256
#define RULE_VIA_MAX 16
#define RULE_LISTENERS_MAX 64 /* bits of `listeners` */

#endif
