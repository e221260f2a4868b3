#include "gateway/config/lint.h"

#include <errno.h>
#include <string.h>

#include "gateway/config/auth.h"
#include "gateway/config/diag.h"
#include "gateway/config/open_proxy.h"
#include "gateway/policy/index.h"
#include "gateway/policy/name.h"
#include "gateway/policy/sets.h"

/* Pairs of rules that are compared at most, so that no list of rules keeps a
   reload waiting. */
#define LINT_PAIRS_MAX 5000000

struct lint {
    struct parse *parse;
    const struct policy *policy;
    struct set_members any;
    struct netset version_4;
    struct netset loopback;
    size_t pairs;
};

static struct node
lint_place(unsigned line, unsigned column)
{
    return (struct node){.line = line, .column = column};
}

/* --- whether one rule matches all that another does ---------------------- */

static bool
lint_covers_ports(const struct rule *a, const struct rule *b)
{
    static const struct rule_ports every = {0, UINT16_MAX};
    const struct rule_ports *ranges = b->port_count ? b->ports : &every;
    size_t count = b->port_count ? b->port_count : 1;

    if (a->port_count == 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < a->port_count && (a->ports[j].first > ranges[i].first ||
                                     a->ports[j].last < ranges[i].last))
            j++;
        if (j == a->port_count)
            return false;
    }
    return true;
}

static bool
lint_covers_user(const struct rule *a, const struct rule_word *user)
{
    for (size_t i = 0; i < a->user_count; i++) {
        const struct rule_word *word = &a->users[i];
        bool fits = word->prefix ? user->len >= word->len
                                 : user->len == word->len && !user->prefix;
        if (fits && memcmp(word->text, user->text, word->len) == 0)
            return true;
    }
    return false;
}

static bool
lint_covers_users(const struct rule *a, const struct rule *b)
{
    if (a->user_count == 0)
        return true;
    for (size_t i = 0; i < b->user_count; i++)
        if (!lint_covers_user(a, &b->users[i]))
            return false;
    return b->user_count > 0;
}

/* Whether a word of a means all that a word of b means. */
static bool
lint_covers_certificate(const struct rule *a, const struct rule_word *b)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct rule_word *word = &a->certificates[i];
        bool suffix = word->len > 1 && word->text[0] == '.' && !word->prefix;
        bool fits = word->prefix ? b->len >= word->len
                    : suffix     ? b->len >= word->len && !b->prefix
                                 : b->len == word->len && !b->prefix;
        size_t at = suffix && fits ? b->len - word->len : 0;
        if (fits && memcmp(word->text, b->text + at, word->len) == 0)
            return true;
    }
    return false;
}

static bool
lint_covers_certificates(const struct rule *a, const struct rule *b)
{
    bool asked = b->certificate_any || b->certificate_count > 0;

    if (a->certificate_any)
        return asked;
    if (a->certificate_count == 0)
        return true;
    for (size_t i = 0; i < b->certificate_count; i++)
        if (!lint_covers_certificate(a, &b->certificates[i]))
            return false;
    return b->certificate_count > 0;
}

/* Of terms that are bits; 0 is all of them. */
static bool
lint_covers_bits(unsigned a, unsigned b, unsigned all)
{
    return ((b == 0 ? all : b) & ~(a == 0 ? all : a)) == 0;
}

/* Whether a name in `to` of a is, or has below it, the one given. */
static bool
lint_names(const struct rule *a, const struct rule_word *name)
{
    for (size_t i = 0; i < a->to_name_count; i++) {
        const struct rule_word *word = &a->to_names[i];
        if (word->len > name->len)
            continue;
        const char *tail = name->text + name->len - word->len;
        if (memcmp(word->text, tail, word->len) == 0 &&
            (word->text[0] == '.' || word->len == name->len))
            return true;
    }
    return false;
}

/* A name of b stands for any address, of an allow rule for any that is not
   special: a covers it by its name or by networks that hold all of those. */
static bool
lint_covers_names(const struct lint *lint, const struct rule *a,
                  const struct rule *b)
{
    const struct netset *wherever =
        b->allow ? &lint->any.reach : &lint->any.itself;

    if (b->to_name_count == 0 || netset_covers(&a->to, wherever))
        return true;
    for (size_t i = 0; i < b->to_name_count; i++)
        if ((a->allow && !b->allow) || !lint_names(a, &b->to_names[i]))
            return false;
    return true;
}

/* This machine's own addresses: networks that an allow rule names hold them
   only where they are written out. */
static bool
lint_covers_self(const struct lint *lint, const struct rule *a,
                 const struct rule *b)
{
    const struct netset *all = &lint->any.itself;

    if (b->from_self && !a->from_self && !netset_covers(&a->from, all))
        return false;
    if (a->to_self || (!a->allow && netset_covers(&a->to, all)))
        return true;
    return !b->to_self && netset_covers(&a->to_hosts, &b->to_hosts);
}

/* A BIND to 0.0.0.0 is met by `peer: any`, or by a deny rule's network; and so
   is one of SOCKS5 to ::. */
static bool
lint_meets_nobody(const struct lint *lint, const struct rule *rule)
{
    const struct addr every = {0, 0};
    bool denies = !rule->allow && netset_has(&rule->to, addr_v4(0)) &&
                  (netset_has(&rule->to, every) ||
                   !config_serves_socks5(lint->parse->config));

    return (rule->commands >> RULE_BIND & 1) &&
           (rule->peer == RULE_PEER_ANY || denies);
}

/* All terms but `command' and `to'. */
static bool
lint_covers_terms(const struct rule *a, const struct rule *b)
{
    return (a->listeners == 0 ||
            (b->listeners != 0 && (b->listeners & ~a->listeners) == 0)) &&
           lint_covers_ports(a, b) && lint_covers_users(a, b) &&
           lint_covers_certificates(a, b) &&
           lint_covers_bits(a->auth, b->auth, RULE_AUTH_ALL) &&
           lint_covers_bits(a->versions, b->versions, RULE_VERSION_ALL) &&
           netset_covers(&a->from, &b->from);
}

static bool
lint_covers_to(const struct lint *lint, const struct rule *a,
               const struct rule *b)
{
    return netset_covers(&a->to, &b->to) && lint_covers_names(lint, a, b);
}

/* The same where b denies, whose networks hold special addresses, to which
   those of a do not lead. */
static bool
lint_covers_reach(struct lint *lint, const struct rule *a, const struct rule *b)
{
    struct netset to;

    lint->pairs += 20; /* a set is made for it */
    netset_init(&to);
    bool covers = netset_add_set(&to, &a->to) == 0 &&
                  netset_add_set(&to, &lint->any.cut) == 0;
    netset_seal(&to);
    covers = covers && netset_covers(&to, &b->to);
    netset_fini(&to);
    return covers && lint_covers_names(lint, a, b);
}

static bool
lint_covers_all(const struct lint *lint, const struct rule *a,
                const struct rule *b)
{
    return (b->commands & ~a->commands) == 0 && lint_covers_terms(a, b) &&
           lint_covers_to(lint, a, b) && lint_covers_self(lint, a, b) &&
           (!lint_meets_nobody(lint, b) || lint_meets_nobody(lint, a));
}

/* Whether b means to deny a part of what a has granted: of CONNECT, since b
   denies BIND too where it has no `command', and not of this machine itself,
   to which no wide network leads. A rule that denies all that is left is not
   meant. */
static bool
lint_denies_late(struct lint *lint, const struct rule *a, const struct rule *b)
{
    return a->allow && !b->allow &&
           (a->commands & b->commands) >> RULE_CONNECT & 1 && !b->to_self &&
           (!b->from_self || a->from_self) && lint_covers_terms(a, b) &&
           lint_covers_reach(lint, a, b) &&
           !(lint_covers_terms(b, a) && lint_covers_to(lint, b, a));
}

static bool
lint_covers(struct lint *lint, const struct rule *a, const struct rule *b)
{
    lint->pairs++;
    return lint_covers_all(lint, a, b) || lint_denies_late(lint, a, b);
}

/* --- rules that never match ---------------------------------------------- */

/* The first rule before `rule` that covers it, among those that are noted on
   the way from the address to the root; NULL: none. */
static const struct rule *
lint_find_cover(struct lint *lint, const struct rule_tree *tree,
                struct addr addr, const struct rule *rule)
{
    const struct rule *rules = lint->policy->rules;
    const struct rule *found = rule;

    for (size_t node = rule_tree_node(tree, addr); node > 0; node /= 2)
        for (uint32_t i = tree->starts[node];
             i < tree->starts[node + 1] && rules + tree->rules[i] < found &&
             lint->pairs < LINT_PAIRS_MAX;
             i++)
            if (lint_covers(lint, &rules[tree->rules[i]], rule))
                found = &rules[tree->rules[i]];
    return found != rule ? found : NULL;
}

/* The same among those that name the first of the rule's names, or a suffix
   of it. */
static const struct rule *
lint_find_name_cover(struct lint *lint, const struct rule *rule)
{
    const struct rule_index *index = lint->policy->index;
    const struct rule_word *name = &rule->to_names[0];
    const struct rule *found = rule;

    for (size_t at = 0; at < name->len; at++) {
        const char *tail = name->text + at;
        size_t len = name->len - at;
        if (at > 0 && *tail != '.')
            continue;
        for (size_t i = rule_names_find(index, tail, len);
             i < index->name_count &&
             name_cmp(index->names[i].word, tail, len) == 0 &&
             lint->pairs < LINT_PAIRS_MAX;
             i++) {
            const struct rule *by = &lint->policy->rules[index->names[i].rule];
            if (by < found && lint_covers(lint, by, rule))
                found = by;
        }
    }
    return found != rule ? found : NULL;
}

static void
lint_report_cover(struct lint *lint, const struct rule *rule,
                  const struct rule *by)
{
    struct node at = lint_place(rule->line, rule->column);

    if (by->allow && !rule->allow)
        diag_warn(lint->parse, &at,
                  "rule \"%s\" denies %s: rule \"%s\" (line %u) grants all of "
                  "it before; put the deny rule first",
                  rule->name,
                  lint_covers_all(lint, by, rule) ? "nothing" : "no CONNECT",
                  by->name, by->line);
    else
        diag_warn(lint->parse, &at,
                  "rule \"%s\" never matches: rule \"%s\" (line %u) matches "
                  "all of it before; put this one first, or remove it",
                  rule->name, by->name, by->line);
}

/* A rule that covers this one holds any of its addresses. A name may have any
   that is not special, and this machine any at all. */
static void
lint_rule_cover(struct lint *lint, const struct rule *rule)
{
    const struct rule_index *index = lint->policy->index;
    const struct netset *from =
        rule->from.count > 0 ? &rule->from : &lint->any.reach;
    const struct netset *to = rule->to.count > 0 ? &rule->to : &lint->any.reach;
    const struct rule *by =
        lint_find_cover(lint, &index->by_from, from->ranges[0].first, rule);

    if (!by)
        by = lint_find_cover(lint, &index->by_to, to->ranges[0].first, rule);
    if (!by && rule->to_name_count > 0)
        by = lint_find_name_cover(lint, rule);
    if (by)
        lint_report_cover(lint, rule, by);
}

/* SOCKS 4 carries IPv4 addresses alone. */
static void
lint_rule_reach(struct lint *lint, const struct rule *rule)
{
    struct node at = lint_place(rule->line, rule->column);
    bool is_bind = rule->commands >> RULE_BIND & 1;

    if (rule->to_name_count > 0 || rule->to_self ||
        netset_meets(&rule->to, &lint->version_4) ||
        (rule->to.count > 0 && config_serves_socks5(lint->parse->config)) ||
        (is_bind && rule->peer == RULE_PEER_ANY))
        return;
    if (rule->to.count > 0)
        diag_warn(lint->parse, &at,
                  "rule \"%s\" never matches: its `to' has IPv6 networks "
                  "alone, SOCKS 4 carries IPv4 addresses, and no listener has "
                  "socks5: true; add an IPv4 network, or remove the rule",
                  rule->name);
    else if (rule->to_cut.count == 0)
        diag_warn(lint->parse, &at,
                  "rule \"%s\" never matches: the sets in its `to' are empty",
                  rule->name);
    else
        diag_warn(lint->parse, &at,
                  "rule \"%s\" never matches: its `to' lies around special "
                  "ranges and holds nothing else; name the range itself",
                  rule->name);
}

/* --- rules that grant what another seems to deny ------------------------- */

static bool
lint_takes_anybody(const struct rule *rule)
{
    return (rule->auth == 0 || (rule->auth >> RULE_AUTH_NONE & 1)) &&
           !rule->certificate_any && rule->certificate_count == 0;
}

/* Whether a client may reach both without a proof: of SOCKS5 each is asked for
   a password that a rule names, and needs one unless another names none. */
static bool
lint_needs_no_proof(const struct lint *lint, const struct rule *deny,
                    const struct rule *allow)
{
    const struct config *config = lint->parse->config;
    bool asked = (deny->auth >> RULE_AUTH_PASSWORD & 1) && allow->auth == 0;

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        bool both = (deny->listeners == 0 || (deny->listeners >> i & 1)) &&
                    (allow->listeners == 0 || (allow->listeners >> i & 1));
        if (both &&
            (listener->tls == NULL ||
             listener->tls->client != CONFIG_TLS_CLIENT_REQUIRE) &&
            (!asked || listener->socks5 != CONFIG_SOCKS5_ONLY))
            return true;
    }
    return false;
}

/* Who is denied need only leave out the proof. */
static void
lint_proofs(struct lint *lint, const struct rule *deny,
            const struct rule *allow)
{
    struct node at = lint_place(allow->line, allow->column);

    if (!lint_takes_anybody(deny) && lint_takes_anybody(allow) &&
        (deny->commands & allow->commands) != 0 &&
        netset_meets(&deny->to, &allow->to) &&
        lint_needs_no_proof(lint, deny, allow))
        diag_warn(lint->parse, &at,
                  "rule \"%s\" grants what rule \"%s\" (line %u) denies to "
                  "those who prove who they are: they need only prove nothing; "
                  "ask for a proof here (auth, certificate), or deny it to all",
                  allow->name, deny->name, deny->line);
}

static void
lint_granted_beside(struct lint *lint, const struct rule *deny,
                    const struct rule *allow, const char *command)
{
    struct node at = lint_place(allow->line, allow->column);

    diag_warn(
        lint->parse, &at,
        "rule \"%s\" grants %s to addresses that rule \"%s\" (line %u) "
        "denies for CONNECT alone; leave out the deny rule's `command' to "
        "deny both",
        allow->name, command, deny->name, deny->line);
}

static void
lint_pair(struct lint *lint, const struct rule *deny, const struct rule *allow)
{
    struct node at = lint_place(allow->line, allow->column);

    if (!netset_meets(&deny->from, &allow->from))
        return;
    lint_proofs(lint, deny, allow);
    if ((allow->commands >> RULE_UDP & 1) &&
        deny->commands == 1u << RULE_CONNECT &&
        netset_meets(&deny->to, &allow->to))
        lint_granted_beside(lint, deny, allow, "udp");
    if (!(allow->commands >> RULE_BIND & 1))
        return;
    if (!(deny->commands >> RULE_BIND & 1) &&
        netset_meets(&deny->to, &allow->to))
        lint_granted_beside(lint, deny, allow, "BIND");
    else if (allow->peer == RULE_PEER_ANY && !lint_meets_nobody(lint, deny) &&
             deny->to.count > 0)
        diag_warn(lint->parse, &at,
                  "rule \"%s\" has `peer: any', so the peer of a BIND to "
                  "0.0.0.0 may be an address that rule \"%s\" (line %u) "
                  "denies; list networks as the peer, or add 0.0.0.0%s to the "
                  "deny rule",
                  allow->name, deny->name, deny->line,
                  config_serves_socks5(lint->parse->config) ? " and \"::\""
                                                            : "");
}

static void
lint_pairs(struct lint *lint)
{
    const struct policy *policy = lint->policy;

    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].allow)
            continue;
        for (size_t j = i + 1;
             j < policy->rule_count && lint->pairs++ < LINT_PAIRS_MAX; j++)
            if (policy->rules[j].allow)
                lint_pair(lint, &policy->rules[i], &policy->rules[j]);
    }
}

static void
lint_sets(struct lint *lint)
{
    const struct config *config = lint->parse->config;

    for (size_t i = 0; i < config->set_count; i++) {
        const struct config_set *set = &config->sets[i];
        struct node at = lint_place(set->line, set->column);
        if (!set->used)
            diag_warn(lint->parse, &at,
                      "no rule uses the set \"%s\"; use it or remove it",
                      set->name);
    }
}

static void
lint_parents(struct lint *lint)
{
    const struct config *config = lint->parse->config;

    for (size_t i = 0; i < config->parent_count; i++) {
        const struct config_parent *parent = &config->parents[i];
        struct node at = lint_place(parent->line, parent->column);
        if (!parent->used)
            diag_warn(lint->parse, &at,
                      "no rule uses the parent \"%s\"; name it in a rule's "
                      "via, or remove it",
                      parent->name);
        if (parent->protocol == CONFIG_PARENT_SOCKS5 && parent->userid != NULL)
            diag_warn(lint->parse, &at,
                      "the parent \"%s\" is told no USERID: SOCKS5 has none; "
                      "remove userid, or write protocol: socks4a",
                      parent->name);
    }
}

static void
lint_names_without_4a(struct lint *lint)
{
    const struct config *config = lint->parse->config;
    bool served = config_serves_socks5(config);

    for (size_t i = 0; i < config->listener_count; i++)
        served |= config->listeners[i].socks4a != CONFIG_4A_OFF;
    if (lint->policy->index->name_count > 0 && !served)
        diag_warn(lint->parse, NULL,
                  "rules name hosts, which only requests of SOCKS 4A and "
                  "SOCKS5 do, and no listener has socks4a: true or socks5: "
                  "true");
}

/* Only SOCKS5 has UDP ASSOCIATE; and where a listener has TLS, it does not go
   around datagrams. */
static void
lint_udp(struct lint *lint, const struct rule *rule)
{
    const struct config *config = lint->parse->config;
    struct node at = lint_place(rule->line, rule->column);
    bool served = false;

    if (!rule->allow || !(rule->commands >> RULE_UDP & 1))
        return;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (listener->socks5 == CONFIG_SOCKS5_OFF ||
            (rule->versions != 0 && !(rule->versions >> RULE_VERSION_5 & 1)) ||
            (rule->listeners != 0 && !(rule->listeners >> i & 1)))
            continue;
        served = true;
        if (listener->tls != NULL && !listener->insecure_plaintext)
            diag_warn(lint->parse, &at,
                      "rule \"%s\" grants udp to clients of listener \"%s\", "
                      "whose TLS does not protect datagrams: they pass "
                      "readable; if that is meant, add insecure_plaintext: "
                      "true to the listener",
                      rule->name, listener->name);
    }
    if (!served)
        diag_warn(
            lint->parse, &at,
            "rule \"%s\" grants no udp: only SOCKS5 asks for it, which no "
            "listener of the rule serves, or its version leaves out; set "
            "socks5: true, or remove udp from the command",
            rule->name);
}

static void
lint_certificates_without_tls(struct lint *lint)
{
    const struct config *config = lint->parse->config;

    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].proxy_certificate ||
            (config->listeners[i].tls != NULL &&
             config->listeners[i].tls->client != CONFIG_TLS_CLIENT_OFF))
            return;
    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        const struct rule *rule = &lint->policy->rules[i];
        struct node at = lint_place(rule->line, rule->column);
        if (rule->certificate_any || rule->certificate_count > 0 ||
            rule->auth == 1u << RULE_AUTH_CERTIFICATE)
            diag_warn(lint->parse, &at,
                      "rule \"%s\" never matches: it wants certificates, and "
                      "no listener asks for one; set the listener's "
                      "tls.client, or remove the term",
                      rule->name);
    }
}

/* Where no listener that the rule means serves one of its versions. */
static void
lint_versions(struct lint *lint)
{
    const struct config *config = lint->parse->config;

    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        const struct rule *rule = &lint->policy->rules[i];
        struct node at = lint_place(rule->line, rule->column);
        unsigned served = 0;
        for (size_t j = 0; j < config->listener_count; j++)
            if (rule->listeners == 0 || (rule->listeners >> j & 1))
                served |= config_versions(&config->listeners[j]);
        if (rule->versions != 0 && (rule->versions & served) == 0)
            diag_warn(lint->parse, &at,
                      "rule \"%s\" never matches: none of its listeners "
                      "serves a version that it has; set the listener's "
                      "socks4a or socks5, or remove the rule",
                      rule->name);
    }
}

/* A host that may send PROXY headers may claim any address. */
static void
lint_balancers(struct lint *lint)
{
    const struct config *config = lint->parse->config;

    for (size_t i = 0; i < config->listener_count; i++)
        if (netset_covers(&config->listeners[i].proxy_protocol.nets,
                          &lint->version_4))
            diag_warn(lint->parse, NULL,
                      "listener \"%s\" believes a PROXY header from every "
                      "address, so that anybody can claim any address; list "
                      "the balancers in proxy_protocol",
                      config->listeners[i].name);
}

/* Whether a rule allows anything to clients of the listener that are not on
   loopback. */
static bool
lint_serves_others(const struct lint *lint, size_t listener)
{
    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        const struct rule *rule = &lint->policy->rules[i];
        if (rule->allow &&
            (rule->listeners == 0 || rule->listeners >> listener & 1) &&
            (rule->from_self || !netset_covers(&lint->loopback, &rule->from)))
            return true;
    }
    return false;
}

/* The file of the package, of which only the address was changed. */
static void
lint_listeners(struct lint *lint)
{
    const struct config *config = lint->parse->config;

    for (size_t i = 0; i < config->listener_count; i++)
        if (!addr_is_loopback(config->listeners[i].at.addr) &&
            config->listeners[i].proxy_protocol.nets.count == 0 &&
            lint->policy->rule_count > 0 && !lint_serves_others(lint, i))
            diag_warn(lint->parse, NULL,
                      "listener \"%s\" is not on loopback, and no rule allows "
                      "anything to its clients elsewhere; list their networks "
                      "in the `from' of a rule",
                      config->listeners[i].name);
}

static void
lint_send_proxy(struct lint *lint, const struct rule *rule)
{
    struct node at = lint_place(rule->line, rule->column);

    if (rule->send_proxy != RULE_SEND_PROXY_OFF &&
        !(rule->commands >> RULE_CONNECT & 1))
        diag_warn(lint->parse, &at,
                  "rule \"%s\" never sends a PROXY header: it grants no "
                  "CONNECT; remove send_proxy, or add connect to its command",
                  rule->name);
}

/* The networks that the checks above compare with. 0 or -ENOMEM. */
static int
lint_init(struct lint *lint, struct parse *parse)
{
    *lint = (struct lint){.parse = parse, .policy = &parse->config->policy};
    if (set_add_builtin(&lint->any, "any") != 0 ||
        netset_add(&lint->version_4, addr_v4(0), addr_v4(UINT32_MAX)) != 0 ||
        netset_add(&lint->loopback, addr_v4(127u << 24),
                   addr_v4((128u << 24) - 1)) != 0 ||
        netset_add(&lint->loopback, (struct addr){0, 1}, (struct addr){0, 1}) !=
            0)
        return -ENOMEM;
    set_seal(&lint->any);
    netset_seal(&lint->version_4);
    netset_seal(&lint->loopback);
    return 0;
}

void
lint_config(struct parse *parse)
{
    struct lint lint;

    if (parse->warnings && lint_init(&lint, parse) == 0) {
        const struct policy *policy = lint.policy;
        if (policy->rule_count == 0)
            diag_warn(parse, NULL, "no rules: every request will be refused");
        lint_names_without_4a(&lint);
        lint_certificates_without_tls(&lint);
        lint_versions(&lint);
        auth_warn(parse);
        lint_balancers(&lint);
        lint_listeners(&lint);
        lint_sets(&lint);
        lint_parents(&lint);
        for (size_t i = 0; i < policy->rule_count; i++) {
            lint_send_proxy(&lint, &policy->rules[i]);
            lint_udp(&lint, &policy->rules[i]);
            lint_rule_reach(&lint, &policy->rules[i]);
            lint_rule_cover(&lint, &policy->rules[i]);
        }
        lint_pairs(&lint);
        open_proxy_warn(parse);
    }
    if (parse->warnings) {
        set_fini(&lint.any);
        netset_fini(&lint.version_4);
        netset_fini(&lint.loopback);
    }
}
