#ifndef GATEWAY_POLICY_POLICY_H
#define GATEWAY_POLICY_POLICY_H

#include "base/span.h"
#include "gateway/policy/rule.h"

/*
 * The decision, pure: a question in values, an answer in values. It includes
 * no socket header, reads no clock and keeps no state. The first rule that
 * matches decides; where none does, the request is refused [V4-3.2-1].
 *
 *   policy   asks  index   for the rules that can match, by two trees
 *                  rule    has their terms, compiled
 *                  sets    says what a network or set in a term means
 *                  name    says what DOMAIN is, and compares names
 *
 * gateway/config makes all of it from the text of a configuration.
 */

struct rule_index;

/* What is decided by. The configuration owns all of it. */
struct policy {
    struct rule *rules;
    size_t rule_count;
    struct rule_index *index;   /* index.h */
    struct endpoint *listeners; /* the gateway's own, by number */
    size_t listener_count;
    uint32_t *asking; /* the rules whose `auth' has password, in order */
    size_t asking_count;
    uint32_t *waiving; /* those that allow, and have another */
    size_t waiving_count;
};

struct policy_question {
    struct addr from;
    size_t listener;    /* its number */
    uint8_t command;    /* enum rule_command */
    uint8_t version;    /* enum rule_version */
    struct addr to;     /* DSTIP */
    uint16_t port;      /* DSTPORT */
    const char *userid; /* not terminated; a claim of the client's */
    size_t userid_len;
    bool password; /* it is a user's, whose password the client has sent */
    bool verified; /* the client has a certificate that was verified */
    const struct span *certificate; /* and these are its names */
    size_t certificate_count;
    const char *name; /* DOMAIN as asked for, not terminated; NULL: none. A
                         dotted quad there is an address and no name. */
    size_t name_len;
    /* Whether an address is this machine's own; NULL: none is but loopback's,
       of which it is not asked. */
    bool (*is_local)(const void *local, struct addr addr);
    const void *local; /* passed to it */
    bool to_is_local;  /* `to` is, whatever it says: the kernel has shown it */
};

enum policy_reason {
    POLICY_ALLOWED,
    POLICY_DENIED_RULE,     /* a deny rule matched */
    POLICY_DENIED_DEFAULT,  /* no rule matched */
    POLICY_DENIED_SPECIAL,  /* CONNECT, or a datagram, to 0/8, 224/4 or 240/4;
                               a name in 0/8 */
    POLICY_DENIED_PORT,     /* likewise to port 0 */
    POLICY_DENIED_LISTENER, /* a listener of the gateway's own */
    /* No rule matched, but one that allows would have, were the address not
       special: it wants the set that holds the address. */
    POLICY_DENIED_LOOPBACK,
    POLICY_DENIED_LINK_LOCAL,
    POLICY_DENIED_SELF,
    POLICY_DENIED_RANGE /* another special range */
};

struct policy_answer {
    enum policy_reason reason;
    const struct rule *rule; /* borrowed; NULL: no rule decided */
};

/*
 * One address, as set_meant() has it; a deny rule also means it as it is
 * written. Special destinations and own listeners are refused before any rule
 * is read. A rule matches by its networks or, where there is a name, by its
 * names; by these an allow rule reaches no special range [4A-B.3-2, 4A-B.6-3].
 */
struct policy_answer policy_decide(const struct policy *policy,
                                   const struct policy_question *question);

/*
 * A name, before the resolver is asked for its addresses; question->to and
 * is_local are ignored. POLICY_ALLOWED, then without a rule, says only that
 * some address may be granted. Else the reason why none can be: a rule that
 * denies the name itself, or that no rule which allows could match.
 */
struct policy_answer policy_may_grant(const struct policy *policy,
                                      const struct policy_question *question);

/*
 * The rule that decides about a name whatever its addresses are, since its
 * parents are told the name: the first that could match, where it names the
 * name or has every address that is not special. NULL: the addresses matter.
 */
const struct rule *policy_find_passing(const struct policy *policy,
                                       const struct policy_question *question);

/*
 * A name's addresses, each by itself; question->to is ignored.
 * The first that is allowed picks the rule. Kept in `addresses`, in their
 * order, are those that this rule allows; *count says how many. None: the
 * answer is that for the first, or POLICY_DENIED_DEFAULT where there was none.
 */
struct policy_answer policy_decide_all(const struct policy *policy,
                                       const struct policy_question *question,
                                       struct addr *addresses, size_t *count);

/*
 * A UDP association, before any of its datagrams: question->to, port and name
 * are ignored. POLICY_ALLOWED, with the first rule that may grant one. Else the
 * rule that denies them all before, or none.
 */
struct policy_answer
policy_may_associate(const struct policy *policy,
                     const struct policy_question *question);

/*
 * Whether SOCKS5 clients like this one are asked for a password, before their
 * request is there: a rule that could match asks for one, and would not match
 * without, nor by the certificate that the client has shown, since its `auth'
 * does not name what the client has or its `user' is somebody else. Of the
 * question, from, listener, version, userid, verified and is_local are read.
 */
bool policy_asks_password(const struct policy *policy,
                          const struct policy_question *question);

/*
 * Whether a client that is asked for a password is served without one, too, if
 * it offers none: a rule that allows and could match it names in `auth' what
 * the client has, which is none, or the certificate that it has shown. An
 * `auth' that is empty names nothing. The same is read of the question.
 */
bool policy_waives_password(const struct policy *policy,
                            const struct policy_question *question);

/* Terms of a rule that say who may ask. */
enum policy_term {
    POLICY_TERM_USER = 1,
    POLICY_TERM_AUTH = 2,
    POLICY_TERM_CERTIFICATE = 4,
    POLICY_TERM_VERSION = 8
};

/*
 * For who reads that no rule matched: the first rule that would have allowed
 * the request, had its terms on who may ask been met, and the bits of those
 * that were not, never 0. A user whom a password proves stands for both. Of a
 * name that was not resolved, and of a UDP association, any network will do.
 * NULL: there is none.
 */
const struct rule *policy_find_nearest(const struct policy *policy,
                                       const struct policy_question *question,
                                       unsigned *unmet);

/* The terms in words: "user, auth (a password, which only SOCKS5 has)". */
#define POLICY_UNMET_TEXT_MAX 96
const char *policy_unmet_text(const struct rule *rule, unsigned unmet,
                              char text[POLICY_UNMET_TEXT_MAX]);

/* The name of the certificate's by which the rule's term `certificate` matches,
   by number; where it has none, certificate_count. */
size_t policy_certificate_name(const struct rule *rule,
                               const struct policy_question *question);

/* Rules that may come to decide about a name. */
#define POLICY_CANDIDATES_MAX 8
struct policy_candidates {
    const struct rule *rules[POLICY_CANDIDATES_MAX]; /* the first */
    size_t count; /* of all, so perhaps more than that */
    bool named;   /* the last one matches by the name: none comes after it */
    bool ident;   /* one of all requires it */
};

/*
 * For an explanation, what policy_may_grant weighs: rules in order, those
 * that match by their networks if the name has an address there, up to the
 * first that has the name. Where that one is alone, it decides. A rule whose
 * networks those before it hold already is left out: it never decides.
 */
void policy_find_candidates(const struct policy *policy,
                            const struct policy_question *question,
                            struct policy_candidates *candidates);

/*
 * Whether to:port would be a listener of ours if `to` is an address of this
 * machine: a wildcard listener of its family on that port exists.
 * question->is_local is asked only then.
 */
bool policy_wildcard(const struct policy *policy, struct addr to,
                     uint16_t port);

/* Whether question->to and port are a listener of ours. */
bool policy_is_listener(const struct policy *policy,
                        const struct policy_question *question);

#endif
