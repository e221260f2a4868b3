/* What a rule means for a name: before it is resolved, and after. */

#include "tests/unit/policy.h"

/* The answer to one address of a name. */
static enum policy_reason
reason_named(const struct config *config, const char *name, const char *address)
{
    struct policy_question asked = question("198.51.100.1", address, 80);

    asked.name = name;
    asked.name_len = strlen(name);
    return policy_decide(&config->policy, &asked).reason;
}

static bool
means(const char *to, const char *name)
{
    char terms[128];

    snprintf(terms, sizeof(terms), "from: [any], to: [%s]", to);
    struct config *config = with_rule(terms);
    bool granted = reason_named(config, name, "192.0.2.1") == POLICY_ALLOWED;
    config_unref(config);
    return granted;
}

static void
a_name_is_meant_whole_and_a_suffix_by_what_is_below_it(void **state)
{
    static const struct {
        const char *to, *name;
        bool meant;
    } cases[] = {
        {"example.org", "example.org", true},
        {"example.org", "ftp.example.org", false},
        {"example.org", "example.or", false},
        {"example.org", "example.orgs", false},
        {"example.org", "xexample.org", false},
        {".example.org", "ftp.example.org", true},
        {".example.org", "a.b.example.org", true},
        {".example.org", "example.org", false},
        {".example.org", ".example.org", false},
        {".example.org", "..example.org", true},
        {".example.org", "notexample.org", false},
        {".example.org", "ftp.example.org.net", false},
        {".example.org", "ftp.example.or", false},
        {".example.org", "g.example.orgx", false},
        {".org", "example.org", true},
        {".org", "org", false},
        {"host.", "host", true},
        {"host.", "host.example.org", false},
        {"a.example, .b.example", "x.b.example", true},
        {"a.example, .b.example", "x.a.example", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (means(cases[i].to, cases[i].name) != cases[i].meant)
            fail_msg("%s and %s", cases[i].to, cases[i].name);
}

static void
case_and_a_final_dot_do_not_matter(void **state)
{
    static const char *const terms[] = {"ftp.example.org", "FTP.Example.ORG",
                                        "ftp.example.org.", ".example.org",
                                        ".EXAMPLE.org."};
    static const char *const names[] = {"ftp.example.org", "FTP.EXAMPLE.ORG",
                                        "fTp.eXample.oRg.", "ftp.example.org."};

    (void)state;
    for (size_t i = 0; i < COUNT(terms); i++)
        for (size_t j = 0; j < COUNT(names); j++)
            if (!means(terms[i], names[j]))
                fail_msg("%s and %s", terms[i], names[j]);
    assert_false(means("ftp.example.org", "ftp.example.org.."));
    assert_false(
        means("a-b.example", "a\rb.example")); /* \r is - and 0x20 less */
    assert_false(means("a_b.example", "a\177b.example"));
    assert_false(means("a0b.example", "a\020b.example"));
}

static void
a_request_without_a_name_meets_no_term_on_names(void **state)
{
    struct config *config =
        with_rule("from: [any], to: [example.org, .example.org, 192.0.2.1]");

    (void)state;
    assert_int_equal(reason(config, "::1", "192.0.2.1", 80), POLICY_ALLOWED);
    assert_int_equal(reason(config, "::1", "192.0.2.2", 80),
                     POLICY_DENIED_DEFAULT);
    assert_int_equal(reason_named(config, "example.org", "192.0.2.2"),
                     POLICY_ALLOWED);
    assert_int_equal(reason_named(config, "example.net", "192.0.2.1"),
                     POLICY_ALLOWED);
    assert_int_equal(reason_named(config, "example.net", "192.0.2.2"),
                     POLICY_DENIED_DEFAULT);
    assert_int_equal(reason_named(config, "", "192.0.2.2"),
                     POLICY_DENIED_DEFAULT);
    assert_int_equal(reason_named(config, ".", "192.0.2.2"),
                     POLICY_DENIED_DEFAULT);
    config_unref(config);
}

/* Whoever owns the name chooses its addresses [4A-B.3-2, 4A-B.6-3]. */
static void
a_name_that_is_allowed_opens_no_way_to_this_machine_or_its_link(void **state)
{
    static const struct {
        const char *to, *address;
        enum policy_reason reason;
    } cases[] = {
        {"[.example]", "192.0.2.1", POLICY_ALLOWED},
        {"[.example]", "10.0.0.1", POLICY_ALLOWED},
        {"[.example]", "126.255.255.255", POLICY_ALLOWED},
        {"[.example]", "127.0.0.0", POLICY_DENIED_LOOPBACK},
        {"[.example]", "127.255.255.255", POLICY_DENIED_LOOPBACK},
        {"[.example]", "128.0.0.0", POLICY_ALLOWED},
        {"[.example]", "169.253.255.255", POLICY_ALLOWED},
        {"[.example]", "169.254.0.0", POLICY_DENIED_LINK_LOCAL},
        {"[.example]", "169.254.169.254", POLICY_DENIED_LINK_LOCAL},
        {"[.example]", "169.255.0.0", POLICY_ALLOWED},
        {"[.example]", "0.0.0.0", POLICY_DENIED_SPECIAL},
        {"[.example]", "224.0.0.1", POLICY_DENIED_SPECIAL},
        {"[.example]", "255.255.255.255", POLICY_DENIED_SPECIAL},
        {"[.example, any]", "127.0.0.1", POLICY_DENIED_LOOPBACK},
        {"[.example, loopback]", "127.0.0.1", POLICY_ALLOWED},
        {"[.example, 127.0.0.2]", "127.0.0.1", POLICY_DENIED_LOOPBACK},
        {"[.example, 127.0.0.2]", "127.0.0.2", POLICY_ALLOWED},
        {"[.example, link-local]", "169.254.1.1", POLICY_ALLOWED},
        {"[.example, multicast]", "224.0.0.1", POLICY_DENIED_SPECIAL},
    };
    char terms[128];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(terms, sizeof(terms), "from: [any], to: %s", cases[i].to);
        struct config *config = with_rule(terms);
        if (reason_named(config, "a.example", cases[i].address) !=
            cases[i].reason)
            fail_msg("%s and %s", cases[i].to, cases[i].address);
        config_unref(config);
    }
}

static void
a_name_that_is_denied_is_denied_whatever_its_address(void **state)
{
    struct config *config =
        parsed("rules:\n"
               "  - {action: deny, from: [any], to: [.example]}\n"
               "  - {action: allow, from: [any], to: [any, loopback]}\n");

    (void)state;
    assert_int_equal(reason_named(config, "a.example", "192.0.2.1"),
                     POLICY_DENIED_RULE);
    assert_int_equal(reason_named(config, "a.example", "127.0.0.1"),
                     POLICY_DENIED_RULE);
    assert_int_equal(reason_named(config, "example", "127.0.0.1"),
                     POLICY_ALLOWED);
    config_unref(config);
}

/* [4A-4.3-2] Addresses as the resolver gave them, what is kept of them, and
   the rule; * is a listener of our own on every address of this machine. */
static bool
is_ours(const void *local, struct addr addr)
{
    (void)local;
    return addr_to_v4(addr) == 0xc6336407; /* 198.51.100.7 */
}

static void
check_kept(const struct config *config, const char *name, const char *addresses,
           const char *expected)
{
    struct policy_question asked = question("::1", "0.0.0.0", 80);
    char words[256], kept[256] = "";
    struct addr found[8];
    size_t count = 0;

    asked.name = name;
    asked.name_len = strlen(name);
    asked.is_local = is_ours;
    snprintf(words, sizeof(words), "%s", addresses);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        found[count++] = ip(word);
    struct policy_answer answer =
        policy_decide_all(&config->policy, &asked, found, &count);
    for (size_t i = 0; i < count; i++) {
        char text[ADDR_TEXT_MAX];
        strcat(kept, addr_format(found[i], text));
        strcat(kept, " ");
    }
    snprintf(kept + strlen(kept), 64, "%d %s", answer.reason,
             answer.rule ? answer.rule->name : "-");
    if (strcmp(kept, expected) != 0)
        fail_msg("%s at %s: %s, not %s", name, addresses, kept, expected);
}

static void
the_first_allowed_address_picks_the_rule_and_its_addresses_are_kept(
    void **state)
{
    struct config *config =
        parsed("listen: [{address: 0.0.0.0:80, insecure_plaintext: yes}]\n"
               "rules:\n"
               "  - {name: no, action: deny, from: [any], to: [10.9.0.0/16]}\n"
               "  - {name: ten, action: allow, from: [any], to: [10.0.0.0/8]}\n"
               "  - {name: host, action: allow, from: [any], to: [.example]}\n"
               "  - {name: net, action: allow, from: [any], to: "
               "[192.0.2.0/24]}\n");

    (void)state;
    check_kept(config, "a.example", "10.0.0.1", "10.0.0.1 0 ten");
    check_kept(config, "a.example", "10.0.0.2 192.0.2.1 10.0.0.1 10.0.0.2",
               "10.0.0.2 10.0.0.1 10.0.0.2 0 ten");
    check_kept(config, "a.example", "192.0.2.1 10.0.0.1 203.0.113.1",
               "192.0.2.1 203.0.113.1 0 host");
    check_kept(config, "a.example", "127.0.0.1 10.9.0.1 10.0.0.1 192.0.2.1",
               "10.0.0.1 0 ten");
    check_kept(config, "a.test", "203.0.113.1 192.0.2.9 10.0.0.1",
               "192.0.2.9 0 net");
    check_kept(config, "a.test", "198.51.100.7 192.0.2.9", "192.0.2.9 0 net");
    check_kept(config, "a.example", "198.51.100.7 198.51.100.8",
               "198.51.100.8 0 host");
    config_unref(config);
}

static void
no_address_left_is_answered_as_the_first_was(void **state)
{
    struct config *config = parsed(
        "listen: [{address: 0.0.0.0:80, insecure_plaintext: yes}]\n"
        "rules:\n"
        "  - {name: no, action: deny, from: [any], to: [10.0.0.0/8]}\n"
        "  - {name: host, action: allow, from: [any], to: [.example]}\n");
    char expected[32];

    (void)state;
    snprintf(expected, sizeof(expected), "%d no", POLICY_DENIED_RULE);
    check_kept(config, "a.example", "10.0.0.1", expected);
    check_kept(config, "a.example", "10.0.0.1 127.0.0.1", expected);
    snprintf(expected, sizeof(expected), "%d -", POLICY_DENIED_LINK_LOCAL);
    check_kept(config, "a.example", "169.254.1.1 10.0.0.1", expected);
    snprintf(expected, sizeof(expected), "%d -", POLICY_DENIED_SPECIAL);
    check_kept(config, "a.example", "0.0.0.0 127.0.0.1", expected);
    snprintf(expected, sizeof(expected), "%d -", POLICY_DENIED_LISTENER);
    check_kept(config, "a.example", "198.51.100.7 10.0.0.1", expected);
    check_kept(config, "a.example", "127.0.0.1 10.0.0.1", expected);
    snprintf(expected, sizeof(expected), "%d -", POLICY_DENIED_DEFAULT);
    check_kept(config, "a.example", "", expected);
    config_unref(config);
}

/* `peer: any` is for who asks for 0.0.0.0, not for who owns a name. */
static void
a_bind_to_a_name_is_never_one_to_nobody(void **state)
{
    struct config *config = with_rule("from: [any], command: [bind], peer: "
                                      "any, to: [.example, this-network]");
    struct policy_question asked = question("::1", "0.0.0.0", 0);
    asked.command = RULE_BIND;

    (void)state;
    assert_int_equal(policy_decide(&config->policy, &asked).reason,
                     POLICY_ALLOWED);
    asked.name = "a.example";
    asked.name_len = 9;
    assert_int_equal(policy_decide(&config->policy, &asked).reason,
                     POLICY_DENIED_SPECIAL);
    asked.to = ip("0.0.0.1");
    assert_int_equal(policy_decide(&config->policy, &asked).reason,
                     POLICY_DENIED_SPECIAL);
    asked.to = ip("192.0.2.1");
    assert_int_equal(policy_decide(&config->policy, &asked).reason,
                     POLICY_ALLOWED);
    config_unref(config);
}

/* Nothing is resolved for a request that no rule could ever grant. */
static void
check_hope(const char *rules, const char *name, enum policy_reason expected,
           const char *rule)
{
    char text[512];

    snprintf(text, sizeof(text), "rules: [%s]", rules);
    struct config *config = parsed(text);
    struct policy_question asked = question("198.51.100.1", "0.0.0.0", 80);
    asked.name = name;
    asked.name_len = strlen(name);
    struct policy_answer answer = policy_may_grant(&config->policy, &asked);
    bool right = answer.reason == expected &&
                 (rule ? answer.rule && strcmp(answer.rule->name, rule) == 0
                       : !answer.rule);
    config_unref(config);
    if (!right)
        fail_msg("%s with %s: %d", name, rules, answer.reason);
}

#define ALLOW "action: allow, from: [any], to: "
#define DENY "action: deny, from: [any], to: "

static void
a_name_is_given_up_before_it_is_resolved_where_no_address_can_help(void **state)
{
    (void)state;
    check_hope("", "a.example", POLICY_DENIED_DEFAULT, NULL);
    check_hope("{" ALLOW "[.example]}", "a.example", POLICY_ALLOWED, NULL);
    check_hope("{" ALLOW "[.example]}", "example", POLICY_DENIED_DEFAULT, NULL);
    check_hope("{" ALLOW "[192.0.2.1]}", "a.example", POLICY_ALLOWED, NULL);
    check_hope("{" ALLOW "[.example], port: [81]}", "a.example",
               POLICY_DENIED_DEFAULT, NULL);
    check_hope("{" ALLOW "[any], command: [bind]}", "a.example",
               POLICY_DENIED_DEFAULT, NULL);
    check_hope("{action: allow, from: [loopback], to: [any, .example]}",
               "a.example", POLICY_DENIED_DEFAULT, NULL);
    check_hope("{name: n, " DENY "[.example]}, {" ALLOW "[any]}", "a.example",
               POLICY_DENIED_RULE, "n");
    check_hope("{name: n, " DENY "[.example]}, {" ALLOW "[any]}", "example",
               POLICY_ALLOWED, NULL);
    check_hope("{name: n, " DENY "[.example], port: [81]}, {" ALLOW "[any]}",
               "a.example", POLICY_ALLOWED, NULL);
    check_hope("{" ALLOW "[192.0.2.1]}, {name: n, " DENY "[.example]}",
               "a.example", POLICY_ALLOWED, NULL);
    check_hope("{" ALLOW "[a.example]}, {name: n, " DENY "[.example]}",
               "a.example", POLICY_ALLOWED, NULL);
    check_hope("{name: n, " DENY "[.example]}, {" ALLOW "[a.example]}",
               "a.example", POLICY_DENIED_RULE, "n");
    check_hope("{" ALLOW "[any], port: [81]}, {name: n, " DENY
               "[.example]}, {" ALLOW "[any]}",
               "a.example", POLICY_DENIED_RULE, "n");
    /* Denied networks may not be its own. */
    check_hope("{" DENY "[192.0.2.0/24]}, {" ALLOW "[.example]}", "a.example",
               POLICY_ALLOWED, NULL);
}

/* Their names in order, * behind one that has the name itself, then how many
   are not shown. */
static void
check_candidates(const char *rules, const char *name, const char *expected)
{
    struct policy_candidates found;
    char text[1024], told[128] = "";

    snprintf(text, sizeof(text), "rules: [%s]", rules);
    struct config *config = parsed(text);
    struct policy_question asked = question("198.51.100.1", "0.0.0.0", 80);
    asked.name = name;
    asked.name_len = strlen(name);
    policy_find_candidates(&config->policy, &asked, &found);
    for (size_t i = 0; i < found.count && i < POLICY_CANDIDATES_MAX; i++)
        strcat(told, found.rules[i]->name);
    snprintf(told + strlen(told), 32, "%s%s", found.named ? "*" : "",
             found.ident ? "?" : "");
    if (found.count > POLICY_CANDIDATES_MAX)
        snprintf(told + strlen(told), 32, " %zu",
                 found.count - POLICY_CANDIDATES_MAX);
    config_unref(config);
    if (strcmp(told, expected) != 0)
        fail_msg("%s with %s: %s, not %s", name, rules, told, expected);
}

static void
the_rules_that_may_come_to_decide_are_known_before(void **state)
{
    (void)state;
    check_candidates("", "a.example", "");
    check_candidates("{name: a, " ALLOW "[.example]}", "a.example", "a*");
    check_candidates("{name: a, " ALLOW "[.example]}", "a.test", "");
    check_candidates("{name: a, " DENY "[10.0.0.0/8]}, {name: b, " ALLOW
                     "[any], port: [81]}, {name: c, " ALLOW
                     "[.example, any], ident: require}, {name: d, " ALLOW
                     "[any]}",
                     "a.example", "ac*?");
    check_candidates("{name: a, " ALLOW "[any]}, {name: b, " DENY
                     "[private], port: [80]}",
                     "a.example", "ab");
    check_candidates("{name: a, " DENY "[10.0.0.0/9]}, {name: b, " DENY
                     "[10.128.0.0/9]}, {name: c, " ALLOW
                     "[10.0.0.0/8]}, {name: d, " ALLOW "[10.0.0.0/7]}",
                     "a.example", "abd");
    /* `any` of an allow rule leaves out this machine's own addresses. */
    check_candidates("{name: a, " ALLOW "[any]}, {name: b, " ALLOW
                     "[self]}, {name: c, " ALLOW "[10.0.0.1]}",
                     "a.example", "ab");
    check_candidates("{name: a, " ALLOW "[any]}, {name: b, " ALLOW
                     "[10.0.0.1]}, {name: c, " DENY "[10.0.0.1]}",
                     "a.example", "ab");
    check_candidates("{name: a, " DENY "[any]}, {name: b, " ALLOW "[any]}",
                     "a.example", "a");
    check_candidates("{name: a, " ALLOW "[10.0.0.0/16]}, "
                     "{name: b, " ALLOW "[10.1.0.0/16]}, "
                     "{name: c, " ALLOW "[10.2.0.0/16]}, "
                     "{name: d, " ALLOW "[10.3.0.0/16]}, "
                     "{name: e, " ALLOW "[10.4.0.0/16]}, "
                     "{name: f, " ALLOW "[10.5.0.0/16]}, "
                     "{name: g, " ALLOW "[10.6.0.0/16]}, "
                     "{name: h, " ALLOW "[10.7.0.0/16]}, "
                     "{name: i, " ALLOW
                     "[any], ident: require}, {name: j, " ALLOW "[.example]}",
                     "a.example", "abcdefgh*? 2");
}

static void
a_connect_to_port_0_is_not_resolved(void **state)
{
    struct config *config = with_rule("from: [any], to: [any, .example]");
    struct policy_question asked = question("::1", "0.0.0.0", 0);
    asked.name = "a.example";
    asked.name_len = 9;

    (void)state;
    assert_int_equal(policy_may_grant(&config->policy, &asked).reason,
                     POLICY_DENIED_PORT);
    config_unref(config);
}

/* The rule that decides about a name by itself; NULL: the addresses matter. */
static const char *
passing(const char *rules, const char *name, char room[32])
{
    struct policy_question asked = question("198.51.100.1", "0.0.0.1", 80);
    char text[1024];

    snprintf(text, sizeof(text),
             "parents: [{name: p, address: 127.0.0.9:1}, {name: q, address: "
             "127.0.0.9:2}, {name: r, address: 127.0.0.9:3, names: resolve}, "
             "{name: s, address: 127.0.0.9:4, protocol: socks4}]\nrules: [%s]",
             rules);
    struct config *config = parsed(text);
    asked.name = name;
    asked.name_len = strlen(name);
    const struct rule *rule = policy_find_passing(&config->policy, &asked);
    snprintf(room, 32, "%s", rule != NULL ? rule->name : "none");
    config_unref(config);
    return room;
}

#define ALLOWS "{action: allow, from: [any], to: "
#define DENIES "{action: deny, from: [any], to: "

static void
a_name_that_parents_are_told_is_decided_by_itself_where_it_can_be(void **state)
{
    static const struct {
        const char *rules, *name, *rule;
    } cases[] = {
        {ALLOWS "[any], via: [p, q]}", "a.test", "rule-1"},
        {ALLOWS "[0.0.0.0/0], via: [p]}", "a.test", "rule-1"},
        {ALLOWS "[public, private], via: [p]}", "a.test", "rule-1"},
        {ALLOWS "[any]}", "a.test", "none"},
        {ALLOWS "[any], via: [p, r]}", "a.test", "none"},
        {ALLOWS "[any], via: [s]}", "a.test", "none"},
        {ALLOWS "[any], via: [p], require_connect: true}", "a.test", "none"},
        {ALLOWS "[public], via: [p]}", "a.test", "none"},
        {ALLOWS "[a.test], via: [p]}", "a.test", "rule-1"},
        {ALLOWS "[a.test], via: [p]}", "b.test", "none"},
        /* what comes before it */
        {DENIES "[10.0.0.0/8]}, " ALLOWS "[any], via: [p]}", "a.test", "none"},
        {DENIES "[b.test]}, " ALLOWS "[any], via: [p]}", "a.test", "rule-2"},
        {DENIES "[a.test]}, " ALLOWS "[any], via: [p]}", "a.test", "none"},
        {DENIES "[self]}, " ALLOWS "[any], via: [p]}", "a.test", "none"},
        {DENIES "[10.0.0.0/8], port: [81]}, " ALLOWS "[any], via: [p]}", "a.test",
         "rule-2"},
        {ALLOWS "[a.test]}, " ALLOWS "[any], via: [p]}", "a.test", "none"},
        {ALLOWS "[10.0.0.1]}, " ALLOWS "[a.test], via: [p]}", "a.test", "none"},
        {"{action: allow, from: [192.0.2.1], to: [any]}, " ALLOWS
         "[any], via: [p]}",
         "a.test", "rule-2"},
    };
    char room[32];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (strcmp(passing(cases[i].rules, cases[i].name, room),
                   cases[i].rule) != 0)
            fail_msg("%s for %s: %s", cases[i].rules, cases[i].name, room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_name_is_meant_whole_and_a_suffix_by_what_is_below_it),
        cmocka_unit_test(case_and_a_final_dot_do_not_matter),
        cmocka_unit_test(a_request_without_a_name_meets_no_term_on_names),
        cmocka_unit_test(
            a_name_that_is_allowed_opens_no_way_to_this_machine_or_its_link),
        cmocka_unit_test(a_name_that_is_denied_is_denied_whatever_its_address),
        cmocka_unit_test(
            the_first_allowed_address_picks_the_rule_and_its_addresses_are_kept),
        cmocka_unit_test(no_address_left_is_answered_as_the_first_was),
        cmocka_unit_test(a_bind_to_a_name_is_never_one_to_nobody),
        cmocka_unit_test(
            a_name_is_given_up_before_it_is_resolved_where_no_address_can_help),
        cmocka_unit_test(the_rules_that_may_come_to_decide_are_known_before),
        cmocka_unit_test(a_connect_to_port_0_is_not_resolved),
        cmocka_unit_test(
            a_name_that_parents_are_told_is_decided_by_itself_where_it_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
