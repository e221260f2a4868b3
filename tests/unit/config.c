/* Which texts are configurations, what is said of those that are not, and
   that a dump means what it was made from. */

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/config_equal.h"
#include "tests/unit/unit.h"

static const char *
beside(const char *pattern)
{
    static char path[512];
    const char *root = getenv("SOURCE_ROOT");

    assert_non_null(root);
    snprintf(path, sizeof(path), "%s/%s", root, pattern);
    return path;
}

static size_t
each_file(const char *pattern, void (*check)(const char *path))
{
    glob_t found;

    assert_int_equal(glob(beside(pattern), 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check(found.gl_pathv[i]);
    size_t count = found.gl_pathc;
    globfree(&found);
    return count;
}

static struct config *
load(const char *path, struct config_error *error, FILE *warnings)
{
    const struct config_source source = {.file = path};

    return config_open(&source, false, error, warnings);
}

/* The first line of a bad file: "# expect: LINE:COLUMN: sentence". */
static void
check_bad(const char *path)
{
    char expected[720], line[512];
    struct config_error error = {""};
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    assert_int_equal(strncmp(line, "# expect: ", 10), 0);
    snprintf(expected, sizeof(expected), "%.200s:%s", path, line + 10);
    struct config *config = load(path, &error, NULL);
    if (config)
        print_error("%s is taken\n", path);
    assert_null(config);
    assert_string_equal(error.text, expected);
}

/* Among them a connect timer of 0, or of more than a day [V4-5-1]. */
static void
says_where_what_and_how_to_put_it_right(void **state)
{
    (void)state;
    size_t count = each_file("tests/config/bad/*.yaml", check_bad);
    assert_true(count > 130);
}

static const struct octets {
    const char *text;
    size_t len;
    const char *expected;
} octets[] = {
#define T(text, expected)                                                      \
    {                                                                          \
        text, sizeof(text) - 1, expected                                       \
    }
    T("", "f:1:1: nothing is written here; begin with listen: and rules:, or "
          "leave -c out for the built-in default"),
    T("workers: 1\0\n", "f:1:11: a NUL octet; remove it"),
    T("\nuser: \x1b[1m\n", "f:2:7: a control character (0x1b); remove it"),
    T("user: \xff\n",
      "f:1:7: octet 0xff is not UTF-8 text; save the file as UTF-8"),
    T("user: \xc3\xa9\xc3\n",
      "f:1:8: octet 0xc3 is not UTF-8 text; save the file as UTF-8"),
    T("user: \xed\xa0\x80\n",
      "f:1:7: octet 0xed is not UTF-8 text; save the file as UTF-8"),
    T("user: \xc0\xaf\n",
      "f:1:7: octet 0xc0 is not UTF-8 text; save the file as UTF-8"),
    T("\xff\xfe"
      "a\0",
      "f:1:1: octet 0xff is not UTF-8 text; save the file as UTF-8"),
#undef T
};

static void
refuses_octets_that_are_no_text(void **state)
{
    struct config_error error;

    (void)state;
    for (size_t i = 0; i < COUNT(octets); i++) {
        assert_null(
            config_parse("f", octets[i].text, octets[i].len, &error, NULL));
        assert_string_equal(error.text, octets[i].expected);
    }
}

static void
check_round_trip(const char *path)
{
    struct config_error error;
    struct config *config = load(path, &error, NULL);

    if (!config)
        fail_msg("%s", error.text);
    struct config *again = config_again(config, &error);
    if (!again)
        fail_msg("the dump of %s: %s", path, error.text);
    const char *field = config_differs(config, again);
    if (field)
        fail_msg("the dump of %s: %s", path, field);
    config_unref(again);
    config_unref(config);
}

static void
the_dump_of_a_good_file_means_the_same(void **state)
{
    (void)state;
    assert_true(each_file("tests/config/good/*.yaml", check_round_trip) >= 7);
    assert_true(each_file("dist/examples/*.yaml", check_round_trip) >= 3);
    check_round_trip(NULL);
}

static struct config *
parsed(const char *text)
{
    struct config_error error;
    struct config *config = config_parse("f", text, strlen(text), &error, NULL);

    if (!config)
        fail_msg("%s", error.text);
    return config;
}

static void
what_a_file_leaves_out_is_as_the_table_says(void **state)
{
    struct config_error error;
    struct config *all =
        load(beside("tests/config/good/defaults.yaml"), &error, NULL);
    struct config *built_in = load(NULL, &error, NULL);

    (void)state;
    assert_non_null(all);
    assert_non_null(built_in);
    assert_null(config_differs(all, built_in));
    assert_null(built_in->file);
    assert_int_equal(all->timeouts.connect_ms, 120000);
    assert_int_equal(all->limits.userid, 1023);
    assert_true(all->limits.sessions == CONFIG_AUTO);
    assert_int_equal(all->listeners[0].at.port, 1080); /* [V4-D.4-1] */
    assert_true(all->bind.address_auto && all->egress.address_auto);
    config_unref(built_in);
    config_unref(all);
}

static void
off_no_and_false_are_one_word_and_so_are_the_others(void **state)
{
    static const char *const words[] = {"off", "no", "false"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        snprintf(text, sizeof(text),
                 "listen: [{address: 127.0.0.1:1, socks4a: %s}]\n"
                 "sandbox: %s\nrules: [{action: allow, from: [any], to: "
                 "[any], ident: %s}]\n",
                 words[i], words[i], words[i]);
        struct config *config = parsed(text);
        assert_int_equal(config->listeners[0].socks4a, CONFIG_4A_OFF);
        assert_int_equal(config->sandbox, CONFIG_SANDBOX_OFF);
        assert_int_equal(config->policy.rules[0].ident, RULE_IDENT_OFF);
        config_unref(config);
    }
}

static char *
warned_of(const char *text)
{
    struct config_error error;
    char *warned = NULL;
    size_t len;
    FILE *warnings = open_memstream(&warned, &len);
    struct config *config =
        config_parse("f", text, strlen(text), &error, warnings);

    fclose(warnings);
    assert_non_null(config);
    config_unref(config);
    return warned;
}

static void
a_file_without_rules_is_warned_about(void **state)
{
    char *warned = warned_of("{}");

    (void)state;
    assert_string_equal(
        warned, "f: warning: no rules: every request will be refused\n");
    free(warned);
}

static void
names_that_no_request_can_carry_are_warned_about(void **state)
{
    static const struct {
        const char *listen, *warning;
    } cases[] = {
        {"[{address: 127.0.0.1:1}]",
         "f: warning: rules name hosts, which only requests of SOCKS 4A and "
         "SOCKS5 do, and no listener has socks4a: true or socks5: true\n"},
        {"[{address: 127.0.0.1:1, socks5: true}]", ""},
        {"[{address: 127.0.0.1:1}, {address: 127.0.0.1:2, socks4a: yes}]", ""},
        {"[{address: 127.0.0.1:1, socks4a: only}]", ""},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text),
                 "listen: %s\nrules: [{action: allow, from: [any], to: "
                 "[.example.org]}]",
                 cases[i].listen);
        char *warned = warned_of(text);
        assert_string_equal(warned, cases[i].warning);
        free(warned);
    }
}

static void
what_is_odd_about_proxy_headers_is_warned_about(void **state)
{
    char *warned = warned_of(
        "listen:\n"
        "  - {address: 127.0.0.1:1, name: a, proxy_protocol: [0.0.0.0/0]}\n"
        "  - {address: 127.0.0.1:2, proxy_protocol: [10.0.0.0/8], "
        "proxy_certificate: true}\n"
        "rules:\n"
        "  - {name: b, action: allow, from: [any], command: [bind], to: "
        "[private], send_proxy: v1, certificate: [any]}\n"
        "  - {action: allow, from: [any], command: [bind, connect], to: "
        "[private], "
        "send_proxy: v2}\n");

    (void)state;
    assert_string_equal(
        warned,
        "f: warning: listener \"a\" believes a PROXY header from every "
        "address, so that anybody can claim any address; list the balancers in "
        "proxy_protocol\n"
        "f:5:5: warning: rule \"b\" never sends a PROXY header: it grants no "
        "CONNECT; remove send_proxy, or add connect to its command\n");
    free(warned);
}

/* Only the address was changed, and not the rule. */
static void
a_listener_without_rules_for_its_clients_is_warned_about(void **state)
{
#define OUTSIDE "{address: 10.0.0.1:1, name: out, insecure_plaintext: true}"
#define NOBODY                                                                 \
    "f: warning: listener \"out\" is not on loopback, and no rule allows "     \
    "anything to its clients elsewhere; list their networks in the `from' of " \
    "a rule\n"
    static const struct {
        const char *listen, *terms, *warning;
    } cases[] = {
        {OUTSIDE, "action: allow, from: [loopback]", NOBODY},
        {OUTSIDE, "action: allow, from: [127.0.0.0/8, 10.0.0.0/24]", ""},
        {OUTSIDE, "action: allow, from: [self]", ""},
        {"{address: 127.0.0.1:1, name: in}, " OUTSIDE,
         "action: allow, from: [10.0.0.0/24], listener: [in]", NOBODY},
        {"{address: 127.0.0.1:1, name: in}, " OUTSIDE,
         "action: allow, from: [10.0.0.0/24], listener: [out]", ""},
        {"{address: \"[::1]:1\"}", "action: allow, from: [loopback]", ""},
        {"{address: 10.0.0.1:1, insecure_plaintext: true, proxy_protocol: "
         "[10.0.0.8]}",
         "action: allow, from: [loopback]", ""},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text),
                 "listen: [%s]\nrules: [{%s, to: [10.1.0.0/24]}]",
                 cases[i].listen, cases[i].terms);
        char *warned = warned_of(text);
        assert_string_equal(warned, cases[i].warning);
        free(warned);
    }
}

/* Only SOCKS5 asks for it, and TLS does not go around datagrams. */
static void
udp_without_effect_or_in_plain_text_is_warned_about(void **state)
{
#define UDP_RULE                                                               \
    "rules:\n- {name: a, action: allow, from: [any], to: [10.0.0.1], "         \
    "command: [udp]}\n"
#define UDP_TLS "tls: {certificate: c, key: k}"
    static const struct {
        const char *text, *warning;
    } cases[] = {
        {"listen: [{address: 127.0.0.1:1, name: l}]\n" UDP_RULE,
         "f:3:3: warning: rule \"a\" grants no udp: only SOCKS5 asks for it, "
         "which no listener of the rule serves, or its version leaves out; set "
         "socks5: true, or remove udp from the command\n"},
        {"listen: [{address: 127.0.0.1:1, name: l, socks5: true}]\n" UDP_RULE,
         ""},
        {"listen: [{address: 127.0.0.1:1, name: l, socks5: true, " UDP_TLS
         "}]\n" UDP_RULE,
         "f:3:3: warning: rule \"a\" grants udp to clients of listener \"l\", "
         "whose TLS does not protect datagrams: they pass readable; if that is "
         "meant, add insecure_plaintext: true to the listener\n"},
        {"listen: [{address: 127.0.0.1:1, name: l, socks5: true, "
         "insecure_plaintext: true, " UDP_TLS "}]\n" UDP_RULE,
         ""},
        {"listen: [{address: 127.0.0.1:1, socks5: true}]\n"
         "rules:\n- {name: d, action: deny, from: [any], to: [10.0.0.0/24], "
         "command: [connect]}\n"
         "- {name: a, action: allow, from: [any], to: [10.0.0.1], command: "
         "[udp]}\n",
         "f:4:3: warning: rule \"a\" grants udp to addresses that rule \"d\" "
         "(line 3) denies for CONNECT alone; leave out the deny rule's "
         "`command' to deny both\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *warned = warned_of(cases[i].text);
        assert_string_equal(warned, cases[i].warning);
        free(warned);
    }
}

static void
listeners_of_the_command_line_know_no_balancer(void **state)
{
    static const char text[] =
        "listen: [{address: 127.0.0.1:1, proxy_protocol: [10.0.0.0/8]}]\n";
    static const char *const at[] = {"127.0.0.1:1081"};
    struct config_error error;
    struct config *config = config_parse("f", text, strlen(text), &error, NULL);

    (void)state;
    assert_non_null(config);
    assert_int_equal(config->listeners[0].proxy_protocol.nets.count, 1);
    assert_int_equal(config_set_listeners(config, at, 1, false, &error), 0);
    assert_int_equal(config->listeners[0].proxy_protocol.nets.count, 0);
    config_unref(config);
}

/* What the parser says of rules on lines 2 and 3 behind `head' on line 1. */
static void
check_warning(const char *head, const char *one, const char *two,
              const char *expected)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "{%s rules: [\n {name: one, %s},\n {name: two, "
             "%s}]}\n",
             head, one, two);
    char *warned = warned_of(text);
    if (strcmp(warned, expected) != 0)
        fail_msg("of %s\nsaid: %snot: %s", text, warned, expected);
    free(warned);
}

#define COVERED                                                                \
    "f:3:2: warning: rule \"two\" never matches: rule \"one\" (line 2) "       \
    "matches "                                                                 \
    "all of it before; put this one first, or remove it\n"
#define DENIES_NOTHING                                                         \
    "f:3:2: warning: rule \"two\" denies nothing: rule \"one\" (line 2) "      \
    "grants "                                                                  \
    "all of it before; put the deny rule first\n"
#define DENIES_NO_CONNECT                                                      \
    "f:3:2: warning: rule \"two\" denies no CONNECT: rule \"one\" (line 2) "   \
    "grants all of it before; put the deny rule first\n"
#define NO_PROOF                                                               \
    "f:3:2: warning: rule \"two\" grants what rule \"one\" (line 2) denies "   \
    "to those who prove who they are: they need only prove nothing; ask for "  \
    "a "                                                                       \
    "proof here (auth, certificate), or deny it to all\n"
#define FOR_CONNECT_ALONE                                                      \
    "f:3:2: warning: rule \"two\" grants BIND to addresses that rule \"one\" " \
    "(line 2) denies for CONNECT alone; leave out the deny rule's `command' "  \
    "to deny both\n"
#define ANY_PEER                                                               \
    "f:3:2: warning: rule \"two\" has `peer: any', so the peer of a BIND to "  \
    "0.0.0.0 may be an address that rule \"one\" (line 2) denies; list "       \
    "networks as the peer, or add 0.0.0.0 to the deny rule\n"

static void
open_proxies_are_warned_about(void **state)
{
#define PLAIN "{address: 203.0.113.1:1080, insecure_plaintext: true, name: l}"
#define FIVE                                                                   \
    "{address: 203.0.113.1:1080, insecure_plaintext: true, socks5: true, "     \
    "name: f}"
#define PLAIN5                                                                 \
    "{address: 203.0.113.1:1080, insecure_plaintext: true, name: l, socks5: "  \
    "true}"
#define OPEN(name)                                                             \
    "f:3:2: warning: rule \"two\" makes an open proxy: anyone may connect to " \
    "anywhere through the listener \"" name                                    \
    "\"; list your networks in its `from', ask for passwords in it (auth: "    \
    "[password]), or require client certificates at the listener\n"
#define RELAY(name)                                                            \
    "f:3:2: warning: rule \"two\" makes an open relay: anyone may send "       \
    "datagrams to anywhere through the listener \"" name                       \
    "\"; list your networks in its `from', ask for passwords in it (auth: "    \
    "[password]), or require client certificates at the listener\n"
    static const struct {
        const char *listen, *one, *two, *expected;
    } cases[] = {
        {PLAIN, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any]", OPEN("l")},
        {PLAIN, "action: deny, from: [any], to: [private]",
         "action: allow, from: [0.0.0.0/0], to: [public], port: [443]",
         OPEN("l")},
        {PLAIN, "action: deny, from: [any], to: [any], port: [25]",
         "action: allow, from: [\"::/0\"], to: [public]", OPEN("l")},
        {PLAIN, "action: deny, from: [any], to: [0.0.0.0/1, 128.0.0.0/2]",
         "action: allow, from: [public], to: [public]", ""},
        /* only SOCKS5 gets anywhere in IPv6 */
        {PLAIN, "action: deny, from: [any], to: [0.0.0.0/0]",
         "action: allow, from: [any], to: [any]", ""},
        {FIVE, "action: deny, from: [any], to: [0.0.0.0/0]",
         "action: allow, from: [any], to: [any]", OPEN("f")},
        {PLAIN, "action: deny, from: [public], to: [any]",
         "action: allow, from: [0.0.0.0/0], to: [any]", ""},
        {PLAIN, "action: deny, from: [any], to: [public]",
         "action: allow, from: [0.0.0.0/0], to: [any]", ""},
        {PLAIN, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [private], to: [any]", ""},
        {PLAIN, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [private]", ""},
        {PLAIN, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], user: [mary]", ""},
        {PLAIN, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], command: [bind]", ""},
        /* SOCKS5's alone, at a listener where strangers come */
        {PLAIN5, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], command: [udp]", RELAY("l")},
        {PLAIN5, "action: deny, from: [any], to: [public], command: [udp]",
         "action: allow, from: [any], to: [any], command: [udp]", ""},
        {PLAIN5, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], command: [udp], auth: "
         "[password]",
         ""},
        {PLAIN ", {address: 127.0.0.1:1, name: in, socks5: true}",
         "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], command: [udp]", ""},
        {PLAIN ", {address: 127.0.0.1:1, name: in, socks5: true}",
         "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], version: [5]", ""},
        {"{address: 203.0.113.1:1, insecure_plaintext: true}, " FIVE,
         "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any]", OPEN("f")},
        {PLAIN5, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], auth: [none, password]",
         OPEN("l")},
        {PLAIN5, "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any], auth: [password]", ""},
        {PLAIN5, "action: deny, from: [public], to: [any], version: [4]",
         "action: allow, from: [any], to: [any]", OPEN("l")},
        {PLAIN5, "action: deny, from: [public], to: [any], version: [4]",
         "action: allow, from: [any], to: [any], version: [4]", ""},
        {PLAIN, "action: deny, from: [public], to: [any], auth: [none]",
         "action: allow, from: [any], to: [any]", OPEN("l")},
        {"{address: 127.0.0.1:1080}",
         "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any]", ""},
        {"{address: 127.0.0.1:1080, name: in}, " PLAIN,
         "action: allow, from: [10.0.0.1], to: [10.0.0.2]",
         "action: allow, from: [any], to: [any], listener: [in]", ""},
        {"{address: 127.0.0.1:1080, proxy_protocol: [loopback], name: b}",
         "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any]", OPEN("b")},
        {"{address: 203.0.113.1:1443, name: t, tls: {certificate: a, key: b, "
         "client: require, ca: c}}",
         "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any]", ""},
        {"{address: 203.0.113.1:1443, name: t, tls: {certificate: a, key: b, "
         "client: request, ca: c}}",
         "action: deny, from: [10.0.0.1], to: [any]",
         "action: allow, from: [any], to: [any]", OPEN("t")},
    };
    char listen[512];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(listen, sizeof(listen), "auth: {%s}, listen: [%s],",
                 strstr(cases[i].two, "password") ? "users: u" : "",
                 cases[i].listen);
        check_warning(listen, cases[i].one, cases[i].two, cases[i].expected);
    }
}

static void
rules_that_mean_nothing_or_too_much_are_warned_about(void **state)
{
    static const struct {
        const char *head, *one, *two, *expected;
    } cases[] = {
        /* covered by the one before, or not in some term */
        {"", "action: allow, from: [any], to: [any]",
         "action: allow, from: [10.0.0.0/8], to: [192.0.2.0/24], port: [80]",
         COVERED},
        /* which a wide network does not reach where it is this machine's */
        {"", "action: allow, from: [any], to: [any]",
         "action: allow, from: [any], to: [192.0.2.1]", ""},
        {"", "action: allow, from: [any], to: [any]",
         "action: allow, from: [any], to: [self]", ""},
        {"", "action: deny, from: [any], to: [any]",
         "action: allow, from: [any], to: [self, 192.0.2.1]", COVERED},
        {"", "action: allow, from: [any], to: [any, self]",
         "action: allow, from: [self], to: [192.0.2.1]", COVERED},
        {"", "action: allow, from: [10.0.0.0/8], to: [any]",
         "action: allow, from: [10.0.0.0/8, self], to: [10.0.0.0/8]", ""},
        {"", "action: deny, from: [any], to: [any]",
         "action: allow, from: [any], to: [loopback]", COVERED},
        {"", "action: allow, from: [any], to: [any]",
         "action: deny, from: [any], to: [192.0.2.1], command: [connect]",
         DENIES_NOTHING},
        /* which denies BIND, too; but what denies the rest is meant */
        {"", "action: allow, from: [10.0.0.0/8], to: [public]",
         "action: deny, from: [10.0.0.66], to: [public]", DENIES_NO_CONNECT},
        {"", "action: allow, from: [10.0.0.0/8], to: [public]",
         "action: deny, from: [10.0.0.0/8], to: [198.51.100.7], port: [25]",
         DENIES_NO_CONNECT},
        {"", "action: allow, from: [10.0.0.0/8], to: [public]",
         "action: deny, from: [10.0.0.0/8], to: [public]", ""},
        {"", "action: allow, from: [10.0.0.0/8], to: [public]",
         "action: deny, from: [any], to: [any]", ""},
        {"", "action: allow, from: [10.0.0.0/8], to: [public]",
         "action: deny, from: [10.0.0.66], to: [public], command: [bind]", ""},
        {"", "action: allow, from: [10.0.0.0/8], to: [public], port: [80]",
         "action: deny, from: [10.0.0.66], to: [public]", ""},
        {"", "action: allow, from: [any], to: [any]",
         "action: deny, from: [any], to: [192.0.2.1]", DENIES_NO_CONNECT},
        {"", "action: allow, from: [any], to: [any]",
         "action: deny, from: [any], to: [any], command: [connect]", ""},
        {"", "action: allow, from: [10.0.0.0/9], to: [any]",
         "action: allow, from: [10.0.0.0/8], to: [any]", ""},
        {"", "action: allow, from: [any], to: [any], port: [80, 1000-2000]",
         "action: allow, from: [any], to: [any], port: [1000, 80]", COVERED},
        {"", "action: allow, from: [any], to: [any], port: [80]",
         "action: allow, from: [any], to: [any]", ""},
        {"", "action: allow, from: [any], to: [any], port: [0-65535]",
         "action: allow, from: [any], to: [any]", COVERED},
        {"", "action: allow, from: [any], to: [any], user: [\"a*\", bob]",
         "action: allow, from: [any], to: [any], user: [ann, \"ab*\", bob]",
         COVERED},
        {"", "action: allow, from: [any], to: [any], user: [ann]",
         "action: allow, from: [any], to: [any], user: [\"ann*\"]", ""},
        {"", "action: allow, from: [any], to: [any], user: [ann]",
         "action: allow, from: [any], to: [any]", ""},
#define USERS5 "listen: [{address: 127.0.0.1:1, socks5: on}],"
#define USERS "auth: {users: u}, listen: [{address: 127.0.0.1:1, socks5: on}],"
        {USERS, "action: allow, from: [any], to: [any], auth: [password, none]",
         "action: allow, from: [any], to: [any], auth: [password]", COVERED},
        {USERS, "action: allow, from: [any], to: [any], auth: [password]",
         "action: allow, from: [any], to: [any]", ""},
        {USERS, "action: deny, from: [any], to: [10.0.0.1], auth: [password]",
         "action: allow, from: [loopback], to: [any]", NO_PROOF},
        {USERS, "action: deny, from: [any], to: [10.0.0.1], auth: [password]",
         "action: allow, from: [loopback], to: [any], auth: [password]", ""},
        {USERS, "action: deny, from: [any], to: [10.0.0.1], auth: [password]",
         "action: allow, from: [loopback], to: [10.0.0.2]", ""},
        {USERS,
         "action: deny, from: [any], to: [10.0.0.1], auth: [password, none]",
         "action: allow, from: [loopback], to: [any]", ""},
        {"auth: {users: u}, listen: [{address: 127.0.0.1:1, socks5: only}],",
         "action: deny, from: [any], to: [10.0.0.1], auth: [password]",
         "action: allow, from: [loopback], to: [any]", ""},
        {"auth: {users: u}, listen: [{address: 127.0.0.1:1, socks5: only}],",
         "action: deny, from: [any], to: [10.0.0.1], auth: [password]",
         "action: allow, from: [loopback], to: [any], auth: [none]", NO_PROOF},
        {"auth: {users: u}, listen: [{address: 127.0.0.1:1, socks5: on}, "
         "{address: 127.0.0.1:2, name: old}],",
         "action: allow, from: [any], to: [any], listener: [old], auth: "
         "[password]",
         "action: allow, from: [any], to: [any], auth: [password]",
         "f:2:2: warning: rule \"one\" asks for a password, which only SOCKS5 "
         "has, "
         "and none of its listeners has socks5: true; set that, or remove "
         "password from auth\n"},
        {USERS,
         "action: allow, from: [any], to: [any], auth: [password], "
         "version: [4]",
         "action: allow, from: [any], to: [any], auth: [password]",
         "f:2:2: warning: rule \"one\" wants a password, which only SOCKS5 "
         "has, and is for other versions; add 5 to its version, or remove "
         "password from auth\n"},
        {USERS5, "action: allow, from: [any], to: [any], version: [4, 5]",
         "action: allow, from: [any], to: [any], version: [5]", COVERED},
        {USERS5, "action: allow, from: [any], to: [any], version: [4]",
         "action: allow, from: [any], to: [any], version: [4, 5]", ""},
        {USERS5, "action: allow, from: [any], to: [any], version: [4, 4a, 5]",
         "action: allow, from: [any], to: [any]", COVERED},
        {"listen: [{address: 127.0.0.1:1, socks5: on}, "
         "{address: 127.0.0.1:2, name: old}],",
         "action: allow, from: [any], to: [any], listener: [old], version: "
         "[4a, 5]",
         "action: allow, from: [any], to: [any], version: [5]",
         "f:2:2: warning: rule \"one\" never matches: none of its listeners "
         "serves a version that it has; set the listener's socks4a or socks5, "
         "or remove the rule\n"},
        {"listen: [{address: 127.0.0.1:1, socks5: only}],",
         "action: allow, from: [any], to: [any], version: [4, 4a]",
         "action: allow, from: [any], to: [any], version: [5]",
         "f:2:2: warning: rule \"one\" never matches: none of its listeners "
         "serves a version that it has; set the listener's socks4a or socks5, "
         "or remove the rule\n"},
        {"auth: {users: u},", "action: allow, from: [any], to: [10.0.0.1]",
         "action: allow, from: [any], to: [any]",
         "f:1:16: warning: auth.users: no rule asks for a password, and the "
         "file is not used; add auth: [password] to a rule, or remove it\n"},
        {"", "action: allow, from: [any], to: [any], auth: [certificate]",
         "action: allow, from: [any], to: [any]",
         "f:2:2: warning: rule \"one\" never matches: it wants certificates, "
         "and no listener asks for one; set the listener's tls.client, or "
         "remove the term\n"},
        {"listen: [{address: 127.0.0.1:1, name: a}, "
         "{address: 127.0.0.1:2, name: b}],",
         "action: allow, from: [any], to: [any], listener: [a, b]",
         "action: allow, from: [any], to: [any], listener: [b]", COVERED},
        {"", "action: allow, from: [any], to: [any], listener: [local]",
         "action: allow, from: [any], to: [any]", ""},
        {"listen: [{address: 127.0.0.1:1, socks4a: yes}],",
         "action: allow, from: [any], to: [.example, a.test]",
         "action: allow, from: [any], to: [b.example, a.test]", COVERED},
        {"listen: [{address: 127.0.0.1:1, socks4a: yes}],",
         "action: allow, from: [any], to: [.example]",
         "action: deny, from: [any], to: [b.example], command: [connect]", ""},
        {"listen: [{address: 127.0.0.1:1, socks4a: yes}],",
         "action: allow, from: [any], to: [any]",
         "action: allow, from: [any], to: [b.example]", COVERED},
        {"listen: [{address: 127.0.0.1:1, socks4a: yes}],",
         "action: allow, from: [any], to: [b.example]",
         "action: allow, from: [any], to: [.example]", ""},
        {"", "action: allow, from: [any], to: [any], command: [bind]",
         "action: allow, from: [any], to: [any], command: [bind], peer: any",
         ""},
        {"",
         "action: allow, from: [any], to: [any], command: [bind, connect], "
         "peer: any",
         "action: allow, from: [any], to: [any], command: [bind], peer: any",
         COVERED},
        /* a deny rule that leaves a way */
        {"", "action: deny, from: [any], to: [10.0.0.0/8], command: [connect]",
         "action: allow, from: [any], to: [any], command: [bind]",
         FOR_CONNECT_ALONE},
        {"", "action: deny, from: [any], to: [10.0.0.0/8], command: [connect]",
         "action: allow, from: [any], to: [public], command: [bind]", ""},
        {"", "action: deny, from: [any], to: [10.0.0.0/8]",
         "action: allow, from: [any], to: [any], command: [bind], peer: any",
         ANY_PEER},
        {"", "action: deny, from: [any], to: [10.0.0.0/8, 0.0.0.0]",
         "action: allow, from: [any], to: [any], command: [bind], peer: any",
         ""},
        {"listen: [{address: 127.0.0.1:1, socks5: true}],",
         "action: deny, from: [any], to: [10.0.0.0/8, 0.0.0.0, \"::\"]",
         "action: allow, from: [any], to: [any], command: [bind], peer: any",
         ""},
        {"listen: [{address: 127.0.0.1:1, socks5: true}],",
         "action: deny, from: [any], to: [10.0.0.0/8, 0.0.0.0]",
         "action: allow, from: [any], to: [any], command: [bind], peer: any",
         "f:3:2: warning: rule \"two\" has `peer: any', so the peer of a BIND "
         "to 0.0.0.0 may be an address that rule \"one\" (line 2) denies; list "
         "networks as the peer, or add 0.0.0.0 and \"::\" to the deny rule\n"},
        /* what a parent is told in version 5 */
        {"parents: [{name: p, address: 127.0.0.1:9, protocol: socks5, userid: "
         "bob}, {name: q, address: 127.0.0.1:8, userid: bob}],",
         "action: allow, from: [any], to: [any], port: [80], via: [q]",
         "action: allow, from: [any], to: [any], via: [p]",
         "f:1:12: warning: the parent \"p\" is told no USERID: SOCKS5 has "
         "none; remove userid, or write protocol: socks4a\n"},
        {"", "action: deny, from: [10.0.0.0/8], to: [10.0.0.0/8]",
         "action: allow, from: [loopback], to: [any], command: [bind], "
         "peer: any",
         ""},
        /* networks that no request has */
        {"", "action: allow, from: [any], to: [10.0.0.0/8]",
         "action: allow, from: [any], to: [224.0.0.0/3]",
         "f:3:2: warning: rule \"two\" never matches: its `to' lies around "
         "special ranges and holds nothing else; name the range itself\n"},
        {"", "action: allow, from: [any], to: [10.0.0.0/8]",
         "action: allow, from: [any], to: [10.0.0.0/7, \"fd00::/8\"]",
         "f:3:59: warning: to: fd00::/8 never matches: SOCKS 4 carries IPv4 "
         "addresses, and no listener has socks5: true; remove it\n"},
        {"listen: [{address: 127.0.0.1:1, socks5: true}],",
         "action: allow, from: [any], to: [10.0.0.0/8]",
         "action: allow, from: [any], to: [10.0.0.0/7, \"fd00::/8\"]", ""},
        {"sets: {a: [\"fd00::/8\"]},",
         "action: allow, from: [any], to: [10.0.0.0/8]",
         "action: allow, from: [any], to: [a]",
         "f:3:2: warning: rule \"two\" never matches: its `to' has IPv6 "
         "networks alone, SOCKS 4 carries IPv4 addresses, and no listener has "
         "socks5: true; add an IPv4 network, or remove the rule\n"},
        {"listen: [{address: 127.0.0.1:1, socks5: only}], sets: {a: "
         "[\"fd00::/8\"]},",
         "action: allow, from: [any], to: [10.0.0.0/8]",
         "action: allow, from: [any], to: [a]", ""},
        /* sets */
        {"", "action: deny, from: [any], to: [any], user: [\"*min\", \"j*\"]",
         "action: allow, from: [any], to: [any]",
         "f:2:59: warning: user: only a * at the end stands for any octets; "
         "\"*min\" has one that stands for itself\n"},
        {"listen: [{address: 127.0.0.1:1, socks4a: true}], sets: {a: "
         "[blocked.txt]},",
         "action: deny, from: [any], to: [a]",
         "action: allow, from: [any], to: [any]",
         "f:1:62: warning: sets: \"blocked.txt\" is taken for the name of a "
         "host; for the members in a file put \"file:blocked.txt\" into a "
         "set\n"},
        {"listen: [{address: 127.0.0.1:1, tls: {certificate: a, key: b, "
         "client: require, ca: c}}],",
         "action: deny, from: [any], to: [any], certificate: [\"CN=ann\"]",
         "action: allow, from: [any], to: [any], certificate: [ann]",
         "f:2:66: warning: certificate: \"CN=ann\" matches nothing: CN= is no "
         "part of the name; write ann\n"},
        {"sets: {a: []},", "action: deny, from: [any], to: [a]",
         "action: allow, from: [any], to: [any]",
         "f:2:2: warning: rule \"one\" never matches: the sets in its `to' are "
         "empty\n"},
        {"sets: {a: [10.0.0.0/8], b: [a], c: [10.0.0.0/8]},",
         "action: allow, from: [c], to: [192.0.2.1]",
         "action: allow, from: [loopback], to: [192.0.2.1]",
         "f:1:26: warning: no rule uses the set \"b\"; use it or remove it\n"},
        {"parents: [{name: hq, address: 127.0.0.1:9}],",
         "action: allow, from: [any], to: [192.0.2.1]",
         "action: allow, from: [loopback], to: [192.0.2.2]",
         "f:1:12: warning: no rule uses the parent \"hq\"; name it in a rule's "
         "via, or remove it\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_warning(cases[i].head, cases[i].one, cases[i].two,
                      cases[i].expected);
}

/* A folder with a configuration, and files that its sets name. */
static char folder[] = "/tmp/socks4d-sets-XXXXXX";

static const char *
put(const char *name, const char *text)
{
    static char path[128];
    static bool made;
    FILE *file;

    if (!made)
        assert_non_null(mkdtemp(folder));
    made = true;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static int
folder_remove(void **state)
{
    static const char *const names[] = {"gw.yaml", "blocked.txt", "set.txt"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static void
a_set_takes_networks_and_names_from_a_file(void **state)
{
    struct config_error error;

    (void)state;
    put("blocked.txt", "\xef\xbb\xbf# kept by others\r\n10.9.0.0/16\n\n"
                       "  .ads.example   # all of them\r\nbad.test");
    const char *path =
        put("gw.yaml", "sets:\n  blocked: [192.0.2.1, \"file:blocked.txt\", "
                       "c.test]\n  more: [blocked]\nrules:\n"
                       "  - {action: deny, from: [any], to: [more, any]}\n");
    struct config *config = load(path, &error, NULL);
    if (!config)
        fail_msg("%s", error.text);
    assert_int_equal(config->sets[0].texts.count, 5);
    assert_string_equal(config->sets[0].texts.at[1], "10.9.0.0/16");
    assert_string_equal(config->sets[0].texts.at[2], ".ads.example");
    const struct rule *rule = &config->policy.rules[0];
    assert_int_equal(rule->to_name_count, 3);
    assert_string_equal(rule->to_names[1].text, "bad.test");
    assert_string_equal(rule->to_names[2].text, "c.test");
    /* The dump needs no file. */
    put("blocked.txt", "");
    struct config *again = config_again(config, &error);
    if (!again)
        fail_msg("%s", error.text);
    assert_null(config_differs(config, again));
    config_unref(again);
    config_unref(config);
}

static void
a_fault_in_a_set_s_file_is_named_where_it_stands(void **state)
{
    static const struct {
        const char *file, *sets, *expected;
    } cases[] = {
        {"10.0.0.1/8\n", "[\"file:set.txt\"]",
         "set.txt:1:1: sets: 10.0.0.1/8 has bits set behind its prefix"},
        {"\n  *.ads.example\n", "[\"file:set.txt\"]",
         "set.txt:2:3: sets: \"*.ads.example\": a name has no *"},
        {"10.0.0.1 10.0.0.2\n", "[\"file:set.txt\"]",
         "set.txt:1:1: sets: \"10.0.0.1 10.0.0.2\" is more than one word"},
        {"file:other.txt\n", "[\"file:set.txt\"]",
         "set.txt:1:1: sets: \"file:other.txt\": a file belongs into a set"},
        {"", "[\"file:nowhere.txt\"]", "gw.yaml:1:12: sets: "},
        {"", "[\"file:/dev/zero\"]",
         "gw.yaml:1:12: sets: /dev/zero: not a regular file"},
        {"", "[a.test]} \nrules: [{action: allow, to: [any], from: [a]",
         "gw.yaml:2:43: from: the set \"a\" (line 1) holds names"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_error error;
        put("set.txt", cases[i].file);
        snprintf(text, sizeof(text), "sets: {a: %s}%s\n", cases[i].sets,
                 strchr(cases[i].sets, '{') ? "]" : "");
        const char *path = put("gw.yaml", text);
        assert_null(load(path, &error, NULL));
        if (!strstr(error.text, cases[i].expected))
            fail_msg("%s, not %s", error.text, cases[i].expected);
    }
}

/* Whatever stands at the path by now: one that writes nothing would keep the
   monitor waiting. */
static void
no_pipe_is_read_again(void **state)
{
    struct config_error error;
    const char *path = put("gw.yaml", "");
    const struct config_source source = {.file = path};

    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    int writer = open(path, O_RDWR);
    assert_true(writer >= 0);
    assert_null(config_open(&source, true, &error, NULL));
    if (!strstr(error.text, "is not a regular file, and only those can be "
                            "read again"))
        fail_msg("%s", error.text);
    close(writer);
    assert_int_equal(unlink(path), 0);
}

static void
a_set_s_file_has_all_its_errors_reported(void **state)
{
    struct config_error error;
    char *text;
    size_t len;
    FILE *more = open_memstream(&text, &len);

    (void)state;
    put("set.txt", "0.0.0.0 ads.test\nb.*\n10.0.0.1/8\n");
    const char *path = put("gw.yaml", "sets: {a: [\"file:set.txt\"]}\n");
    assert_null(load(path, &error, more));
    fclose(more);
    if (!strstr(error.text, "set.txt:1:1: ") ||
        !strstr(text, "set.txt:2:1: ") || !strstr(text, "set.txt:3:1: "))
        fail_msg("%s and %s", error.text, text);
    free(text);
}

static void
a_set_holds_1048576_members_and_not_one_more(void **state)
{
    struct config_error error;
    char *text;
    size_t len;
    FILE *list = open_memstream(&text, &len);

    (void)state;
    for (int i = 0; i < 1048576; i++)
        fprintf(list, "%d.%d.test\n", i % 97, i);
    fclose(list);
    put("set.txt", text);
    const char *path = put("gw.yaml", "sets: {a: [\"file:set.txt\"]}\n");
    struct config *config = load(path, &error, NULL);
    if (!config)
        fail_msg("%s", error.text);
    assert_int_equal(config->sets[0].texts.count, 1048576);
    /* What a worker reads has it whole. */
    struct config *again = config_again(config, &error);
    if (!again)
        fail_msg("%s", error.text);
    assert_int_equal(again->sets[0].texts.count, 1048576);
    config_unref(again);
    config_unref(config);
    free(text);
    path = put("gw.yaml", "sets: {a: [\"file:set.txt\", b.test]}\n");
    assert_null(load(path, &error, NULL));
    if (!strstr(error.text, "at most 1048576, so use several sets"))
        fail_msg("%s", error.text);
}

static void
a_set_may_be_a_block_of_lines(void **state)
{
    static const struct {
        const char *text, *expected;
    } wrong[] = {
        {"sets:\n  a: |\n    10.0.0.0/8\n    10.0.0.1/8\n",
         "f:4:5: sets: 10.0.0.1/8 has bits set"},
        {"sets:\n  a: |\n\n      # none\n      x.test  *.y.test\n",
         "f:5:7: sets: \"x.test  *.y.test\" is more than one word"},
        {"sets:\n  a: 10.0.0.0/8\n", "f:2:6: sets: wants a list, even of one"},
    };
    struct config *list = parsed("sets: {b: [192.0.2.1], a: [10.0.0.0/8, b,"
                                 " .ads.test]}");
    struct config *block = parsed("sets:\n  b: [192.0.2.1]\n  a: |\n"
                                  "    # ours\n    10.0.0.0/8\n\n    b  # and"
                                  "\n    .ads.test\n");
    struct config_error error;

    (void)state;
    assert_null(config_differs(list, block));
    config_unref(list);
    config_unref(block);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_null(config_parse("f", wrong[i].text, strlen(wrong[i].text),
                                 &error, NULL));
        if (strncmp(error.text, wrong[i].expected, strlen(wrong[i].expected)) !=
            0)
            fail_msg("%s, not %s", error.text, wrong[i].expected);
    }
}

static void
listeners_of_the_command_line_replace_those_of_the_file(void **state)
{
    static const char *const at[] = {"127.0.0.1:1081", "[::1]:1081"};
    struct config_error error;
    struct config *config = parsed("{}");

    (void)state;
    assert_int_equal(config_set_listeners(config, at, 2, false, &error), 0);
    assert_int_equal(config->listener_count, 2);
    assert_string_equal(config->listeners[1].name, "listener-2");
    assert_int_equal(config->listeners[1].at.port, 1081);
    assert_int_equal(config->listeners[1].socks4a, CONFIG_4A_OFF);
    struct config *again = config_again(config, &error);
    assert_non_null(again);
    assert_null(config_differs(config, again));
    config_unref(again);
    config_unref(config);
}

static void
socks4a_of_the_command_line_is_for_the_default_and_its_own_listeners(
    void **state)
{
    static const char *const at[] = {"127.0.0.1:1081", "[::1]:1081"};
    struct config_error error;
    struct config *config = load(NULL, &error, NULL);

    (void)state;
    assert_non_null(config);
    assert_int_equal(config_set_listeners(config, NULL, 0, true, &error), 0);
    assert_int_equal(config->listeners[0].socks4a, CONFIG_4A_ON);
    config_unref(config);

    config = parsed("{}");
    assert_int_equal(config_set_listeners(config, at, 2, true, &error), 0);
    assert_int_equal(config->listeners[0].socks4a, CONFIG_4A_ON);
    assert_int_equal(config->listeners[1].socks4a, CONFIG_4A_ON);
    config_unref(config);
}

static void
listeners_of_the_command_line_are_held_to_the_same(void **state)
{
    static const struct {
        const char *at[2];
        size_t count;
        const char *expected;
    } cases[] = {
        {{"127.0.0.1"}, 1, "-l 127.0.0.1: not an address and port"},
        {{"127.0.0.1:0"}, 1, "-l 127.0.0.1:0: not an address and port"},
        {{"192.0.2.1:1080"}, 1, "-l 192.0.2.1:1080: not on loopback"},
        {{"[::]:1080"}, 1, "-l [::]:1080: not on loopback"},
        {{"127.0.0.1:1", "127.0.0.1:1"}, 2, "-l 127.0.0.1:1: given twice"},
    };
    struct config_error error;
    struct config *config = parsed("{}");

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(config_set_listeners(config, cases[i].at,
                                              cases[i].count, false, &error),
                         -1);
        assert_ptr_equal(strstr(error.text, cases[i].expected), error.text);
    }
    assert_int_equal(config_set_listeners(config, NULL, 0, true, &error), -1);
    assert_ptr_equal(strstr(error.text, "--socks4a: "), error.text);
    config_unref(config);

    config = parsed("rules: [{action: deny, from: [any], to: [any], "
                    "listener: [local]}]");
    assert_int_equal(
        config_set_listeners(config, cases[4].at, 1, false, &error), -1);
    assert_non_null(strstr(error.text, "rule \"rule-1\" names one"));
    config_unref(config);
}

/* "HEAD x, x, x TAIL" with `count` members. */
static char *
many(const char *head, const char *member, size_t count, const char *tail)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    fputs(head, to);
    for (size_t i = 0; i < count; i++)
        fprintf(to, member, (unsigned)i, (unsigned)i);
    fputs(tail, to);
    fclose(to);
    return text;
}

static void
too_many_of_anything_is_an_error(void **state)
{
    static const struct {
        const char *head, *member;
        size_t count;
        const char *tail, *expected;
    } cases[] = {
        {"sets: {", "s%u: [], ", 1025, "}", "sets: 1025 sets; at most 1024"},
        {"rules: [", "{}, ", 10001, "]", "rules: 10001 rules; at most 10000"},
        {"rules: [", "[[[],[],[],[],[],[],[],[],[],[]]], ", 90000, "]",
         "more than 1000000 values; put the members of large sets into"},
    };
    struct config_error error;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text =
            many(cases[i].head, cases[i].member, cases[i].count, cases[i].tail);
        assert_null(config_parse("f", text, strlen(text), &error, NULL));
        if (!strstr(error.text, cases[i].expected))
            fail_msg("%s", error.text);
        free(text);
    }
}

/* Sets in sets in rules: a small file may not have a large meaning. */
static void
the_ranges_of_all_sets_and_rules_are_bounded(void **state)
{
    struct config_error error;
    char *list = many("sets: {a: [", "\"::%x:0:%x\", ", 40000, "]}\nrules:\n");
    char *rules = many("", "- {action: deny, from: [a], to: [any]}\n", 120, "");
    char *text = malloc(strlen(list) + strlen(rules) + 1);

    (void)state;
    assert_non_null(text);
    strcat(strcpy(text, list), rules);
    assert_null(config_parse("f", text, strlen(text), &error, NULL));
    assert_non_null(strstr(error.text, "more than 4194304 ranges"));
    free(text);
    free(rules);
    free(list);
}

static void
a_snapshot_lives_as_long_as_its_last_reference(void **state)
{
    struct config *config = parsed("{}");

    (void)state;
    assert_ptr_equal(config_ref(config), config);
    config_unref(config);
    assert_string_equal(config->listeners[0].name, "local");
    config_unref(config);
    config_unref(NULL);
}

static void
computed_figures_hang_together(void **state)
{
    struct config *config = parsed("{workers: 2, limits: {memory: 24M}}");

    (void)state;
    assert_int_equal(config_workers(config), 2);
    assert_int_equal(config_memory(config), 24 << 20);
    assert_true(config_sessions(config) <= 1024);
    assert_true(config_sessions(config) <= 2 * config_budget(config).sessions);
    assert_int_equal(config_pending(config), config_sessions(config) / 4);
    assert_int_equal(config_source_sessions(config),
                     config_sessions(config) / 8);
    assert_int_equal(config_source_rate(config), CONFIG_SOURCE_RATE);
    config_unref(config);
    config = parsed("limits: {sessions: 7, pending: 3}");
    assert_true(config_workers(config) >= 1 && config_workers(config) <= 128);
    assert_int_equal(config_sessions(config), 7);
    assert_int_equal(config_pending(config), 3);
    assert_int_equal(config_source_sessions(config), 64);
    config_unref(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_what_and_how_to_put_it_right),
        cmocka_unit_test(refuses_octets_that_are_no_text),
        cmocka_unit_test(the_dump_of_a_good_file_means_the_same),
        cmocka_unit_test(what_a_file_leaves_out_is_as_the_table_says),
        cmocka_unit_test(off_no_and_false_are_one_word_and_so_are_the_others),
        cmocka_unit_test(a_file_without_rules_is_warned_about),
        cmocka_unit_test(names_that_no_request_can_carry_are_warned_about),
        cmocka_unit_test(what_is_odd_about_proxy_headers_is_warned_about),
        cmocka_unit_test(
            a_listener_without_rules_for_its_clients_is_warned_about),
        cmocka_unit_test(udp_without_effect_or_in_plain_text_is_warned_about),
        cmocka_unit_test(listeners_of_the_command_line_know_no_balancer),
        cmocka_unit_test(open_proxies_are_warned_about),
        cmocka_unit_test(rules_that_mean_nothing_or_too_much_are_warned_about),
        cmocka_unit_test(a_set_takes_networks_and_names_from_a_file),
        cmocka_unit_test(a_fault_in_a_set_s_file_is_named_where_it_stands),
        cmocka_unit_test(no_pipe_is_read_again),
        cmocka_unit_test(a_set_s_file_has_all_its_errors_reported),
        cmocka_unit_test(a_set_holds_1048576_members_and_not_one_more),
        cmocka_unit_test(a_set_may_be_a_block_of_lines),
        cmocka_unit_test(
            listeners_of_the_command_line_replace_those_of_the_file),
        cmocka_unit_test(
            socks4a_of_the_command_line_is_for_the_default_and_its_own_listeners),
        cmocka_unit_test(listeners_of_the_command_line_are_held_to_the_same),
        cmocka_unit_test(too_many_of_anything_is_an_error),
        cmocka_unit_test(the_ranges_of_all_sets_and_rules_are_bounded),
        cmocka_unit_test(a_snapshot_lives_as_long_as_its_last_reference),
        cmocka_unit_test(computed_figures_hang_together),
    };

    return cmocka_run_group_tests(tests, NULL, folder_remove);
}
