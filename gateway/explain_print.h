#ifndef GATEWAY_EXPLAIN_PRINT_H
#define GATEWAY_EXPLAIN_PRINT_H

#include "gateway/config/config.h"

/*
 * What `socks4d explain` has found out, and how it says so: one line, or
 * with --json one object.
 */

enum explain_action {
    EXPLAIN_ALLOW,  /* by `rule`, where identd agrees if that wants it */
    EXPLAIN_DENY,   /* by `rule`, or where that is NULL for what `why` says */
    EXPLAIN_DEPENDS /* on a name's addresses: one of `candidates`, or none */
};

#define EXPLAIN_NO_RULE "default (no rule matches)"

struct explanation {
    enum explain_action action;
    const struct rule *rule; /* borrowed */
    bool socks5;             /* so is the request, and so are the codes */
    bool connects;           /* the command is CONNECT */
    const char *why;         /* static */
    const struct rule *nearest; /* borrowed: it would have allowed what no rule
                                   matches, but for the terms `unmet'; NULL */
    unsigned unmet;             /* enum policy_term */
    int code;                /* of a refusal that `why` explains; 0: 91, of
                                SOCKS5 2 */
    struct policy_candidates candidates;
};

/*
 *   allow  rule "ftp" (gw.yaml:14)  90
 *   allow  rule "ftp" (gw.yaml:14)  90 if identd agrees, else 92 or 93
 *   allow  rule "web" (gw.yaml:18)  send_proxy v2  90
 *   deny  rule "guests" (gw.yaml:6)  91
 *   deny  default (no rule matches)  91
 *   deny  default (no rule matches; rule "ann" (gw.yaml:9) would but for its
 *   auth (a password, which only SOCKS5 has))  91
 *   depends on its addresses  allow rule "ftp" (gw.yaml:14), deny default
 *   (no rule matches)  90 or 91
 *
 *   allow  rule "ftp" (gw.yaml:14)  via hq, backup  from 192.0.2.1  90
 *
 * The last but one on one line; with `90 to 93` where a candidate requires
 * ident. Of SOCKS5 a grant is 0, and what rules and identd refuse is 2.
 */
void explain_print(const struct explanation *told, const struct config *config);

/*
 * {"action", "rule", "file", "line", "ident" and "send_proxy" where they are
 * not off, "via" and "egress" where the rule has them: lists, "code", "else"
 * where identd has a word: [92, 93]}; without a rule that decides
 * {"action", "rule": "default", "why", "nearest" and "unmet" where there is
 * such a rule, "code"}; and {"action": "depends", "rules": [such objects
 * without code], "more": how many of them are left out, "codes": [...]}.
 */
void explain_print_json(const struct explanation *told,
                        const struct config *config);

#endif
