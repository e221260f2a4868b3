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

static bool
matches(const struct config_rule *rule, const struct policy_question *asked)
{
    return matches_listener(rule, asked->listener) &&
           (rule->commands >> asked->command & 1) &&
           matches_port(rule, asked->port) && matches_to(rule, asked) &&
           netset_has(&rule->from, asked->from) &&
           matches_user(rule, asked->userid, asked->userid_len);
}

/* 0/8 is this host, 224/4 and 240/4 are nobody; the other special ranges
   are kept out by what `to` means [4A-B.3-1, 4A-B.3-2]. */
static bool
is_unreachable(uint32_t to)
{
    return to >> 24 == 0 || to >> 28 >= 14;
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
            if (!matches(&config->rules[tree->rules[i]], asked))
                continue;
            best = tree->rules[i];
            break;
        }
    }
    return best;
}

struct policy_answer
policy_decide(const struct config *config, const struct policy_question *asked)
{
    const struct rule_index *index = config->index;
    uint32_t none = (uint32_t)config->rule_count;

    if (asked->command == SOCKS4_CONNECT) {
        if (is_unreachable(asked->to))
            return (struct policy_answer){.reason = POLICY_DENIED_SPECIAL};
        if (asked->port == 0)
            return (struct policy_answer){.reason = POLICY_DENIED_PORT};
        if (is_own_listener(config, asked->to, asked->port))
            return (struct policy_answer){.reason = POLICY_DENIED_LISTENER};
    }
    uint32_t first =
        tree_first(config, &index->by_from, asked->from, asked, none);
    first = tree_first(config, &index->by_to, addr_v4(asked->to), asked, first);
    if (first == none)
        return (struct policy_answer){.reason = POLICY_DENIED_DEFAULT};
    const struct config_rule *rule = &config->rules[first];
    return (struct policy_answer){.reason = rule->allow ? POLICY_ALLOWED
                                                        : POLICY_DENIED_RULE,
                                  .rule = rule};
}
