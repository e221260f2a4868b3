#include "gateway/policy/policy.h"

#include <stdio.h>
#include <string.h>

#include "gateway/policy/index.h"
#include "gateway/policy/name.h"
#include "gateway/policy/sets.h"

static bool
policy_matches_listener(const struct rule *rule, size_t listener)
{
    return rule->listeners == 0 || (rule->listeners >> listener & 1);
}

static bool
policy_matches_version(const struct rule *rule, unsigned version)
{
    return rule->versions == 0 || (rule->versions >> version & 1);
}

/* Of a BIND it is the primary connection's, for information [V4-4.1-4]. */
static bool
policy_matches_port(const struct rule *rule, uint16_t port)
{
    for (size_t i = 0; i < rule->port_count; i++)
        if (port >= rule->ports[i].first && port <= rule->ports[i].last)
            return true;
    return rule->port_count == 0;
}

/* USERID is compared octet by octet; it is a claim [V4-C.1-1]. */
static bool
policy_matches_user(const struct rule *rule, const char *userid, size_t len)
{
    for (size_t i = 0; i < rule->user_count; i++) {
        const struct rule_word *word = &rule->users[i];
        if (len < word->len || (len > word->len && !word->prefix))
            continue;
        if (word->len == 0 || memcmp(word->text, userid, word->len) == 0)
            return true;
    }
    return rule->user_count == 0;
}

static char
policy_lower(char octet)
{
    return octet >= 'A' && octet <= 'Z' ? (char)(octet - 'A' + 'a') : octet;
}

/* `fold`: ASCII letters in either case are the same. */
static bool
policy_octets_are(const char *one, const char *other, size_t len, bool fold)
{
    if (!fold)
        return memcmp(one, other, len) == 0;
    for (size_t i = 0; i < len; i++)
        if (policy_lower(one[i]) != policy_lower(other[i]))
            return false;
    return true;
}

static bool
policy_word_is(const struct rule_word *word, const struct span *name, bool fold)
{
    bool suffix = word->len > 1 && word->text[0] == '.' && !word->prefix;
    size_t skipped =
        suffix && name->len > word->len ? name->len - word->len : 0;

    if (name->len < word->len || suffix != (skipped > 0) ||
        (name->len - skipped > word->len && !word->prefix))
        return false;
    return policy_octets_are(name->at + skipped, word->text, word->len, fold);
}

/* No spelling of a name escapes a deny rule. An allow rule admits one. */
size_t
policy_certificate_name(const struct rule *rule,
                        const struct policy_question *asked)
{
    for (size_t i = 0; i < asked->certificate_count; i++)
        for (size_t j = 0; j < rule->certificate_count; j++)
            if (policy_word_is(&rule->certificates[j], &asked->certificate[i],
                               !rule->allow))
                return i;
    return asked->certificate_count;
}

/* It was verified: the one identity that is more than a claim. */
static bool
policy_matches_certificate(const struct rule *rule,
                           const struct policy_question *asked)
{
    if (rule->certificate_any)
        return asked->verified;
    return rule->certificate_count == 0 ||
           policy_certificate_name(rule, asked) < asked->certificate_count;
}

/* Of who has proved nothing, and of each way alone. */
static bool
policy_matches_auth(const struct rule *rule,
                    const struct policy_question *asked)
{
    unsigned has = (unsigned)asked->password << RULE_AUTH_PASSWORD |
                   (unsigned)asked->verified << RULE_AUTH_CERTIFICATE;

    if (has == 0)
        has = 1u << RULE_AUTH_NONE;
    return rule->auth == 0 || (rule->auth & has) != 0;
}

static bool
policy_is_own(const struct policy_question *asked, struct addr addr)
{
    return set_is_loopback(addr) ||
           (asked->is_local && asked->is_local(asked->local, addr));
}

static bool
policy_to_is_own(const struct policy_question *asked)
{
    return asked->to_is_local || policy_is_own(asked, asked->to);
}

static bool
policy_matches_from(const struct rule *rule,
                    const struct policy_question *asked)
{
    return netset_has(&rule->from, asked->from) ||
           (rule->from_self && policy_is_own(asked, asked->from));
}

/* All terms but `to' and `port'. */
static bool
policy_matches_client(const struct rule *rule,
                      const struct policy_question *asked)
{
    return policy_matches_listener(rule, asked->listener) &&
           (rule->commands >> asked->command & 1) &&
           policy_matches_version(rule, asked->version) &&
           policy_matches_from(rule, asked) &&
           policy_matches_user(rule, asked->userid, asked->userid_len) &&
           policy_matches_certificate(rule, asked) &&
           policy_matches_auth(rule, asked);
}

/* All terms but `to`. */
static bool
policy_matches_otherwise(const struct rule *rule,
                         const struct policy_question *asked)
{
    return policy_matches_port(rule, asked->port) &&
           policy_matches_client(rule, asked);
}

/* A deny rule that leaves an address or a port leaves it to those behind. */
static bool
policy_denies_all(const struct rule *rule)
{
    static const struct addr first = {0, 0}, last = {UINT64_MAX, UINT64_MAX};

    return rule->port_count == 0 && rule->to.count == 1 &&
           addr_equal(rule->to.ranges[0].first, first) &&
           addr_equal(rule->to.ranges[0].last, last);
}

struct policy_answer
policy_may_associate(const struct policy *policy,
                     const struct policy_question *asked)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!policy_matches_client(rule, asked) ||
            (!rule->allow && !policy_denies_all(rule)))
            continue;
        return (struct policy_answer){
            .reason = rule->allow ? POLICY_ALLOWED : POLICY_DENIED_RULE,
            .rule = rule};
    }
    return (struct policy_answer){.reason = POLICY_DENIED_DEFAULT};
}

/* Whether the rule names in `auth' what the client has without a password. */
static bool
policy_names_what_it_has(const struct rule *rule,
                         const struct policy_question *asked)
{
    unsigned has = asked->verified ? RULE_AUTH_CERTIFICATE : RULE_AUTH_NONE;

    return rule->auth >> has & 1;
}

/* Nor is the client a user of the rule without one: SOCKS5 names nobody. */
static bool
policy_needs_password(const struct rule *rule,
                      const struct policy_question *asked)
{
    return !policy_names_what_it_has(rule, asked) ||
           !policy_matches_user(rule, asked->userid, asked->userid_len);
}

typedef bool policy_test_fn(const struct rule *rule,
                            const struct policy_question *asked);

/* Whether one of these rules, which could match the client, passes the test. */
static bool
policy_has_rule_for(const struct policy *policy, const uint32_t *numbers,
                    size_t count, const struct policy_question *asked,
                    policy_test_fn *test)
{
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &policy->rules[numbers[i]];
        if (test(rule, asked) &&
            policy_matches_listener(rule, asked->listener) &&
            policy_matches_version(rule, asked->version) &&
            policy_matches_from(rule, asked))
            return true;
    }
    return false;
}

bool
policy_asks_password(const struct policy *policy,
                     const struct policy_question *asked)
{
    return policy_has_rule_for(policy, policy->asking, policy->asking_count,
                               asked, policy_needs_password);
}

bool
policy_waives_password(const struct policy *policy,
                       const struct policy_question *asked)
{
    return policy_has_rule_for(policy, policy->waiving, policy->waiving_count,
                               asked, policy_names_what_it_has);
}

/*
 * A BIND to 0.0.0.0 or :: names no peer: only a rule that lets anyone be the
 * peer can grant it. An address of this machine is reached by an allow rule
 * where the rule spells it out, or names the set `self', or it lies in a
 * special range that the rule names: by any other network the services of this
 * machine would be open to those who may reach that network.
 */
static bool
policy_matches_to(const struct rule *rule, const struct policy_question *asked)
{
    if (asked->command == RULE_BIND && addr_is_any(asked->to)) {
        if (rule->peer == RULE_PEER_ANY)
            return true;
        if (rule->allow)
            return false;
    }
    if (!rule->allow)
        return netset_has(&rule->to, asked->to) ||
               (rule->to_self && policy_to_is_own(asked));
    if (netset_has(&rule->to, asked->to))
        return rule->to_self || netset_has(&rule->to_hosts, asked->to) ||
               set_is_special(asked->to) || !policy_to_is_own(asked);
    return rule->to_self && !set_is_special(asked->to) &&
           policy_to_is_own(asked);
}

/* Of a rule that one of its names has led to. */
typedef bool policy_matches_fn(const struct rule *rule,
                               const struct policy_question *asked);

/* The owner of a name chooses its addresses: a rule that allows the name
   opens no way to this machine or its link [4A-B.3-2, 4A-B.6-3]. */
static bool
policy_matches_name(const struct rule *rule,
                    const struct policy_question *asked)
{
    return !(rule->allow &&
             (set_is_special(asked->to) || policy_to_is_own(asked))) &&
           policy_matches_otherwise(rule, asked);
}

static bool
policy_own_listener(const struct policy *policy, struct addr to, uint16_t port)
{
    for (size_t i = 0; i < policy->listener_count; i++) {
        const struct endpoint *at = &policy->listeners[i];
        if (at->port == port && addr_equal(at->addr, to))
            return true;
    }
    return false;
}

/* Of IPv6 it has none of IPv4. */
bool
policy_wildcard(const struct policy *policy, struct addr to, uint16_t port)
{
    struct addr every = addr_is_v4(to) ? addr_v4(0) : (struct addr){0, 0};

    return policy_own_listener(policy, every, port);
}

/* The first rule before `best` that matches, among those on the way from
   the address to the root; `best` if there is none. */
static uint32_t
policy_first_in_tree(const struct policy *policy, const struct rule_tree *tree,
                     struct addr addr, const struct policy_question *asked,
                     uint32_t best)
{
    for (size_t node = rule_tree_node(tree, addr); node > 0; node /= 2) {
        for (uint32_t i = tree->starts[node]; i < tree->starts[node + 1]; i++) {
            if (tree->rules[i] >= best)
                break;
            const struct rule *rule = &policy->rules[tree->rules[i]];
            if (!policy_matches_otherwise(rule, asked) ||
                !policy_matches_to(rule, asked))
                continue;
            best = tree->rules[i];
            break;
        }
    }
    return best;
}

/* The same among those that have `name`, of this length, as it stands. */
static uint32_t
policy_first_with_name(const struct policy *policy, const char *name,
                       size_t len, policy_matches_fn *matches,
                       const struct policy_question *asked, uint32_t best)
{
    const struct rule_index *index = policy->index;

    for (size_t i = rule_names_find(index, name, len); i < index->name_count;
         i++) {
        const struct rule_name *named = &index->names[i];
        if (named->rule >= best || name_cmp(named->word, name, len) != 0)
            break;
        if (matches(&policy->rules[named->rule], asked))
            return named->rule;
    }
    return best;
}

/* The same among those whose names are meant by the one asked for: itself,
   and what is left of it at each dot but the first octet. */
static uint32_t
policy_first_by_name(const struct policy *policy, policy_matches_fn *matches,
                     const struct policy_question *asked, uint32_t best)
{
    const char *name = asked->name;
    size_t len = asked->name_len;

    if (policy->index->name_count == 0 || len == 0)
        return best;
    if (name[len - 1] == '.')
        len--;
    for (size_t at = 0; at < len; at++)
        if ((at == 0) != (name[at] == '.'))
            best = policy_first_with_name(policy, name + at, len - at, matches,
                                          asked, best);
    return best;
}

bool
policy_is_listener(const struct policy *policy,
                   const struct policy_question *asked)
{
    return policy_own_listener(policy, asked->to, asked->port) ||
           (policy_wildcard(policy, asked->to, asked->port) &&
            policy_to_is_own(asked));
}

static bool
policy_names_no_peer(struct addr to)
{
    return addr_is_v4(to) ? addr_to_v4(to) >> 24 == 0
                          : to.hi == 0 && to.lo == 0;
}

/* What no rule can grant. A name for 0.0.0.0 names no peer, and is no way
   to ask for any. */
static enum policy_reason
policy_refuse_always(const struct policy *policy,
                     const struct policy_question *asked)
{
    if (asked->command == RULE_BIND)
        return asked->name && policy_names_no_peer(asked->to)
                   ? POLICY_DENIED_SPECIAL
                   : POLICY_ALLOWED;
    if (set_is_unreachable(asked->to))
        return POLICY_DENIED_SPECIAL;
    if (asked->port == 0)
        return POLICY_DENIED_PORT;
    return policy_is_listener(policy, asked) ? POLICY_DENIED_LISTENER
                                             : POLICY_ALLOWED;
}

/* Whether an allow rule would have matched, had the address been none of the
   special ones. */
static bool
policy_was_cut(const struct policy *policy, const struct policy_question *asked,
               bool special)
{
    const struct rule_tree *tree = &policy->index->candidates;
    uint32_t none = (uint32_t)policy->rule_count;

    if (asked->name && policy_first_by_name(policy, policy_matches_otherwise,
                                            asked, none) < none)
        return true;
    for (size_t node = rule_tree_node(tree, asked->from); node > 0; node /= 2)
        for (uint32_t i = tree->starts[node]; i < tree->starts[node + 1]; i++) {
            const struct rule *rule = &policy->rules[tree->rules[i]];
            if (netset_has(special ? &rule->to_cut : &rule->to, asked->to) &&
                policy_matches_otherwise(rule, asked))
                return true;
        }
    return false;
}

/* Why no rule matched. */
static enum policy_reason
policy_reason_of_none(const struct policy *policy,
                      const struct policy_question *asked)
{
    bool special = set_is_special(asked->to);

    /* Of 0.0.0.0 no address is asked for. */
    if (asked->command == RULE_BIND && addr_is_any(asked->to))
        return POLICY_DENIED_DEFAULT;
    if (!special && !policy_to_is_own(asked))
        return POLICY_DENIED_DEFAULT;
    if (!policy_was_cut(policy, asked, special))
        return POLICY_DENIED_DEFAULT;
    if (!special)
        return POLICY_DENIED_SELF;
    if (set_is_loopback(asked->to))
        return POLICY_DENIED_LOOPBACK;
    return set_is_link_local(asked->to) ? POLICY_DENIED_LINK_LOCAL
                                        : POLICY_DENIED_RANGE;
}

static struct policy_answer
policy_decide_meant(const struct policy *policy,
                    const struct policy_question *asked)
{
    const struct rule_index *index = policy->index;
    enum policy_reason never = policy_refuse_always(policy, asked);
    uint32_t none = (uint32_t)policy->rule_count;

    if (never != POLICY_ALLOWED)
        return (struct policy_answer){.reason = never};
    uint32_t first =
        policy_first_in_tree(policy, &index->by_from, asked->from, asked, none);
    first =
        policy_first_in_tree(policy, &index->by_to, asked->to, asked, first);
    if (asked->name)
        first = policy_first_by_name(policy, policy_matches_name, asked, first);
    if (first == none)
        return (struct policy_answer){.reason =
                                          policy_reason_of_none(policy, asked)};
    const struct rule *rule = &policy->rules[first];
    return (struct policy_answer){.reason = rule->allow ? POLICY_ALLOWED
                                                        : POLICY_DENIED_RULE,
                                  .rule = rule};
}

struct policy_answer
policy_decide(const struct policy *policy, const struct policy_question *asked)
{
    struct addr meant = set_meant(asked->to);

    if (addr_equal(meant, asked->to))
        return policy_decide_meant(policy, asked);
    struct policy_question other = *asked;
    other.to = meant;
    struct policy_answer answer = policy_decide_meant(policy, &other);
    /* A deny rule means what it says, so also the address as it is written. */
    struct policy_answer written = policy_decide_meant(policy, asked);
    return answer.reason == POLICY_ALLOWED &&
                   written.reason == POLICY_DENIED_RULE &&
                   written.rule < answer.rule
               ? written
               : answer;
}

/* Whether a rule before `end` allows the client some network: the name may
   have an address there. */
static bool
policy_may_reach(const struct policy *policy,
                 const struct policy_question *asked, uint32_t end)
{
    const struct rule_tree *tree = &policy->index->candidates;

    for (size_t node = rule_tree_node(tree, asked->from); node > 0; node /= 2)
        for (uint32_t i = tree->starts[node];
             i < tree->starts[node + 1] && tree->rules[i] < end; i++) {
            const struct rule *rule = &policy->rules[tree->rules[i]];
            if ((rule->to.count > 0 || rule->to_self) &&
                policy_matches_otherwise(rule, asked))
                return true;
        }
    return false;
}

struct policy_answer
policy_may_grant(const struct policy *policy,
                 const struct policy_question *asked)
{
    uint32_t none = (uint32_t)policy->rule_count;

    if (asked->command != RULE_BIND && asked->port == 0)
        return (struct policy_answer){.reason = POLICY_DENIED_PORT};
    /* Whatever the address, no rule behind this one decides. */
    uint32_t named =
        policy_first_by_name(policy, policy_matches_otherwise, asked, none);
    if (named < none && policy->rules[named].allow)
        return (struct policy_answer){.reason = POLICY_ALLOWED};
    if (policy_may_reach(policy, asked, named))
        return (struct policy_answer){.reason = POLICY_ALLOWED};
    if (named == none)
        return (struct policy_answer){.reason = POLICY_DENIED_DEFAULT};
    return (struct policy_answer){.reason = POLICY_DENIED_RULE,
                                  .rule = &policy->rules[named]};
}

const struct rule *
policy_find_passing(const struct policy *policy,
                    const struct policy_question *asked)
{
    uint32_t none = (uint32_t)policy->rule_count;
    uint32_t named =
        policy_first_by_name(policy, policy_matches_otherwise, asked, none);

    for (uint32_t i = 0; i < named; i++) {
        const struct rule *rule = &policy->rules[i];
        if ((rule->to.count > 0 || rule->to_self) &&
            policy_matches_otherwise(rule, asked))
            return rule->passes_names && rule->to_any ? rule : NULL;
    }
    return named < none && policy->rules[named].passes_names
               ? &policy->rules[named]
               : NULL;
}

/* Bits of enum policy_term: of a rule that wants a password `user' is not one,
   because who sends the password names another user with it. */
static unsigned
policy_find_unmet(const struct rule *rule, const struct policy_question *asked)
{
    unsigned unmet = 0;

    if (!policy_matches_version(rule, asked->version))
        unmet |= POLICY_TERM_VERSION;
    if (!policy_matches_certificate(rule, asked))
        unmet |= POLICY_TERM_CERTIFICATE;
    if (!policy_matches_auth(rule, asked))
        unmet |= POLICY_TERM_AUTH;
    if (!policy_matches_user(rule, asked->userid, asked->userid_len) &&
        !((unmet & POLICY_TERM_AUTH) && (rule->auth >> RULE_AUTH_PASSWORD & 1)))
        unmet |= POLICY_TERM_USER;
    return unmet;
}

/* All terms of a rule that allows but `to' and those on who may ask. */
static bool
policy_allows_anybody(const struct rule *rule,
                      const struct policy_question *asked)
{
    return rule->allow && policy_matches_listener(rule, asked->listener) &&
           (rule->commands >> asked->command & 1) &&
           (asked->command == RULE_UDP ||
            policy_matches_port(rule, asked->port)) &&
           policy_matches_from(rule, asked);
}

/* As policy_first_in_tree. */
static uint32_t
policy_nearest_in_tree(const struct policy *policy,
                       const struct rule_tree *tree, struct addr addr,
                       const struct policy_question *asked, bool anywhere,
                       uint32_t best)
{
    for (size_t node = rule_tree_node(tree, addr); node > 0; node /= 2)
        for (uint32_t i = tree->starts[node];
             i < tree->starts[node + 1] && tree->rules[i] < best; i++) {
            const struct rule *rule = &policy->rules[tree->rules[i]];
            if (policy_allows_anybody(rule, asked) &&
                (anywhere || policy_matches_to(rule, asked)))
                best = tree->rules[i];
        }
    return best;
}

const struct rule *
policy_find_nearest(const struct policy *policy,
                    const struct policy_question *asked, unsigned *unmet)
{
    const struct rule_index *index = policy->index;
    uint32_t none = (uint32_t)policy->rule_count;
    uint32_t best = none;

    if (asked->name)
        best = policy_first_by_name(policy, policy_allows_anybody, asked, none);
    if (asked->command == RULE_UDP ||
        (asked->name && policy_names_no_peer(asked->to))) {
        best = policy_nearest_in_tree(policy, &index->candidates, asked->from,
                                      asked, true, best);
    } else {
        best = policy_nearest_in_tree(policy, &index->by_from, asked->from,
                                      asked, false, best);
        best = policy_nearest_in_tree(policy, &index->by_to, asked->to, asked,
                                      false, best);
    }
    if (best == none)
        return NULL;
    *unmet = policy_find_unmet(&policy->rules[best], asked);
    return *unmet != 0 ? &policy->rules[best] : NULL;
}

const char *
policy_unmet_text(const struct rule *rule, unsigned unmet,
                  char text[POLICY_UNMET_TEXT_MAX])
{
    const char *const words[] = {
        unmet & POLICY_TERM_USER ? "user" : NULL,
        !(unmet & POLICY_TERM_AUTH)              ? NULL
        : rule->auth == 1u << RULE_AUTH_PASSWORD ? "auth (a password, which "
                                                   "only SOCKS5 has)"
                                                 : "auth",
        unmet & POLICY_TERM_CERTIFICATE ? "certificate" : NULL,
        unmet & POLICY_TERM_VERSION ? "version" : NULL,
    };
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i])
            len += (size_t)snprintf(text + len, POLICY_UNMET_TEXT_MAX - len,
                                    "%s%s", len > 0 ? ", " : "", words[i]);
    return text;
}

/* What the rules before one decide already, as far as addresses go. */
struct policy_decided {
    struct netset networks, hosts;
    bool self;
};

/* An allow rule's networks hold this machine's own addresses only where they
   are written out; a deny rule's hold all of theirs. */
static bool
policy_is_decided(const struct policy_decided *decided, const struct rule *rule)
{
    const struct netset *hosts = rule->allow ? &rule->to_hosts : &rule->to;

    return netset_covers(&decided->networks, &rule->to) &&
           (decided->self ||
            (!rule->to_self && netset_covers(&decided->hosts, hosts)));
}

/* Without memory fewer rules are left out, which is no error. */
static void
policy_note_decided(struct policy_decided *decided, const struct rule *rule)
{
    const struct netset *hosts = rule->allow ? &rule->to_hosts : &rule->to;

    if (netset_add_set(&decided->networks, &rule->to) == 0)
        netset_seal(&decided->networks);
    if (netset_add_set(&decided->hosts, hosts) == 0)
        netset_seal(&decided->hosts);
    decided->self |= rule->to_self;
}

static void
policy_add_candidate(struct policy_candidates *candidates,
                     const struct rule *rule)
{
    if (candidates->count < POLICY_CANDIDATES_MAX)
        candidates->rules[candidates->count] = rule;
    candidates->count++;
    candidates->ident |= rule->ident == RULE_IDENT_REQUIRE;
}

void
policy_find_candidates(const struct policy *policy,
                       const struct policy_question *asked,
                       struct policy_candidates *candidates)
{
    uint32_t none = (uint32_t)policy->rule_count;
    uint32_t named =
        policy_first_by_name(policy, policy_matches_otherwise, asked, none);

    struct policy_decided decided = {.self = false};
    netset_init(&decided.networks);
    netset_init(&decided.hosts);
    *candidates = (struct policy_candidates){.named = named < none};
    for (uint32_t i = 0; i < named; i++) {
        const struct rule *rule = &policy->rules[i];
        if ((rule->to.count == 0 && !rule->to_self) ||
            !policy_matches_otherwise(rule, asked) ||
            policy_is_decided(&decided, rule))
            continue;
        policy_add_candidate(candidates, rule);
        policy_note_decided(&decided, rule);
    }
    netset_fini(&decided.networks);
    netset_fini(&decided.hosts);
    if (named < none)
        policy_add_candidate(candidates, &policy->rules[named]);
}

struct policy_answer
policy_decide_all(const struct policy *policy,
                  const struct policy_question *asked, struct addr *addresses,
                  size_t *count)
{
    struct policy_question one = *asked;
    struct policy_answer answer = {.reason = POLICY_DENIED_DEFAULT};
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        one.to = addresses[i];
        struct policy_answer its = policy_decide(policy, &one);
        if (i == 0 || (kept == 0 && its.reason == POLICY_ALLOWED))
            answer = its;
        if (its.reason == POLICY_ALLOWED && its.rule == answer.rule)
            addresses[kept++] = addresses[i];
    }
    *count = kept;
    return answer;
}
