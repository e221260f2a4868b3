#include "tools/route/route.h"

#include <arpa/inet.h>
#include <errno.h>

#include "tests/unit/unit.h"

static int
parse(struct route *route, const char *list)
{
    struct route_fault fault;

    return route_parse(route, list, "me", false, &fault);
}

static void
reads_a_gateway_in_every_form(void **state)
{
    static const struct {
        const char *text, *host, *userid;
        uint16_t port;
    } forms[] = {
        {"gw", "gw", "me", 1080},
        {"gw.example:9", "gw.example", "me", 9},
        {"192.0.2.1", "192.0.2.1", "me", 1080},
        {"192.0.2.1:65535", "192.0.2.1", "me", 65535},
        {"[2001:db8::1]", "2001:db8::1", "me", 1080},
        {"[2001:db8::1]:1", "2001:db8::1", "me", 1},
        {"joe@gw", "gw", "joe", 1080},
        {"@gw", "gw", "", 1080},
        {"joe@home@[::1]:7", "::1", "joe@home", 7},
        {"a:b@gw", "gw", "a:b", 1080},
        {"socks4://gw", "gw", "me", 1080},
        {"SOCKS4://joe@gw.example:9/", "gw.example", "joe", 9},
        {"socks4://@gw", "gw", "", 1080},
        {"socks4://joe%40home@[::1]:7", "::1", "joe@home", 7},
        {"socks4://%2c%2C@192.0.2.1", "192.0.2.1", ",,", 1080},
    };
    struct route route;

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        assert_int_equal(parse(&route, forms[i].text), 0);
        assert_int_equal(route.count, 1);
        assert_string_equal(route.hops[0].host, forms[i].host);
        assert_string_equal(route.hops[0].userid, forms[i].userid);
        assert_int_equal(route.hops[0].port, forms[i].port);
    }
}

static void
refuses_what_is_no_gateway(void **state)
{
    static const char *const wrong[] = {
        "",
        ":1080",
        "gw:",
        "gw:0",
        "gw:65536",
        "gw:1:2",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[]",
        "gw,",
        ",gw",
        "a,,b",
        "gw:+1",
        "gw: 80",
        "joe@",
        "gw:080",
        "::1",
        "a,b,c,d,e,f,g,h,i",
    };
    char list[600];
    struct route route;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(parse(&route, wrong[i]), -EINVAL);
    memset(list, 'x', 256);
    list[256] = '\0';
    assert_int_equal(parse(&route, list), -EINVAL);
    list[255] = '\0';
    assert_int_equal(parse(&route, list), 0);
}

/* [4A-3.1.1-1] socks4a:// lets that gateway resolve, -a all of them. */
static void
reads_who_resolves_names(void **state)
{
    struct route_fault fault;
    struct route route;

    (void)state;
    assert_int_equal(parse(&route, "socks4a://gw,socks4://192.0.2.2"), 0);
    assert_true(route.hops[0].socks4a && !route.hops[1].socks4a);
    assert_false(route_resolves_names(&route));
    assert_int_equal(parse(&route, "192.0.2.2,Socks4A://joe@gw:7/"), 0);
    assert_true(route_resolves_names(&route));
    assert_string_equal(route.hops[1].userid, "joe");
    assert_int_equal(route_parse(&route, "a,b", "", true, &fault), 0);
    assert_true(route.hops[0].socks4a && route.hops[1].socks4a);
    /* Only the gateway before it may be asked for a name. */
    assert_int_equal(
        parse(&route, "socks4a://127.0.0.1,socks4://a.test,192.0.2.3"), 0);
    assert_int_equal(route_resolve(&route, &fault), 0);
    assert_true(route.named[1] && !route.named[2]);
}

static void
says_what_is_wrong(void **state)
{
    static const struct {
        const char *list, *says;
    } wrong[] = {
        {"gw:99999", "gateway \"gw:99999\": port \"99999\" is not 1 to 65535"},
        {"a,gw:x", "gateway \"gw:x\": port \"x\""},
        {"2001:db8::1", "brackets"},
        {"[::1", "not closed"},
        {"[gw]", "\"gw\" is not an IPv6 address"},
        {"[::1]1080", ":PORT"},
        {"joe@", "the host is missing"},
        {"a,,b", "the host is missing"},
        {"socks5://gw", "socks5:// is not SOCKS 4: write socks4:// or"},
        {"http://gw:80", "http:// is not SOCKS 4"},
        {"socks4://gw/path", "an octet that no host has"},
        {"socks4://joe:secret@gw", "SOCKS 4 has no password"},
        {"socks4://%00@gw", "two hexadecimal digits"},
        {"socks4://%4@gw", "two hexadecimal digits"},
        {"socks4://%4x@gw", "two hexadecimal digits"},
        {"socks4://", "the host is missing"},
        {"socks4://gw:0/", "port \"0\""},
        {"a,b,c,d,e,f,g,h,i", "at most 8 gateways"},
    };
    char userid[ROUTE_USERID_MAX + 2];
    char list[ROUTE_WORD_MAX + 8];
    struct route_fault fault;
    struct route route;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(route_parse(&route, wrong[i].list, "", false, &fault),
                         -EINVAL);
        if (strstr(fault.text, wrong[i].says) == NULL)
            fail_msg("%s: %s", wrong[i].list, fault.text);
    }
    memset(userid, 'x', sizeof(userid));
    userid[ROUTE_USERID_MAX + 1] = '\0';
    assert_int_equal(route_parse(&route, "gw", userid, false, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "USERID is longer than 1023 octets"));
    snprintf(list, sizeof(list), "%s@gw", userid);
    assert_int_equal(route_parse(&route, list, "", false, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "its USERID is longer than 1023"));
    userid[ROUTE_USERID_MAX] = '\0';
    assert_int_equal(route_parse(&route, "gw", userid, false, &fault), 0);
    memset(list, 'x', ROUTE_WORD_MAX);
    list[ROUTE_WORD_MAX] = '\0';
    assert_int_equal(route_parse(&route, list, "", false, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "longer than 4095"));
}

/* [4A-3.1.1-1] Each gateway is asked for the next, under its own USERID. */
static void
makes_a_request_for_each_gateway_of_a_chain(void **state)
{
    const struct socks4_request last = {
        .command = SOCKS4_BIND, .dstport = 21, .dstip = 0xc0000215};
    struct socks4_request requests[ROUTE_HOPS_MAX];
    struct route_fault fault;
    struct route route;

    (void)state;
    assert_int_equal(route_parse(&route, "127.0.0.1,you@192.0.2.1:7,three.test",
                                 "me", true, &fault),
                     0);
    assert_int_equal(route_resolve(&route, &fault), 0);
    assert_int_equal(route_requests(&route, &last, requests), 3);
    assert_int_equal(requests[0].command, SOCKS4_CONNECT);
    assert_int_equal(requests[0].dstip, 0xc0000201);
    assert_int_equal(requests[0].dstport, 7);
    assert_null(requests[0].domain);
    assert_string_equal(requests[0].userid, "me");
    assert_int_equal(requests[1].dstip, 1);
    assert_int_equal(requests[1].dstport, 1080);
    assert_memory_equal(requests[1].domain, "three.test", 10);
    assert_int_equal(requests[1].domain_len, 10);
    assert_string_equal(requests[1].userid, "you");
    assert_int_equal(requests[2].command, SOCKS4_BIND);
    assert_int_equal(requests[2].dstip, 0xc0000215);
    assert_string_equal(requests[2].userid, "me");
}

/* [4A-3.1.2-2] [4A-3.1.2-3] [4A-3.1.2-5] */
static void
sends_no_name_that_4a_cannot_carry(void **state)
{
    struct route_fault fault;
    char name[257];
    uint32_t ip;
    bool named;

    (void)state;
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    assert_int_equal(route_find(name, true, &ip, &named, &fault), -EINVAL);
    name[255] = '\0';
    assert_int_equal(route_find(name, true, &ip, &named, &fault), 0);
    assert_true(named && ip == 1);
    assert_int_equal(route_find("b\374cher", true, &ip, &named, &fault),
                     -EINVAL);
    assert_non_null(strstr(fault.text, "xn--"));
    assert_int_equal(route_find("a b", true, &ip, &named, &fault), -EINVAL);
    assert_int_equal(route_find("::1", true, &ip, &named, &fault), -EINVAL);
    assert_int_equal(route_find("0.0.0.9", true, &ip, &named, &fault), -EINVAL);
    assert_int_equal(route_find("0.0.0.0", true, &ip, &named, &fault), 0);
    assert_true(!named && ip == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_gateway_in_every_form),
        cmocka_unit_test(refuses_what_is_no_gateway),
        cmocka_unit_test(reads_who_resolves_names),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(makes_a_request_for_each_gateway_of_a_chain),
        cmocka_unit_test(sends_no_name_that_4a_cannot_carry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
