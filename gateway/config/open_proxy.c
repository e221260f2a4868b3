#include "gateway/config/open_proxy.h"

#include <string.h>

#include "gateway/config/diag.h"

/* Address ranges that are looked at, at most, so that no list of rules keeps a
   reload waiting. */
#define OPEN_PROXY_RANGES_MAX 5000000

/* The addresses of the Internet in units: single ones of IPv4, networks of 32
   bits of IPv6. A rule for a quarter of them is for anyone. */
struct open_proxy_space {
    struct addr first, last;
    unsigned shift;
    uint64_t anyone;
};

static const struct open_proxy_space spaces[] = {
    {{0, 0xffff00000000}, {0, 0xffffffffffff}, 0, UINT64_C(1) << 30},
    {{UINT64_C(0x2000) << 48, 0},
     {UINT64_C(0x3fff) << 48 | 0xffffffffffff, UINT64_MAX},
     32,
     UINT64_C(1) << 27},
};

struct open_proxy {
    const struct config *config;
    const struct rule *rule;
    enum rule_command command; /* CONNECT, or UDP: that strangers may ask for */
    const struct config_listener *listener; /* where they do */
    struct netset cut;                      /* what rules before deny */
    size_t looked_at;
};

static uint64_t
space_unit(const struct open_proxy_space *space, struct addr addr)
{
    if (addr_cmp(addr, space->first) < 0)
        addr = space->first;
    if (addr_cmp(addr, space->last) > 0)
        addr = space->last;
    return space->shift > 0 ? addr.hi >> space->shift
                            : addr.lo - space->first.lo;
}

static bool
space_meets(const struct open_proxy_space *space,
            const struct netset_range *range)
{
    return addr_cmp(range->last, space->first) >= 0 &&
           addr_cmp(range->first, space->last) <= 0;
}

/* How many units of the space `set` has and `cut` lacks; both are sealed. */
static uint64_t
space_count(const struct open_proxy_space *space, const struct netset *set,
            const struct netset *cut)
{
    uint64_t count = 0;
    size_t at = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct netset_range *range = &set->ranges[i];
        if (!space_meets(space, range))
            continue;
        uint64_t next = space_unit(space, range->first);
        uint64_t end = space_unit(space, range->last) + 1;
        while (at < cut->count &&
               addr_cmp(cut->ranges[at].last, range->first) < 0)
            at++;
        for (size_t j = at; j < cut->count && next < end; j++) {
            uint64_t first = space_unit(space, cut->ranges[j].first);
            uint64_t last = space_unit(space, cut->ranges[j].last);
            if (!space_meets(space, &cut->ranges[j]))
                continue;
            if (first >= end)
                break;
            count += first > next ? first - next : 0;
            next = last + 1 > next ? last + 1 : next;
        }
        count += end > next ? end - next : 0;
    }
    return count;
}

static bool
open_proxy_is_anyone(const struct netset *from, const struct netset *cut)
{
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
        if (space_count(&spaces[i], from, cut) >= spaces[i].anyone)
            return true;
    return false;
}

static unsigned
open_proxy_versions(const struct rule *rule,
                    const struct config_listener *listener)
{
    unsigned versions = config_versions(listener);

    return rule->versions != 0 ? versions & rule->versions : versions;
}

/* Requests carry IPv4 addresses, and those of SOCKS5 IPv6 addresses, too. */
static bool
open_proxy_is_anywhere(const struct open_proxy *open, const struct netset *to,
                       const struct netset *cut)
{
    return open_proxy_versions(open->rule, open->listener) >> RULE_VERSION_5 & 1
               ? open_proxy_is_anyone(to, cut)
               : space_count(&spaces[0], to, cut) >= spaces[0].anyone;
}

/* Whether strangers reach the listener, itself or by a balancer. */
static bool
open_proxy_is_reached(const struct config_listener *listener)
{
    if (listener->tls && listener->tls->client == CONFIG_TLS_CLIENT_REQUIRE)
        return false;
    return listener->proxy_protocol.nets.count > 0 ||
           !addr_is_loopback(listener->at.addr);
}

/* A listener where strangers may ask what the rule grants, by SOCKS5 rather
   than by version 4; NULL: there is none. */
static const struct config_listener *
open_proxy_find_listener(const struct open_proxy *open)
{
    const struct rule *rule = open->rule;
    const struct config_listener *found = NULL;

    for (size_t i = 0; i < open->config->listener_count; i++) {
        const struct config_listener *listener = &open->config->listeners[i];
        unsigned versions = open_proxy_versions(rule, listener);
        if (open->command == RULE_UDP)
            versions &= 1u << RULE_VERSION_5;
        if (versions == 0 || !open_proxy_is_reached(listener) ||
            (rule->listeners != 0 && !(rule->listeners >> i & 1)))
            continue;
        if (versions >> RULE_VERSION_5 & 1)
            return listener;
        if (found == NULL)
            found = listener;
    }
    return found;
}

/* Whether the deny rule applies whatever else a request says. */
static bool
open_proxy_denies(const struct open_proxy *open, const struct rule *deny)
{
    const struct rule *rule = open->rule;
    bool listens =
        deny->listeners == 0 ||
        (rule->listeners != 0 && (rule->listeners & ~deny->listeners) == 0);

    return !deny->allow && listens && deny->port_count == 0 &&
           deny->user_count == 0 && !deny->certificate_any &&
           deny->certificate_count == 0 && deny->auth == 0 &&
           (deny->versions == 0 || deny->versions == rule->versions) &&
           (deny->commands >> open->command & 1);
}

/* Gathers in `cut` the sources that are denied everything that the rule
   allows (`of_from'), or the destinations that are denied to all its
   sources. False: that is too much to look at. */
static bool
open_proxy_gather(struct open_proxy *open, bool of_from)
{
    const struct rule *rule = open->rule;

    open->cut.count = 0;
    for (const struct rule *deny = open->config->policy.rules; deny < rule;
         deny++) {
        const struct netset *add = of_from ? &deny->from : &deny->to;
        const struct netset *all = of_from ? &deny->to : &deny->from;
        if (!open_proxy_denies(open, deny) ||
            !netset_covers(all, of_from ? &rule->to : &rule->from))
            continue;
        open->looked_at += add->count + all->count;
        if (open->looked_at > OPEN_PROXY_RANGES_MAX ||
            netset_add_set(&open->cut, add) != 0)
            return false;
    }
    netset_seal(&open->cut);
    return true;
}

static bool
open_proxy_is_open(struct open_proxy *open)
{
    static const struct netset nothing;
    const struct rule *rule = open->rule;

    open->listener = open_proxy_find_listener(open);
    if (!rule->allow || !(rule->commands >> open->command & 1) ||
        open->listener == NULL || rule->user_count > 0 ||
        rule->certificate_any || rule->certificate_count > 0 ||
        (rule->auth != 0 && !(rule->auth & 1u << RULE_AUTH_NONE)) ||
        !open_proxy_is_anyone(&rule->from, &nothing) ||
        !open_proxy_is_anywhere(open, &rule->to, &nothing))
        return false;
    return open_proxy_gather(open, true) &&
           open_proxy_is_anyone(&rule->from, &open->cut) &&
           open_proxy_gather(open, false) &&
           open_proxy_is_anywhere(open, &rule->to, &open->cut);
}

void
open_proxy_warn(struct parse *parse)
{
    static const struct {
        enum rule_command command;
        const char *makes;
    } kinds[] = {
        {RULE_CONNECT, "an open proxy: anyone may connect to anywhere"},
        {RULE_UDP, "an open relay: anyone may send datagrams to anywhere"},
    };
    struct open_proxy open = {.config = parse->config};
    const struct policy *policy = &parse->config->policy;
    bool found = !parse->warnings;

    for (size_t i = 0; !found && i < policy->rule_count; i++)
        for (size_t j = 0; !found && j < sizeof(kinds) / sizeof(kinds[0]);
             j++) {
            const struct rule *rule = open.rule = &policy->rules[i];
            struct node at = {.line = rule->line, .column = rule->column};
            open.command = kinds[j].command;
            found = open_proxy_is_open(&open);
            if (found)
                diag_warn(parse, &at,
                          "rule \"%s\" makes %s through the listener \"%s\"; "
                          "list your networks in its `from', ask for passwords "
                          "in it (auth: [password]), or require client "
                          "certificates at the listener",
                          rule->name, kinds[j].makes, open.listener->name);
        }
    netset_fini(&open.cut);
}
