/* Random configurations, every key of the option table among them: the dump
   of each means the same. */

#include "gateway/config/rule_terms.h"
#include "gateway/config/section.h"
#include "gateway/config/sets.h"
#include "gateway/config/value.h"
#include "gateway/config/way_out.h"
#include "tests/unit/config_equal.h"
#include "tests/unit/unit.h"

#define CONFIGS 3000

static struct random dice;

static bool
chance(unsigned percent)
{
    return random_below(&dice, 100) < percent;
}

/* A value the row takes today, other than its default where there is one. */
static const char *
figure_draw(const struct option *option, char text[32])
{
    uint64_t span = option->max - option->min;
    uint64_t value = option->min + random_below(&dice, span + 1);

    if (chance(20))
        value = chance(50) ? option->min : option->max;
    snprintf(text, 32, "%llu%s", (unsigned long long)value,
             option->type == &type_duration ? "ms" : "");
    return text;
}

static const char *
word_draw(const char *const *words, size_t count)
{
    return words[random_below(&dice, count)];
}

#define DRAW(...)                                                              \
    word_draw((const char *const[]){__VA_ARGS__},                              \
              COUNT(((const char *const[]){__VA_ARGS__})))

static const char *
choice_draw(const struct option *option)
{
    size_t count = 0;

    while (option->choices[count])
        count++;
    return option->choices[random_below(&dice, count)];
}

/* Of a rule: its action stands in the table before ident and send_proxy, which
   a deny rule must not have. */
static const char *action;
/* A listener has a balancer, and so no rule asks identd. */
static bool balanced;

static const char *
value_draw(const struct option *option, char text[32])
{
    const struct option_type *type = option->type;

    if (strncmp(option->path, "rules[].timeouts.", 17) == 0 &&
        (strcmp(action, "deny") == 0 || chance(30)))
        return "auto";
    if (type->show)
        return figure_draw(option, text);
    if (type == &type_choice) {
        bool ident = strcmp(option->path, "rules[].ident") == 0;
        bool proxy = strcmp(option->path, "rules[].send_proxy") == 0;
        if (((ident || proxy) && strcmp(action, "deny") == 0) ||
            (ident && balanced))
            return "off";
        return choice_draw(option);
    }
    if (type == &type_action)
        return action = choice_draw(option);
    if (type == &type_bool)
        return DRAW("on", "off");
    if (type == &type_user)
        return DRAW("auto", "nobody", "\"x y\"");
    if (type == &type_source)
        return DRAW("auto", "192.0.2.1", "255.255.255.255");
    if (type == &type_target)
        return DRAW("stderr", "syslog", "\"file:/a b\\u2028 c\\\"\"");
    if (type == &type_to && chance(40))
        return DRAW("[.x-y.example]", "[any, A_b.EXAMPLE., \".9.x\"]");
    if (type == &type_networks)
        return DRAW("[]", "[a, 10.0.0.0/9]", "[any, \"::1\"]");
    if (type == &type_to || type == &type_from)
        return DRAW("[any]", "[a, 10.0.0.0/9]", "[b, \"::/1\", 1.2.3.4]",
                    "[public, 0.0.0.0/0, \"::ffff:1.2.3.4\"]");
    if (type == &type_rule_listeners)
        return DRAW("[]", "[\"2\", listener-1]", "[\"2\"]");
    if (type == &type_commands)
        return DRAW("[connect]", "[bind]", "[bind, connect, bind]");
    if (type == &type_versions)
        return DRAW("[]", "[4]", "[5, 4a]", "[4a, 4, 5]");
    if (type == &type_rule_ports)
        return DRAW("[]", "[0]", "[1-1, 5-65535]", "[443, 80]");
    if (type == &type_userids)
        return DRAW("[]", "[\"\"]", "[\"*\", \"**\"]",
                    "[\"\\x07\\U0010FFFF*\", 'a\"b\\']");
    if (type == &type_rule_via && strcmp(action, "allow") == 0)
        return DRAW("[]", "[p]", "[\"q 1\", p]");
    if (type == &type_rule_egress && strcmp(action, "allow") == 0)
        return DRAW("auto", "192.0.2.1", "[192.0.2.1, 192.0.2.2]");
    if (type == &type_peer)
        return DRAW("exact", "any", "[b, loopback]");
    return option->fallback;
}

/* Rows of a section, some left out; the required ones always there. */
static void
section_write(FILE *to, const char *prefix, const char *indent)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        char text[32], below[64];
        if (!option_within(option, prefix) || option->type == &type_name ||
            (option->fallback && chance(30)))
            continue;
        if (option->type == &type_section_or_off && chance(50)) {
            fprintf(to, "%s%s: off%s", indent, option_key(option),
                    *indent == '\n' ? "" : ", ");
        } else if (option->type == &type_section ||
                   option->type == &type_section_or_off) {
            snprintf(below, sizeof(below), "%s.", option->path);
            fprintf(to, "%s%s: {", indent, option_key(option));
            section_write(to, below, "");
            fprintf(to, "}%s", *indent == '\n' ? "" : ", ");
        } else if (!option->type->nested && option->type != &type_endpoint) {
            fprintf(to, "%s%s: %s%s", indent, option_key(option),
                    value_draw(option, text), *indent == '\n' ? "" : ", ");
        }
    }
}

static char *
text_make(size_t *len)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, len);
    size_t rules = random_below(&dice, 6);

    balanced = chance(30);
    fprintf(to,
            "listen:\n  - {address: 127.0.0.1:%u, %s}\n"
            "  - {address: \"[::]:1\", name: \"2\", %s, %s}\nsets: {a: [b, "
            "10.0.0.0/8], b: [%s]}\n"
            "parents: [{name: p, address: 127.0.0.9:1, names: %s, retry: %s, %s},"
            " {name: q 1, address: [a.b:65535, \"[::9]:1\"], userid: %s,"
            " protocol: %s, insecure_plaintext: on}]",
            1 + (unsigned)random_below(&dice, 65535),
            DRAW("socks4a: no", "socks4a: true, socks5: yes", "socks4a: only",
                 "socks5: only"),
            DRAW("insecure_plaintext: yes, tls: off",
                 "tls: {certificate: a, key: b}",
                 "tls: {certificate: \"a b\", key: /b, tickets: 3, "
                 "min_version: 1.2}",
                 "tls: {certificate: \" \", key: b, client: request, ca: c, "
                 "crl: none, user: certificate}",
                 "tls: {certificate: none, key: b, client: require, ca: "
                 "\"c\\\"d\", crl: e, min_version: \"1.3\"}"),
            balanced ? DRAW("proxy_protocol: [a, \"::1\"]",
                            "proxy_protocol: [any], proxy_certificate: on")
                     : DRAW("proxy_protocol: []", "proxy_certificate: off"),
            DRAW("any", "private, 127.0.0.0/9", "\"::1\""),
            DRAW("pass", "resolve"), DRAW("unreachable", "refused"),
            DRAW("tls: off", "tls: {}", "tls: {name: a.b, ca: \"c d\"}",
                 "tls: {certificate: a, key: b}"),
            DRAW("pass", "\"\"", "\"x\\\"\\U0010FFFF\""),
            DRAW("same", "socks4", "socks4a"));
    section_write(to, "", "\n");
    fputs(rules ? "\nrules:\n" : "\n", to);
    for (size_t i = 0; i < rules; i++) {
        fputs("  - {", to);
        section_write(to, "rules[].", "");
        fprintf(to, "%s}\n", chance(30) ? DRAW("name: x", "name: 'y z'") : "");
        if (chance(50))
            break;
    }
    fclose(to);
    return text;
}

static void
the_dump_of_any_configuration_means_the_same(void **state)
{
    struct config_error error;
    size_t rules = 0;

    (void)state;
    random_init(&dice, 7);
    for (size_t i = 0; i < CONFIGS; i++) {
        size_t len;
        char *text = text_make(&len);
        struct config *config = config_parse("f", text, len, &error, NULL);
        /* Two rules may have drawn one name; nothing else is wrong. */
        if (!config && !strstr(error.text, "duplicate rule"))
            fail_msg("%s in\n%s", error.text, text);
        struct config *again = config ? config_again(config, &error) : NULL;
        if (config && !again)
            fail_msg("%s in the dump of\n%s", error.text, text);
        const char *field = config ? config_differs(config, again) : NULL;
        if (field)
            fail_msg("%s in the dump of\n%s", field, text);
        rules += config ? config->policy.rule_count : 0;
        config_unref(again);
        config_unref(config);
        free(text);
    }
    assert_true(rules > CONFIGS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dump_of_any_configuration_means_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
