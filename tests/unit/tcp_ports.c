/* The TCP ports of a worker, computed from its configuration. */
#include "gateway/tcp_ports.h"

#include "tests/unit/unit.h"

/* "all", or the ranges. */
static const char *
format(const struct ports *ports, char text[256])
{
    char *at = text;
    *at = '\0';
    if (ports->all)
        return "all";
    for (size_t i = 0; i < ports->count; i++)
        at += sprintf(at, "%s%d-%d", i > 0 ? " " : "", ports->ranges[i].first,
                      ports->ranges[i].last);
    return text;
}

static void
find(const char *text, struct confine_tcp *tcp)
{
    struct config_error error;
    struct config *config = config_parse("f", text, strlen(text), &error, NULL);
    if (config == NULL)
        fail_msg("%s: %s", text, error.text);
    tcp_ports_find(config, tcp);
    config_unref(config);
}

#define RULE "action: allow, from: [any], to: [any]"
#define DENY "action: deny, from: [any], to: [any]"

static const struct {
    const char *text, *bind, *connect;
} cases[] = {
    {"rules: [{" RULE ", port: [80, 443, 8000-8080]}]\n", "",
     "80-80 443-443 8000-8080"},
    {"rules: [{" RULE ", port: [80]}, {" RULE ", port: [81]}]\n", "",
     "80-81"},
    {"rules: [{" RULE ", port: [80]}, {" RULE "}]\n", "", "all"},
    /* a deny rule grants nothing, whichever ports it names */
    {"rules: [{" DENY ", port: [25]}, {" RULE ", port: [80]}, {" DENY "}]\n",
     "", "80-80"},
    /* of a BIND, `port` is that of the request: nothing is connected to */
    {"rules: [{" RULE ", command: [bind], port: [20]}]\n", "any", ""},
    {"rules: [{" RULE ", command: [bind, connect], port: [21]}]\n", "any",
     "21-21"},
    {"rules: []\n", "", ""},
    {"bind: {ports: 40000-40010}\nrules: [{" RULE ", port: [80]}]\n", "",
     "80-80"},
    {"bind: {ports: 40000-40010}\nrules: [{" RULE
     ", port: [80], command: [bind, connect]}]\n",
     "40000-40010", "80-80"},
    {"bind: {ports: 40000-40010}\nrules: [{" DENY ", command: [bind]}]\n", "",
     ""},
    /* from an address of its own, which is bound with port 0 */
    {"bind: {ports: 40000-40010}\negress: {address: 192.0.2.1}\n"
     "rules: [{" RULE ", port: [80]}]\n",
     "0-0", "80-80"},
    {"bind: {ports: 40000-40010}\nrules: [{" RULE
     ", port: [80], egress: 192.0.2.1}]\n",
     "0-0", "80-80"},
    {"bind: {ports: 40000-40010}\nrules: [{" RULE
     ", port: [80], ident: require}]\n",
     "0-0", "80-80 113-113"},
    {"bind: {ports: 40000-40010}\nrules: [{" RULE
     ", command: [bind], ident: log}]\n",
     "0-0 40000-40010", "113-113"},
    /* to the parents alone, whatever the rule's ports and commands */
    {"parents: [{name: a, address: [127.0.0.1:9, 127.0.0.1:11]}, {name: b, "
     "address: 127.0.0.1:13}, {name: c, address: 127.0.0.1:15}]\n"
     "rules: [{" RULE ", command: [bind], via: [a, b]}]\n",
     "", "9-9 11-11 13-13"},
    {"parents: [{name: a, address: 127.0.0.1:9}]\nrules: [{" RULE
     ", via: [a]}, {" RULE ", port: [80]}]\n",
     "", "9-9 80-80"},
    {"rules: [{" RULE ", port: [1-65535]}]\n", "", "all"},
};

/* "any": those of this machine, whatever they are. */
static const char *
expected(const char *bind)
{
    static char text[16];
    unsigned count;
    struct local_ports ports = local_ports_read("", &count);
    if (strcmp(bind, "any") != 0)
        return bind;
    snprintf(text, sizeof(text), "%d-%d", ports.first, ports.last);
    return text;
}

static void
are_those_that_the_configuration_names(void **state)
{
    char text[256];
    struct confine_tcp tcp;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        find(cases[i].text, &tcp);
        assert_string_equal(format(&tcp.bind, text), expected(cases[i].bind));
        assert_string_equal(format(&tcp.connect, text), cases[i].connect);
    }
}

static void
a_worker_can_serve_a_configuration_that_needs_no_more(void **state)
{
    static const char narrow[] = "bind: {ports: 40000-40010}\n"
                                 "rules: [{" RULE ", command: [bind]}]\n";
    static const char wide[] = "bind: {ports: 40000-40020}\n"
                               "rules: [{" RULE ", port: [80-81]}, "
                               "{" RULE ", command: [bind]}]\n";
    struct confine_tcp now, next;
    (void)state;
    find(wide, &now);
    find(narrow, &next);
    assert_true(tcp_ports_cover(&now, &now));
    assert_true(tcp_ports_cover(&now, &next));
    assert_false(tcp_ports_cover(&next, &now));
    next.connect = now.connect;
    assert_false(tcp_ports_cover(&next, &now)); /* for a BIND */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_those_that_the_configuration_names),
        cmocka_unit_test(a_worker_can_serve_a_configuration_that_needs_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
