#ifndef GATEWAY_WORKER_POLICY_H
#define GATEWAY_WORKER_POLICY_H

#include "gateway/config/config.h"

/*
 * The decision, pure: a question in values, an answer in values. No socket,
 * no clock, no state. First match decides, none: refused [V4-3.2-1].
 */

struct policy_question {
    struct addr from;
    size_t listener;    /* index into config->listeners */
    uint8_t command;    /* enum socks4_command */
    uint32_t to;        /* DSTIP, host order */
    uint16_t port;      /* DSTPORT */
    const char *userid; /* not terminated */
    size_t userid_len;
};

enum policy_reason {
    POLICY_ALLOWED,
    POLICY_DENIED_RULE,    /* a deny rule matched */
    POLICY_DENIED_DEFAULT, /* no rule matched */
    POLICY_DENIED_SPECIAL, /* CONNECT to 0/8, 224/4 or 240/4 */
    POLICY_DENIED_PORT,    /* CONNECT to port 0 */
    POLICY_DENIED_LISTENER /* a listener of the gateway's own */
};

struct policy_answer {
    enum policy_reason reason;
    const struct config_rule *rule; /* borrowed; NULL: no rule decided */
};

/*
 * Special destinations and own listeners are refused before any rule is
 * read. A wildcard listener counts as own only where `to` is an address of
 * this machine, which policy cannot know: see policy_wildcard.
 */
struct policy_answer policy_decide(const struct config *config,
                                   const struct policy_question *question);

/*
 * Whether to:port would be a listener of ours if `to` is an address of this
 * machine: an IPv4 wildcard listener on that port exists. The caller asks
 * the kernel (sys_is_local) only then.
 */
bool policy_wildcard(const struct config *config, uint16_t port);

#endif
