/* What a rule means: one configuration and one question at a time. */

#include "tests/unit/policy.h"

static bool
reaches(const char *terms, const char *to)
{
    struct config *config = with_rule(terms);
    struct policy_question asked = question("198.51.100.1", to, 80);
    asked.command = RULE_BIND;
    bool granted =
        policy_decide(&config->policy, &asked).reason == POLICY_ALLOWED;

    config_unref(config);
    return granted;
}

/* [4A-B.3-2] BIND is asked, since no CONNECT reaches some of these at all. */
static void
to_reaches_special_ranges_only_from_within_one(void **state)
{
    static const struct {
        const char *to, *address;
        bool reached;
    } cases[] = {
        {"[any]", "192.0.2.1", true},
        {"[any]", "10.1.2.3", true},
        {"[any]", "127.0.0.1", false},
        {"[any]", "169.254.169.254", false},
        {"[any]", "224.0.0.1", false},
        {"[any]", "240.0.0.1", false},
        {"[any]", "255.255.255.255", false},
        {"[any]", "0.1.2.3", false},
        {"[any, loopback]", "127.0.0.1", true},
        {"[public]", "192.0.2.1", true},
        {"[public]", "10.1.2.3", false},
        {"[public]", "172.31.255.255", false},
        {"[public]", "172.32.0.0", true},
        {"[public]", "100.64.0.0", false},
        {"[public]", "100.128.0.0", true},
        {"[public]", "192.168.0.1", false},
        {"[public]", "127.0.0.1", false},
        {"[private]", "192.168.0.1", true},
        {"[private]", "100.127.255.255", true},
        {"[private]", "172.15.255.255", false},
        {"[link-local]", "169.254.1.1", true},
        {"[multicast]", "239.255.255.255", true},
        {"[this-network]", "0.255.0.1", true},
        {"[240.0.0.0/4]", "255.255.255.255", true},
        {"[0.0.0.0/0]", "192.0.2.1", true},
        {"[0.0.0.0/0]", "127.0.0.1", false},
        {"[0.0.0.0/0, 127.0.0.2/32]", "127.0.0.2", true},
        {"[0.0.0.0/0, 127.0.0.2/32]", "127.0.0.1", false},
        {"[127.0.0.2]", "127.0.0.2", true},
        {"[126.0.0.0/7]", "126.0.0.1", true},
        {"[126.0.0.0/7]", "127.0.0.1", false},
        {"[224.0.0.0/3]", "224.0.0.1", false},
        {"[192.0.2.0/255.255.255.0]", "192.0.2.255", true},
        {"[192.0.2.0/255.255.255.0]", "192.0.3.0", false},
        {"[192.0.2.5-192.0.2.9]", "192.0.2.5", true},
        {"[192.0.2.5-192.0.2.9]", "192.0.2.9", true},
        {"[192.0.2.5-192.0.2.9]", "192.0.2.4", false},
        {"[192.0.2.5-192.0.2.9]", "192.0.2.10", false},
        {"[126.0.0.0-127.0.0.5]", "126.0.0.1", true},
        {"[126.0.0.0-127.0.0.5]", "127.0.0.1", false},
        {"[127.0.0.1-127.0.0.5]", "127.0.0.1", true},
        {"[\"::/0\"]", "192.0.2.1", false},
        {"[\"::ffff:192.0.2.0/120\"]", "192.0.2.1", true},
        {"[any]", "2001:db8::1", true},
        {"[any]", "fd00::1", true},
        {"[any]", "::1", false},
        {"[any]", "fe80::1", false},
        {"[any]", "febf:ffff::1", false},
        {"[any]", "ff02::1", false},
        {"[any, loopback]", "::1", true},
        {"[any, link-local]", "fe80::1", true},
        {"[public]", "2001:db8::1", true},
        {"[public]", "fd00::1", false},
        {"[public]", "fbff::1", true},
        {"[public]", "fec0::1", false},
        {"[private]", "fd00::1", true},
        {"[private]", "2001:db8::1", false},
        {"[0.0.0.0/0]", "2001:db8::1", false},
        {"[\"::/0\"]", "2001:db8::1", true},
        {"[\"::/0\"]", "::1", false},
        {"[\"2001:db8::/32\"]", "2001:db8:ffff::1", true},
        {"[\"2001:db8::/32\"]", "2001:db9::1", false},
        /* with an IPv4 address in them: 6to4, Teredo, compatible, a network's
           own NAT64 */
        {"[any]", "2002:7f00:1::1", false},
        {"[any]", "2001:0:7f00:1::1", false},
        {"[any]", "2001:1::1", true},
        {"[any]", "::127.0.0.1", false},
        {"[any]", "::1:0:0", true},
        {"[any]", "64:ff9b:1::7f00:1", false},
        {"[any]", "64:ff9b:2::1", true},
        {"[\"2002::/16\"]", "2002:7f00:1::1", true},
        {"[\"2002::/15\"]", "2002:7f00:1::1", false},
        {"[\"64:ff9b:1::/48\"]", "64:ff9b:1::7f00:1", true},
        {"[\"::/96\"]", "::1", false},
    };
    char terms[128];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(terms, sizeof(terms), "from: [any], command: [bind], to: %s",
                 cases[i].to);
        if (reaches(terms, cases[i].address) != cases[i].reached)
            fail_msg("%s and %s", cases[i].to, cases[i].address);
    }
}

/* And a deny rule means it in either spelling, in its place among the rules. */
static void
a_deny_rule_means_what_goes_through_nat64_as_it_is_written(void **state)
{
    static const struct {
        const char *deny;
        enum policy_reason reason;
    } cases[] = {
        {"[\"64:ff9b::/96\"]", POLICY_DENIED_RULE},
        {"[\"::/0\"]", POLICY_DENIED_RULE},
        {"[192.0.2.0/24]", POLICY_DENIED_RULE},
        {"[any]", POLICY_DENIED_RULE},
        {"[\"2001:db8::/32\"]", POLICY_ALLOWED},
        {"[10.0.0.0/8]", POLICY_ALLOWED},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int first = 0; first < 2; first++) {
            const char *allow = "  - {action: allow, from: [any], to: [any]}\n";
            snprintf(text, sizeof(text),
                     "rules:\n%s  - {action: deny, from: [any], to: %s}\n%s",
                     first ? allow : "", cases[i].deny, first ? "" : allow);
            struct config *config = parsed(text);
            enum policy_reason got =
                reason(config, "198.51.100.1", "64:ff9b::192.0.2.1", 80);
            config_unref(config);
            if (got != (first ? POLICY_ALLOWED : cases[i].reason))
                fail_msg("%s: %d", cases[i].deny, got);
        }
}

/* What a router makes of 64:ff9b::/96 (NAT64) or ::ffff:0:0:0/96 (SIIT) is what
   is decided about. */
static void
through_nat64_an_address_is_the_ipv4_one(void **state)
{
    static const struct {
        const char *to, *address;
        enum policy_reason reason;
    } cases[] = {
        {"[any]", "64:ff9b::192.0.2.1", POLICY_ALLOWED},
        {"[any]", "64:ff9b::127.0.0.1", POLICY_DENIED_LOOPBACK},
        {"[any]", "64:ff9b::169.254.169.254", POLICY_DENIED_LINK_LOCAL},
        {"[any]", "64:ff9b::224.0.0.1", POLICY_DENIED_SPECIAL},
        {"[public]", "64:ff9b::10.0.0.1", POLICY_DENIED_DEFAULT},
        {"[private]", "64:ff9b::10.0.0.1", POLICY_ALLOWED},
        {"[192.0.2.0/24]", "64:ff9b::192.0.2.1", POLICY_ALLOWED},
        {"[\"64:ff9b::/96\"]", "64:ff9b::192.0.2.1", POLICY_DENIED_DEFAULT},
        {"[\"::/0\"]", "64:ff9b::192.0.2.1", POLICY_DENIED_DEFAULT},
        {"[any]", "64:ff9b::1:c000:201", POLICY_ALLOWED},
        {"[0.0.0.0/0]", "64:ff9b::1:c000:201", POLICY_DENIED_DEFAULT},
        {"[any]", "::ffff:0:192.0.2.1", POLICY_ALLOWED},
        {"[any]", "::ffff:0:127.0.0.1", POLICY_DENIED_LOOPBACK},
        {"[public]", "::ffff:0:10.0.0.1", POLICY_DENIED_DEFAULT},
        {"[192.0.2.0/24]", "::ffff:0:192.0.2.1", POLICY_ALLOWED},
        {"[any]", "::ffff:0:224.0.0.1", POLICY_DENIED_SPECIAL},
        {"[any]", "::fffe:0:192.0.2.1", POLICY_ALLOWED},
        {"[0.0.0.0/0]", "::fffe:0:192.0.2.1", POLICY_DENIED_DEFAULT},
    };
    char terms[128];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(terms, sizeof(terms), "from: [any], to: %s", cases[i].to);
        struct config *config = with_rule(terms);
        enum policy_reason got =
            reason(config, "198.51.100.1", cases[i].address, 80);
        config_unref(config);
        if (got != cases[i].reason)
            fail_msg("%s and %s: %d", cases[i].to, cases[i].address, got);
    }
}

/* Who denies a network has no exceptions in mind. */
static void
a_deny_rule_means_exactly_what_it_says(void **state)
{
    static const struct {
        const char *to, *address;
        bool denied;
    } cases[] = {
        {"[any]", "127.0.0.1", true},
        {"[any]", "192.0.2.1", true},
        {"[any]", "169.254.169.254", true},
        {"[0.0.0.0/0]", "127.0.0.1", true},
        {"[169.254.0.0/15]", "169.254.169.254", true},
        {"[126.0.0.0/7]", "127.0.0.1", true},
        {"[a]", "127.0.0.1", true},
        {"[\"::/0\"]", "127.0.0.1", false},
        {"[192.0.2.0/24]", "127.0.0.1", false},
        {"[public]", "127.0.0.1", false},
        {"[any]", "2001:db8::1", true},
        {"[0.0.0.0/0]", "2001:db8::1", false},
        {"[\"::/0\"]", "2001:db8::1", true},
        {"[\"2001:db8::/32\"]", "2001:db8::1", true},
        {"[private]", "fd00::1", true},
        {"[10.0.0.0/8]", "64:ff9b::10.0.0.1", true},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text),
                 "sets: {a: [126.0.0.0/7]}\n"
                 "rules:\n"
                 "  - {action: deny, from: [any], to: %s}\n"
                 "  - {action: allow, from: [any], command: [connect, bind],\n"
                 "     to: [any, loopback, link-local]}\n",
                 cases[i].to);
        struct config *config = parsed(text);
        struct policy_question asked =
            question("192.0.2.9", cases[i].address, 80);
        for (uint8_t command = RULE_CONNECT; command <= RULE_BIND; command++) {
            asked.command = command;
            enum policy_reason got =
                policy_decide(&config->policy, &asked).reason;
            if (got != (cases[i].denied ? POLICY_DENIED_RULE : POLICY_ALLOWED))
                fail_msg("%s and %s: %d", cases[i].to, cases[i].address, got);
        }
        config_unref(config);
    }
}

/* 0.0.0.0 names no peer, and is an address like others to a deny rule. */
static void
a_deny_rule_for_anywhere_covers_a_bind_to_nobody(void **state)
{
    static const struct {
        const char *deny;
        bool denied;
    } cases[] = {
        {"to: [any]", true},
        {"to: [this-network]", true},
        {"to: [0.0.0.0]", true},
        {"to: [192.0.2.0/24]", false},
        {"to: [any], command: [connect]", false},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text),
                 "rules:\n"
                 "  - {action: deny, from: [any], %s}\n"
                 "  - {action: allow, from: [any], command: [bind],\n"
                 "     to: [any], peer: any}\n",
                 cases[i].deny);
        struct config *config = parsed(text);
        struct policy_question asked = question("192.0.2.9", "0.0.0.0", 80);
        asked.command = RULE_BIND;
        enum policy_reason got = policy_decide(&config->policy, &asked).reason;
        if (got != (cases[i].denied ? POLICY_DENIED_RULE : POLICY_ALLOWED))
            fail_msg("%s: %d", cases[i].deny, got);
        config_unref(config);
    }
}

/* The request of an association has no destination: `to' and `port' do not
   count, unless a rule denies everything before. */
static void
an_association_needs_a_rule_that_may_grant_a_datagram(void **state)
{
    static const char text[] =
        "rules:\n"
        "  - {name: a, action: deny, from: [192.0.2.1], to: [any]}\n"
        "  - {name: b, action: deny, from: [any], to: [any], port: [1]}\n"
        "  - {name: c, action: deny, from: [any], to: [10.0.0.0/8]}\n"
        "  - {name: d, action: deny, from: [192.0.2.2], to: [any],\n"
        "     command: [connect, bind]}\n"
        "  - {name: e, action: allow, from: [any], to: [any]}\n"
        "  - {name: f, action: allow, from: [192.0.2.0/30], to: [.test],\n"
        "     port: [53], command: [udp]}\n";
    static const struct {
        const char *from;
        enum policy_reason reason;
        const char *rule;
    } cases[] = {
        {"192.0.2.1", POLICY_DENIED_RULE, "a"},
        {"192.0.2.2", POLICY_ALLOWED, "f"},
        {"192.0.2.3", POLICY_ALLOWED, "f"},
        {"192.0.2.4", POLICY_DENIED_DEFAULT, NULL},
    };
    struct config *config = parsed(text);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy_question asked = question(cases[i].from, "10.0.0.1", 1);
        asked.command = RULE_UDP;
        struct policy_answer answer =
            policy_may_associate(&config->policy, &asked);
        assert_int_equal(answer.reason, cases[i].reason);
        if (cases[i].rule != NULL)
            assert_string_equal(answer.rule->name, cases[i].rule);
        else
            assert_null(answer.rule);
    }
    config_unref(config);
}

/* 192.0.2.1 and 198.51.100.1 are this machine's. */
static bool
is_this_machines(const void *local, struct addr addr)
{
    assert_ptr_equal(local, "list");
    return addr_equal(addr, ip("192.0.2.1")) ||
           addr_equal(addr, ip("198.51.100.1"));
}

static enum policy_reason
reason_of_machine(const struct config *config, const char *from, const char *to,
                  const char *name)
{
    struct policy_question asked = question(from, to, 80);

    asked.is_local = is_this_machines;
    asked.local = "list";
    asked.name = name;
    asked.name_len = name ? strlen(name) : 0;
    enum policy_reason connect = policy_decide(&config->policy, &asked).reason;
    asked.command = RULE_BIND;
    assert_int_equal(policy_decide(&config->policy, &asked).reason, connect);
    return connect;
}

/* Its services would see the gateway's own address: no filter of packets
   keeps a client from them [4A-B.3-2]. */
static void
to_reaches_this_machine_only_by_its_address_or_by_self(void **state)
{
    static const struct {
        const char *action, *to, *address;
        enum policy_reason reason;
    } cases[] = {
        {"allow", "[any]", "192.0.2.1", POLICY_DENIED_SELF},
        {"allow", "[public]", "192.0.2.1", POLICY_DENIED_SELF},
        {"allow", "[192.0.2.0/24]", "192.0.2.1", POLICY_DENIED_SELF},
        {"allow", "[192.0.2.0/31]", "192.0.2.1", POLICY_DENIED_SELF},
        {"allow", "[any]", "192.0.2.2", POLICY_ALLOWED},
        {"allow", "[192.0.2.1]", "192.0.2.1", POLICY_ALLOWED},
        {"allow", "[192.0.2.1/32]", "192.0.2.1", POLICY_ALLOWED},
        {"allow", "[192.0.2.0, 192.0.2.1]", "192.0.2.1", POLICY_ALLOWED},
        {"allow", "[any, 192.0.2.1]", "198.51.100.1", POLICY_DENIED_SELF},
        {"allow", "[hosts]", "192.0.2.1", POLICY_ALLOWED},
        {"allow", "[self]", "192.0.2.1", POLICY_ALLOWED},
        {"allow", "[any, self]", "192.0.2.1", POLICY_ALLOWED},
        {"allow", "[mine]", "198.51.100.1", POLICY_ALLOWED},
        {"allow", "[self]", "192.0.2.2", POLICY_DENIED_DEFAULT},
        {"allow", "[10.0.0.0/8]", "192.0.2.1", POLICY_DENIED_DEFAULT},
        /* loopback is a range of its own */
        {"allow", "[self]", "127.0.0.1", POLICY_DENIED_DEFAULT},
        {"allow", "[any, self]", "127.0.0.1", POLICY_DENIED_LOOPBACK},
        {"allow", "[loopback]", "127.0.0.1", POLICY_ALLOWED},
        {"allow", "[loopback]", "192.0.2.1", POLICY_DENIED_DEFAULT},
        /* what is denied is denied */
        {"deny", "[self]", "192.0.2.1", POLICY_DENIED_RULE},
        {"deny", "[self]", "127.0.0.1", POLICY_DENIED_RULE},
        {"deny", "[any]", "192.0.2.1", POLICY_DENIED_RULE},
        {"deny", "[192.0.2.0/24]", "192.0.2.1", POLICY_DENIED_RULE},
        {"deny", "[self]", "192.0.2.2", POLICY_DENIED_DEFAULT},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text),
                 "sets: {hosts: [192.0.2.1], mine: [self]}\n"
                 "rules: [{action: %s, from: [any], to: %s, "
                 "command: [connect, bind]}]\n",
                 cases[i].action, cases[i].to);
        struct config *config = parsed(text);
        enum policy_reason got =
            reason_of_machine(config, "203.0.113.9", cases[i].address, NULL);
        if (got != cases[i].reason)
            fail_msg("%s to %s and %s: %d", cases[i].action, cases[i].to,
                     cases[i].address, got);
        config_unref(config);
    }
}

static void
a_name_leads_to_this_machine_only_where_its_address_would(void **state)
{
    static const struct {
        const char *to;
        enum policy_reason reason;
    } cases[] = {
        {"[.example]", POLICY_DENIED_SELF},
        {"[.example, any]", POLICY_DENIED_SELF},
        {"[.example, self]", POLICY_ALLOWED},
        {"[.example, 192.0.2.1]", POLICY_ALLOWED},
    };
    char terms[128];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(terms, sizeof(terms),
                 "from: [any], command: [connect, bind], to: %s", cases[i].to);
        struct config *config = with_rule(terms);
        assert_int_equal(
            reason_of_machine(config, "203.0.113.9", "192.0.2.1", "a.example"),
            cases[i].reason);
        config_unref(config);
    }
}

static void
from_self_means_clients_on_this_machine(void **state)
{
    struct config *config =
        with_rule("from: [self], command: [connect, bind], to: [10.0.0.0/8]");

    (void)state;
    assert_int_equal(reason_of_machine(config, "192.0.2.1", "10.0.0.1", NULL),
                     POLICY_ALLOWED);
    assert_int_equal(reason_of_machine(config, "127.0.0.1", "10.0.0.1", NULL),
                     POLICY_ALLOWED);
    assert_int_equal(reason_of_machine(config, "192.0.2.2", "10.0.0.1", NULL),
                     POLICY_DENIED_DEFAULT);
    config_unref(config);
}

/* A connection has come out at this machine, where the list did not have the
   address. */
static void
what_the_kernel_shows_makes_the_destination_own_and_no_client(void **state)
{
    static const struct {
        const char *terms;
        enum policy_reason reason;
    } cases[] = {
        {"from: [any], to: [any]", POLICY_DENIED_SELF},
        {"from: [any], to: [self]", POLICY_ALLOWED},
        {"from: [any], to: [10.0.0.1]", POLICY_ALLOWED},
        {"from: [self], to: [self]", POLICY_DENIED_DEFAULT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config *config = with_rule(cases[i].terms);
        struct policy_question asked = question("203.0.113.9", "10.0.0.1", 80);
        asked.is_local = is_this_machines;
        asked.local = "list";
        asked.to_is_local = true;
        assert_int_equal(policy_decide(&config->policy, &asked).reason,
                         cases[i].reason);
        config_unref(config);
    }
}

static void
from_means_itself_and_any_is_every_address(void **state)
{
    static const struct {
        const char *from, *address;
        bool matches;
    } cases[] = {
        {"[any]", "127.0.0.1", true},
        {"[any]", "fe80::1", true},
        {"[any]", "0.0.0.0", true},
        {"[any]", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
        {"[0.0.0.0/0]", "127.0.0.1", true},
        {"[0.0.0.0/0]", "2001:db8::1", false},
        {"[\"::/0\"]", "2001:db8::1", true},
        {"[\"::/0\"]", "::1", true},
        {"[\"::/0\"]", "192.0.2.1", false},
        {"[loopback]", "127.255.255.255", true},
        {"[loopback]", "::1", true},
        {"[loopback]", "::2", false},
        {"[link-local]", "febf:ffff::", true},
        {"[link-local]", "fec0::", false},
        {"[public]", "2002::1", true}, /* by 6to4 a client comes like others */
        {"[private]", "fdff::1", true},
        {"[private]", "fe00::", false},
        {"[public]", "2001:db8::1", true},
        {"[public]", "::1", false},
        {"[public]", "10.0.0.1", false},
        {"[10.0.0.0/8]", "::ffff:10.1.2.3", true},
        {"[10.0.0.0/31]", "10.0.0.2", false},
    };
    char terms[128];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(terms, sizeof(terms), "from: %s, to: [any]", cases[i].from);
        struct config *config = with_rule(terms);
        bool granted =
            reason(config, cases[i].address, "192.0.2.1", 80) == POLICY_ALLOWED;
        config_unref(config);
        if (granted != cases[i].matches)
            fail_msg("%s and %s", cases[i].from, cases[i].address);
    }
}

/* A set means what its members mean, however deep they lie. */
static void
sets_mean_their_members(void **state)
{
    struct config *config =
        parsed("sets: {a: [b, 192.0.2.1], b: [0.0.0.0/0, 127.0.0.2/32]}\n"
               "rules: [{action: allow, from: [a], to: [a]}]\n");

    (void)state;
    assert_int_equal(reason(config, "127.0.0.1", "192.0.2.1", 80),
                     POLICY_ALLOWED);
    assert_int_equal(reason(config, "127.0.0.1", "127.0.0.2", 80),
                     POLICY_ALLOWED);
    assert_int_equal(reason(config, "127.0.0.1", "127.0.0.1", 80),
                     POLICY_DENIED_LOOPBACK);
    assert_int_equal(reason(config, "2001:db8::1", "192.0.2.1", 80),
                     POLICY_DENIED_DEFAULT);
    config_unref(config);
}

/* [V4-3.2-1] */
static void
the_first_rule_that_matches_decides(void **state)
{
    struct config *config = parsed(
        "rules:\n"
        "  - {action: allow, from: [any], to: [192.0.2.0/24], port: [80]}\n"
        "  - {name: no, action: deny, from: [any], to: [192.0.2.0/24]}\n"
        "  - {action: allow, from: [any], to: [192.0.2.0/24], port: [81]}\n");
    struct policy_question asked = question("192.0.2.9", "192.0.2.1", 80);

    (void)state;
    struct policy_answer answer = policy_decide(&config->policy, &asked);
    assert_int_equal(answer.reason, POLICY_ALLOWED);
    assert_string_equal(answer.rule->name, "rule-1");
    asked.port = 81;
    answer = policy_decide(&config->policy, &asked);
    assert_int_equal(answer.reason, POLICY_DENIED_RULE);
    assert_string_equal(answer.rule->name, "no");
    assert_int_equal(answer.rule->line, 3);
    asked.to = ip("192.0.3.1");
    answer = policy_decide(&config->policy, &asked);
    assert_int_equal(answer.reason, POLICY_DENIED_DEFAULT);
    assert_null(answer.rule);
    config_unref(config);
}

static void
no_rules_refuse_everything(void **state)
{
    struct config *config = parsed("{}");

    (void)state;
    assert_int_equal(reason(config, "127.0.0.1", "192.0.2.1", 80),
                     POLICY_DENIED_DEFAULT);
    config_unref(config);
}

static void
no_connect_goes_to_nobody_whatever_rules_say(void **state)
{
    struct config *config = with_rule(
        "from: [any], to: [any, this-network, multicast, 240.0.0.0/4]");

    (void)state;
    assert_int_equal(reason(config, "127.0.0.1", "0.0.0.0", 80),
                     POLICY_DENIED_SPECIAL); /* [4A-4.2-2] */
    assert_int_equal(reason(config, "127.0.0.1", "0.255.255.255", 80),
                     POLICY_DENIED_SPECIAL);
    assert_int_equal(reason(config, "127.0.0.1", "1.0.0.0", 80),
                     POLICY_ALLOWED);
    assert_int_equal(reason(config, "127.0.0.1", "223.255.255.255", 80),
                     POLICY_ALLOWED);
    assert_int_equal(reason(config, "127.0.0.1", "224.0.0.0", 80),
                     POLICY_DENIED_SPECIAL);
    assert_int_equal(reason(config, "127.0.0.1", "255.255.255.255", 80),
                     POLICY_DENIED_SPECIAL);
    assert_int_equal(reason(config, "127.0.0.1", "::", 80),
                     POLICY_DENIED_SPECIAL);
    assert_int_equal(reason(config, "127.0.0.1", "ff02::1", 80),
                     POLICY_DENIED_SPECIAL);
    assert_int_equal(reason(config, "127.0.0.1", "192.0.2.1", 0),
                     POLICY_DENIED_PORT);
    assert_int_equal(reason(config, "127.0.0.1", "2001:db8::1", 0),
                     POLICY_DENIED_PORT);
    config_unref(config);
}

static void
no_connect_goes_to_a_listener_of_our_own(void **state)
{
    struct config *config =
        parsed("listen:\n"
               "  - {address: 127.0.0.1:1080}\n"
               "  - {address: 192.0.2.1:1081, insecure_plaintext: true}\n"
               "  - {address: 0.0.0.0:1082, insecure_plaintext: true}\n"
               "  - {address: \"[::]:1083\", insecure_plaintext: true}\n"
               "  - {address: \"[2001:db8::1]:1084\", insecure_plaintext: "
               "true}\n"
               "rules: [{action: allow, from: [any], to: [any, loopback]}]\n");

    (void)state;
    assert_int_equal(reason(config, "127.0.0.1", "127.0.0.1", 1080),
                     POLICY_DENIED_LISTENER);
    assert_int_equal(reason(config, "127.0.0.1", "192.0.2.1", 1081),
                     POLICY_DENIED_LISTENER);
    assert_int_equal(reason(config, "127.0.0.1", "127.0.0.1", 1081),
                     POLICY_ALLOWED);
    assert_int_equal(reason(config, "127.0.0.1", "192.0.2.1", 1080),
                     POLICY_ALLOWED);
    assert_int_equal(reason(config, "127.0.0.1", "2001:db8::1", 1084),
                     POLICY_DENIED_LISTENER);
    assert_int_equal(reason(config, "127.0.0.1", "64:ff9b::192.0.2.1", 1081),
                     POLICY_DENIED_LISTENER);
    /* Whether an address is this machine's is for the kernel to say. */
    assert_int_equal(reason(config, "127.0.0.1", "192.0.2.1", 1082),
                     POLICY_ALLOWED);
    const struct policy *policy = &config->policy;
    struct addr v4 = addr_v4(0xc0000201), v6 = {UINT64_C(1) << 61, 1};
    assert_true(policy_wildcard(policy, v4, 1082));
    assert_false(policy_wildcard(policy, v4, 1081));
    assert_false(policy_wildcard(policy, v4, 1083)); /* IPv6 only */
    assert_true(policy_wildcard(policy, v6, 1083));
    assert_false(policy_wildcard(policy, v6, 1082));
    config_unref(config);
}

static void
users_match_exactly_or_by_their_beginning(void **state)
{
    static const struct {
        const char *users, *userid;
        bool matches;
    } cases[] = {
        {"[]", "", true},
        {"[]", "ann", true},
        {"[ann]", "ann", true},
        {"[ann]", "anna", false},
        {"[ann]", "an", false},
        {"[ann]", "Ann", false},
        {"[ann]", "", false},
        {"[\"\"]", "", true},
        {"[\"\"]", "a", false},
        {"[\"*\"]", "", true},
        {"[\"*\"]", "ann", true},
        {"[\"an*\"]", "an", true},
        {"[\"an*\"]", "ann", true},
        {"[\"an*\"]", "a", false},
        {"[bob, \"an*\"]", "ann", true},
        {"[\"a*b\"]", "axb", false},
        {"[\"a*b\"]", "a*b", true},
    };
    char terms[128];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(terms, sizeof(terms), "from: [any], to: [any], user: %s",
                 cases[i].users);
        struct config *config = with_rule(terms);
        struct policy_question asked = question("::1", "192.0.2.1", 80);
        asked.userid_len = strlen(cases[i].userid);
        asked.userid = asked.userid_len ? cases[i].userid : NULL;
        bool granted =
            policy_decide(&config->policy, &asked).reason == POLICY_ALLOWED;
        config_unref(config);
        if (granted != cases[i].matches)
            fail_msg("%s and \"%s\"", cases[i].users, cases[i].userid);
    }
}

/* What a client has proved, each way by itself. */
static void
auth_matches_what_the_client_has_proved(void **state)
{
    static const struct {
        const char *auth;
        bool password, verified, matches;
    } cases[] = {
        {"[]", false, false, true},
        {"[]", true, true, true},
        {"[none]", false, false, true},
        {"[none]", true, false, false},
        {"[none]", false, true, false},
        {"[password]", false, false, false},
        {"[password]", true, false, true},
        {"[password]", false, true, false},
        {"[password]", true, true, true},
        {"[certificate]", true, false, false},
        {"[certificate]", false, true, true},
        {"[certificate]", true, true, true},
        {"[none, password]", false, false, true},
        {"[none, password]", false, true, false},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text),
                 "auth: {users: u}\nrules: [{action: allow, from: [any], to: "
                 "[any], auth: %s}]\n",
                 cases[i].auth);
        struct config *config = parsed(text);
        struct policy_question asked =
            question("192.0.2.1", "198.51.100.1", 80);
        asked.password = cases[i].password;
        asked.verified = cases[i].verified;
        bool granted =
            policy_decide(&config->policy, &asked).reason == POLICY_ALLOWED;
        config_unref(config);
        if (granted != cases[i].matches)
            fail_msg("%s, case %zu", cases[i].auth, i);
    }
}

static void
a_password_is_asked_for_where_a_rule_that_could_match_wants_one(void **state)
{
    struct config *config = parsed(
        "listen: [{address: 127.0.0.1:1}, {address: 127.0.0.1:2}]\n"
        "auth: {users: u}\n"
        "rules:\n"
        " - {action: allow, from: [any], to: [any]}\n"
        " - {action: allow, from: [10.0.0.0/8], to: [any], auth: [none]}\n"
        " - {action: allow, from: [192.0.2.0/24, self], to: [any], listener: "
        "[listener-2], auth: [certificate, password]}\n"
        " - {action: allow, from: [198.51.100.0/24], to: [any], auth: "
        "[certificate, password, none], user: [ann]}\n");
    struct policy_question asked = question("192.0.2.1", "198.51.100.1", 80);

    (void)state;
    asked.userid_len = 0;
    assert_false(policy_asks_password(&config->policy, &asked));
    asked.from = ip("198.51.100.9"); /* who has proved nothing is not ann */
    assert_true(policy_asks_password(&config->policy, &asked));
    assert_true(policy_waives_password(&config->policy, &asked));
    asked.verified = true;
    asked.userid = "bob";
    asked.userid_len = 3;
    assert_true(policy_asks_password(&config->policy, &asked));
    asked.userid = "ann";
    assert_false(policy_asks_password(&config->policy, &asked));
    asked.verified = false;
    asked.userid_len = 0;
    asked.from = ip("192.0.2.1");
    asked.listener = 1;
    assert_true(policy_asks_password(&config->policy, &asked));
    asked.from = ip("10.0.0.1");
    assert_false(policy_asks_password(&config->policy, &asked));
    asked.from = ip("127.0.0.1");
    assert_true(policy_asks_password(&config->policy, &asked));
    config_unref(config);
}

static void
a_rule_that_names_what_the_client_has_waives_the_password(void **state)
{
    struct config *config = parsed(
        "listen: [{address: 127.0.0.1:1}, {address: 127.0.0.1:2}]\n"
        "auth: {users: u}\n"
        "rules:\n"
        " - {action: deny, from: [any], to: [10.0.0.0/8], auth: [none]}\n"
        " - {action: allow, from: [any], to: [any], auth: [password]}\n"
        " - {action: allow, from: [any], to: [any]}\n"
        " - {action: allow, from: [192.0.2.1], to: [any], auth: [none]}\n"
        " - {action: allow, from: [192.0.2.2], to: [any], listener: "
        "[listener-2], auth: [password, none]}\n"
        " - {action: allow, from: [192.0.2.3], to: [any], auth: "
        "[certificate]}\n");
    static const struct {
        const char *from;
        size_t listener;
        bool verified, waived;
    } cases[] = {
        {"192.0.2.1", 0, false, true},  {"192.0.2.1", 0, true, false},
        {"192.0.2.2", 0, false, false}, {"192.0.2.2", 1, false, true},
        {"192.0.2.3", 0, false, false}, {"192.0.2.3", 0, true, true},
        {"192.0.2.4", 1, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy_question asked =
            question(cases[i].from, "198.51.100.1", 80);
        asked.listener = cases[i].listener;
        asked.verified = cases[i].verified;
        assert_true(policy_asks_password(&config->policy, &asked));
        if (policy_waives_password(&config->policy, &asked) != cases[i].waived)
            fail_msg("case %zu", i);
    }
    config_unref(config);
}

static void
a_rule_for_a_version_matches_no_other(void **state)
{
    struct config *config = parsed(
        "auth: {users: u}\n"
        "rules:\n"
        " - {action: deny, from: [192.0.2.0/24], to: [any], version: [4, 4a]}\n"
        " - {action: allow, from: [any], to: [any], version: [4, 5]}\n"
        " - {action: allow, from: [any], to: [.example], version: [4a]}\n"
        " - {action: allow, from: [10.0.0.0/8], to: [any], version: [4], auth: "
        "[password]}\n");
    static const struct {
        const char *from;
        uint8_t version;
        enum policy_reason reason;
    } cases[] = {
        {"192.0.2.1", RULE_VERSION_4, POLICY_DENIED_RULE},
        {"192.0.2.1", RULE_VERSION_4A, POLICY_DENIED_RULE},
        {"192.0.2.1", RULE_VERSION_5, POLICY_ALLOWED},
        {"192.0.3.1", RULE_VERSION_4, POLICY_ALLOWED},
        {"192.0.3.1", RULE_VERSION_4A, POLICY_DENIED_DEFAULT},
        {"192.0.3.1", RULE_VERSION_5, POLICY_ALLOWED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy_question asked =
            question(cases[i].from, "198.51.100.1", 80);
        asked.version = cases[i].version;
        if (policy_decide(&config->policy, &asked).reason != cases[i].reason)
            fail_msg("case %zu", i);
    }
    struct policy_question asked = question("10.0.0.1", "198.51.100.1", 80);
    asked.version = RULE_VERSION_5; /* which that rule never matches */
    assert_false(policy_asks_password(&config->policy, &asked));
    asked.version = RULE_VERSION_4;
    assert_true(policy_asks_password(&config->policy, &asked));
    config_unref(config);
}

/* "NAME: terms" of the rule that policy_find_nearest finds, or "-". */
static const char *
nearest(const struct policy *policy, const struct policy_question *asked,
        char text[160])
{
    char terms[POLICY_UNMET_TEXT_MAX];
    unsigned unmet;
    const struct rule *rule = policy_find_nearest(policy, asked, &unmet);

    if (rule == NULL)
        return "-";
    snprintf(text, 160, "%s: %s", rule->name,
             policy_unmet_text(rule, unmet, terms));
    return text;
}

static void
the_rule_is_found_that_lacks_only_who_asks(void **state)
{
    struct config *config = parsed(
        "auth: {users: u}\n"
        "rules:\n"
        " - {name: no, action: deny, from: [any], to: [any], user: [eve]}\n"
        " - {name: pw, action: allow, from: [10.0.0.0/8], to: [192.0.2.0/24], "
        "port: [80], auth: [password], user: [ann]}\n"
        " - {name: id, action: allow, from: [any], to: [192.0.2.1], user: "
        "[bob], version: [5], auth: [certificate, password]}\n"
        " - {name: cn, action: allow, from: [any], to: [.example], "
        "certificate: [any], auth: [none]}\n"
        " - {name: udp, action: allow, from: [any], to: [192.0.2.9], command: "
        "[udp], user: [bob]}\n"
        " - {name: me, action: allow, from: [10.0.0.0/8], to: [self], user: "
        "[bob]}\n");
    static const struct {
        const char *from, *to, *name, *nearest;
        uint16_t port;
        uint8_t command, version;
    } cases[] = {
        {"10.0.0.1", "192.0.2.7", NULL,
         "pw: auth (a password, which only SOCKS5 has)", 80, RULE_CONNECT, 0},
        {"10.0.0.1", "192.0.2.7", NULL,
         "pw: auth (a password, which only SOCKS5 has)", 80, RULE_CONNECT, 2},
        {"10.0.0.1", "192.0.2.1", NULL, "id: auth, version", 81, RULE_CONNECT,
         0},
        {"11.0.0.1", "192.0.2.1", NULL, "id: auth", 80, RULE_CONNECT, 2},
        {"10.0.0.1", "192.0.2.7", NULL, "-", 81, RULE_CONNECT, 0},
        {"10.0.0.1", "192.0.2.7", NULL, "-", 80, RULE_BIND, 0},
        {"11.0.0.1", "192.0.2.7", NULL, "-", 80, RULE_CONNECT, 0},
        {"11.0.0.1", "0.0.0.1", "a.example", "id: auth, version", 80,
         RULE_CONNECT, 1},
        {"11.0.0.1", "198.51.100.1", "a.example", "cn: certificate", 80,
         RULE_CONNECT, 1},
        {"11.0.0.1", "198.51.100.1", "a.test", "-", 80, RULE_CONNECT, 1},
        {"11.0.0.1", "0.0.0.0", NULL, "udp: user", 0, RULE_UDP, 2},
        {"10.0.0.1", "127.0.0.1", NULL, "-", 80, RULE_CONNECT, 0},
    };
    char text[160];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy_question asked =
            question(cases[i].from, cases[i].to, cases[i].port);
        asked.command = cases[i].command;
        asked.version = cases[i].version;
        asked.name = cases[i].name;
        asked.name_len = cases[i].name ? strlen(cases[i].name) : 0;
        const char *found = nearest(&config->policy, &asked, text);
        if (strcmp(found, cases[i].nearest) != 0)
            fail_msg("case %zu: %s", i, found);
    }
    config_unref(config);
}

/* 0.0.0.0 can be no peer [V4-4.3-3]; the port is information [V4-4.1-4]. */
static void
a_bind_to_nobody_needs_a_rule_for_any_peer(void **state)
{
    (void)state;
    assert_false(
        reaches("from: [any], command: [bind], to: [this-network]", "0.0.0.0"));
    assert_true(
        reaches("from: [any], command: [bind], to: [this-network]", "0.0.0.1"));
    assert_true(reaches("from: [any], command: [bind], to: [192.0.2.1], "
                        "peer: any",
                        "0.0.0.0"));
    assert_false(reaches("from: [any], command: [bind], to: [192.0.2.1], "
                         "peer: [any]",
                         "0.0.0.0"));
    assert_false(reaches("from: [any], command: [bind], to: [any]", "::"));
    assert_false(reaches("from: [any], command: [bind], to: [\"::\"]", "::"));
    assert_true(reaches("from: [any], command: [bind], to: [192.0.2.1], "
                        "peer: any",
                        "::"));
    assert_false(reaches("from: [any], to: [any], peer: any", "0.0.0.0"));

    struct config *config =
        with_rule("from: [any], command: [bind], to: [any]");
    struct policy_question asked = question("::1", "192.0.2.1", 0);
    asked.command = RULE_BIND;
    assert_int_equal(policy_decide(&config->policy, &asked).reason,
                     POLICY_ALLOWED);
    config_unref(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_reaches_special_ranges_only_from_within_one),
        cmocka_unit_test(through_nat64_an_address_is_the_ipv4_one),
        cmocka_unit_test(
            a_deny_rule_means_what_goes_through_nat64_as_it_is_written),
        cmocka_unit_test(a_rule_for_a_version_matches_no_other),
        cmocka_unit_test(the_rule_is_found_that_lacks_only_who_asks),
        cmocka_unit_test(a_deny_rule_means_exactly_what_it_says),
        cmocka_unit_test(a_deny_rule_for_anywhere_covers_a_bind_to_nobody),
        cmocka_unit_test(an_association_needs_a_rule_that_may_grant_a_datagram),
        cmocka_unit_test(
            to_reaches_this_machine_only_by_its_address_or_by_self),
        cmocka_unit_test(
            a_name_leads_to_this_machine_only_where_its_address_would),
        cmocka_unit_test(from_self_means_clients_on_this_machine),
        cmocka_unit_test(
            what_the_kernel_shows_makes_the_destination_own_and_no_client),
        cmocka_unit_test(from_means_itself_and_any_is_every_address),
        cmocka_unit_test(sets_mean_their_members),
        cmocka_unit_test(the_first_rule_that_matches_decides),
        cmocka_unit_test(no_rules_refuse_everything),
        cmocka_unit_test(no_connect_goes_to_nobody_whatever_rules_say),
        cmocka_unit_test(no_connect_goes_to_a_listener_of_our_own),
        cmocka_unit_test(users_match_exactly_or_by_their_beginning),
        cmocka_unit_test(auth_matches_what_the_client_has_proved),
        cmocka_unit_test(
            a_password_is_asked_for_where_a_rule_that_could_match_wants_one),
        cmocka_unit_test(
            a_rule_that_names_what_the_client_has_waives_the_password),
        cmocka_unit_test(a_bind_to_nobody_needs_a_rule_for_any_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
