#include "gateway/worker/policy.h"

#include <string.h>

#include "gateway/config/index.h"
#include "socks4/codec.h"

static bool
matches_listener(const struct config_rule *rule, size_t listener)
{
    return rule->listeners == 0 || (rule->listeners >> listener & 1);
}

/* Of a BIND it is the primary connection's, for information [V4-4.1-4]. */
static bool
matches_port(const struct config_rule *rule, uint16_t port)
{
    for (size_t i = 0; i < rule->port_count; i++)
        if (port >= rule->ports[i].first && port <= rule->ports[i].last)
            return true;
    return rule->port_count == 0;
}

/* USERID is compared octet by octet; it is a claim [V4-C.1-1]. */
static bool
matches_user(const struct config_rule *rule, const char *userid, size_t len)
{
    for (size_t i = 0; i < rule->user_count; i++) {
        const struct config_word *word = &rule->users[i];
        if (len < word->len || (len > word->len && !word->prefix))
            continue;
        if (word->len == 0 || memcmp(word->text, userid, word->len) == 0)
            return true;
    }
    return rule->user_count == 0;
}

/* All terms but `to`. */
static bool
matches_otherwise(const struct config_rule *rule,
                  const struct policy_question *asked)
{
    return matches_listener(rule, asked->listener) &&
           (rule->commands >> asked->command & 1) &&
           matches_port(rule, asked->port) &&
           netset_has(&rule->from, asked->from) &&
           matches_user(rule, asked->userid, asked->userid_len);
}

/* A BIND to 0.0.0.0 names no peer: only a rule that lets anyone be the peer
   can grant it. */
static bool
matches_to(const struct config_rule *rule, const struct policy_question *asked)
{
    if (asked->command == SOCKS4_BIND && asked->to == 0) {
        if (rule->peer == CONFIG_PEER_ANY)
            return true;
        if (rule->allow)
            return false;
    }
    return netset_has(&rule->to, addr_v4(asked->to));
}

/* 0/8 is this host, 224/4 and 240/4 are nobody; the other special ranges
   are kept out by what `to` means [4A-B.3-1, 4A-B.3-2]. */
static bool
is_unreachable(uint32_t to)
{
    return to >> 24 == 0 || to >> 28 >= 14;
}

static bool
is_special(uint32_t to)
{
    return is_unreachable(to) || to >> 24 == 127 || to >> 16 == 0xa9fe;
}

/* Of a rule that one of its names has led to. */
typedef bool matches_fn(const struct config_rule *rule,
                        const struct policy_question *asked);

/* Whoever owns a name chooses its addresses: a rule that allows the name
   opens no way to this machine or its link [4A-B.3-2, 4A-B.6-3]. */
static bool
matches_name(const struct config_rule *rule,
             const struct policy_question *asked)
{
    return !(rule->allow && is_special(asked->to)) &&
           matches_otherwise(rule, asked);
}

static bool
is_own_listener(const struct config *config, uint32_t to, uint16_t port)
{
    struct addr addr = addr_v4(to);

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct endpoint *at = &config->listeners[i].at;
        if (at->port == port && addr_equal(at->addr, addr))
            return true;
    }
    return false;
}

bool
policy_wildcard(const struct config *config, uint16_t port)
{
    return is_own_listener(config, 0, port);
}

/* The first rule before `best` that matches, among those on the way from
   the address to the root; `best` if there is none. */
static uint32_t
tree_first(const struct config *config, const struct rule_tree *tree,
           struct addr addr, const struct policy_question *asked, uint32_t best)
{
    for (size_t node = rule_tree_node(tree, addr); node > 0; node /= 2) {
        for (uint32_t i = tree->starts[node]; i < tree->starts[node + 1]; i++) {
            if (tree->rules[i] >= best)
                break;
            const struct config_rule *rule = &config->rules[tree->rules[i]];
            if (!matches_otherwise(rule, asked) || !matches_to(rule, asked))
                continue;
            best = tree->rules[i];
            break;
        }
    }
    return best;
}

/* The same among those that have `name`, of this length, as it stands. */
static uint32_t
name_first(const struct config *config, const char *name, size_t len,
           matches_fn *matches, const struct policy_question *asked,
           uint32_t best)
{
    const struct rule_index *index = config->index;

    for (size_t i = rule_names_find(index, name, len); i < index->name_count;
         i++) {
        const struct rule_name *named = &index->names[i];
        if (named->rule >= best || rule_name_cmp(named->word, name, len) != 0)
            break;
        if (matches(&config->rules[named->rule], asked))
            return named->rule;
    }
    return best;
}

/* The same among those whose names are meant by the one asked for: itself,
   and what is left of it at each dot but the first octet. */
static uint32_t
names_first(const struct config *config, matches_fn *matches,
            const struct policy_question *asked, uint32_t best)
{
    const char *name = asked->name;
    size_t len = asked->name_len;

    if (config->index->name_count == 0 || len == 0)
        return best;
    if (name[len - 1] == '.')
        len--;
    for (size_t at = 0; at < len; at++)
        if ((at == 0) != (name[at] == '.'))
            best =
                name_first(config, name + at, len - at, matches, asked, best);
    return best;
}

/* What no rule can grant. A name for 0.0.0.0 names no peer, and is no way
   to ask for any. */
static enum policy_reason
refuse_always(const struct config *config, const struct policy_question *asked)
{
    if (asked->command == SOCKS4_BIND)
        return asked->name && asked->to >> 24 == 0 ? POLICY_DENIED_SPECIAL
                                                   : POLICY_ALLOWED;
    if (is_unreachable(asked->to))
        return POLICY_DENIED_SPECIAL;
    if (asked->port == 0)
        return POLICY_DENIED_PORT;
    if (is_own_listener(config, asked->to, asked->port))
        return POLICY_DENIED_LISTENER;
    if (asked->is_local && policy_wildcard(config, asked->port) &&
        asked->is_local(addr_v4(asked->to)))
        return POLICY_DENIED_LISTENER;
    return POLICY_ALLOWED;
}

struct policy_answer
policy_decide(const struct config *config, const struct policy_question *asked)
{
    const struct rule_index *index = config->index;
    enum policy_reason never = refuse_always(config, asked);
    uint32_t none = (uint32_t)config->rule_count;

    if (never != POLICY_ALLOWED)
        return (struct policy_answer){.reason = never};
    uint32_t first =
        tree_first(config, &index->by_from, asked->from, asked, none);
    first = tree_first(config, &index->by_to, addr_v4(asked->to), asked, first);
    if (asked->name)
        first = names_first(config, matches_name, asked, first);
    if (first == none)
        return (struct policy_answer){.reason = POLICY_DENIED_DEFAULT};
    const struct config_rule *rule = &config->rules[first];
    return (struct policy_answer){.reason = rule->allow ? POLICY_ALLOWED
                                                        : POLICY_DENIED_RULE,
                                  .rule = rule};
}

/* Rules by their number, since any may have an address yet to come; in
   practice one of the first allows. */
static bool
may_reach(const struct config *config, const struct policy_question *asked,
          uint32_t end)
{
    for (uint32_t i = 0; i < end; i++) {
        const struct config_rule *rule = &config->rules[i];
        if (rule->allow && rule->to.count > 0 && matches_otherwise(rule, asked))
            return true;
    }
    return false;
}

struct policy_answer
policy_may_grant(const struct config *config,
                 const struct policy_question *asked)
{
    uint32_t none = (uint32_t)config->rule_count;

    if (asked->command == SOCKS4_CONNECT && asked->port == 0)
        return (struct policy_answer){.reason = POLICY_DENIED_PORT};
    /* Whatever the address, no rule behind this one decides. */
    uint32_t named = names_first(config, matches_otherwise, asked, none);
    if (named < none && config->rules[named].allow)
        return (struct policy_answer){.reason = POLICY_ALLOWED};
    if (may_reach(config, asked, named))
        return (struct policy_answer){.reason = POLICY_ALLOWED};
    if (named == none)
        return (struct policy_answer){.reason = POLICY_DENIED_DEFAULT};
    return (struct policy_answer){.reason = POLICY_DENIED_RULE,
                                  .rule = &config->rules[named]};
}

struct policy_answer
policy_decide_all(const struct config *config,
                  const struct policy_question *asked, uint32_t *addresses,
                  size_t *count)
{
    struct policy_question one = *asked;
    struct policy_answer answer = {0};
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        one.to = addresses[i];
        struct policy_answer its = policy_decide(config, &one);
        if (i == 0 || (kept == 0 && its.reason == POLICY_ALLOWED))
            answer = its;
        if (its.reason == POLICY_ALLOWED && its.rule == answer.rule)
            addresses[kept++] = addresses[i];
    }
    *count = kept;
    return answer;
}
