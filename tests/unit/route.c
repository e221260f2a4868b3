#include "tools/route/route_ask.h"

#include <arpa/inet.h>
#include <errno.h>

#include "tests/unit/unit.h"
#include "tools/route/password.h"

static const struct route_defaults me = {.userid = "me", .user = "joe"};
static const struct route_defaults nobody = {.userid = "", .user = ""};

static int
parse(struct route *route, const char *list)
{
    struct route_fault fault;

    return route_parse(route, list, &me, &fault);
}

static void
reads_a_gateway_in_every_form(void **state)
{
    static const struct {
        const char *text, *host, *user;
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
        {"socks5://gw", "gw", "joe", 1080},
        {"SOCKS5H://ann@[::1]:7/", "::1", "ann", 7},
        {"socks5://a%3ab@gw", "gw", "a:b", 1080},
    };
    struct route route;

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        assert_int_equal(parse(&route, forms[i].text), 0);
        assert_int_equal(route.count, 1);
        assert_string_equal(route.hops[0].host, forms[i].host);
        assert_string_equal(route.hops[0].user, forms[i].user);
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
    static const struct route_defaults all = {
        .userid = "", .user = "", .resolves = true};
    struct route_fault fault;
    struct route route;

    (void)state;
    assert_int_equal(parse(&route, "socks4a://gw,socks4://192.0.2.2"), 0);
    assert_true(route.hops[0].resolves && !route.hops[1].resolves);
    assert_false(route_resolves_names(&route));
    assert_int_equal(parse(&route, "192.0.2.2,Socks4A://joe@gw:7/"), 0);
    assert_true(route_resolves_names(&route));
    assert_string_equal(route.hops[1].user, "joe");
    assert_int_equal(route_parse(&route, "a,b", &all, &fault), 0);
    assert_true(route.hops[0].resolves && route.hops[1].resolves);
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
        {"http://gw:80", "http:// is not known: write socks4://, socks4a://,"},
        {"socks://gw", "socks:// is not known"},
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
    struct route_defaults much = {.userid = userid, .user = ""};
    char list[ROUTE_WORD_MAX + 8];
    struct route_fault fault;
    struct route route;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(route_parse(&route, wrong[i].list, &nobody, &fault),
                         -EINVAL);
        if (strstr(fault.text, wrong[i].says) == NULL)
            fail_msg("%s: %s", wrong[i].list, fault.text);
    }
    memset(userid, 'x', sizeof(userid));
    userid[ROUTE_USERID_MAX + 1] = '\0';
    assert_int_equal(route_parse(&route, "gw", &much, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "USERID is longer than 1023 octets"));
    snprintf(list, sizeof(list), "%s@gw", userid);
    assert_int_equal(route_parse(&route, list, &nobody, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "its USERID is longer than 1023"));
    userid[ROUTE_USERID_MAX] = '\0';
    assert_int_equal(route_parse(&route, "gw", &much, &fault), 0);
    memset(list, 'x', ROUTE_WORD_MAX);
    list[ROUTE_WORD_MAX] = '\0';
    assert_int_equal(route_parse(&route, list, &nobody, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "longer than 4095"));
}

/* No message has the password of who wrote one. */
static void
repeats_no_password(void **state)
{
    static const char *const wrong[] = {
        "socks5://joe:secret@gw", "socks5h://joe:secret@gw:0",
        "socks4://joe:secret@gw", "http://joe:secret@gw",
        "gw,socks5://:secret@gw", "socks5://joe:secret@[::1"};
    static const struct route_defaults v5 = {
        .userid = "", .user = "", .socks5 = true};
    struct route_fault fault;
    struct route route;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(route_parse(&route, wrong[i], &nobody, &fault),
                         -EINVAL);
        assert_null(strstr(fault.text, "secret"));
    }
    assert_int_equal(route_parse(&route, "joe:secret@gw", &v5, &fault),
                     -EINVAL);
    assert_non_null(strstr(fault.text, "--password-file"));
    assert_null(strstr(fault.text, "secret"));
}

static void
knows_the_version_of_each_gateway(void **state)
{
    static const struct route_defaults v5 = {
        .userid = "four", .user = "five", .socks5 = true};
    struct route_fault fault;
    struct route route;

    (void)state;
    assert_int_equal(route_parse(&route, "a,socks4://b,socks4a://c,socks5h://d",
                                 &v5, &fault),
                     0);
    assert_string_equal(route_scheme(&route.hops[0]), "socks5");
    assert_string_equal(route_scheme(&route.hops[1]), "socks4");
    assert_string_equal(route_scheme(&route.hops[2]), "socks4a");
    assert_string_equal(route_scheme(&route.hops[3]), "socks5h");
    assert_string_equal(route.hops[0].user, "five");
    assert_string_equal(route.hops[1].user, "four");
    assert_true(route_carries_ipv6(&route));
    assert_int_equal(parse(&route, "socks5://a,b"), 0);
    assert_false(route_carries_ipv6(&route));
}

/* A chain, whose gateways answer in turn on one side of a socket pair. */
static int
ask(const char *list, const struct route_dest *dest, const char *password,
    const void *says, size_t says_len, struct route_asked *asked,
    uint8_t heard[600], size_t *heard_len)
{
    struct route_defaults defaults = {
        .userid = "me", .user = "joe", .resolves = true};
    struct sockaddr_in first = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(0xc0000263)};
    struct socks4_dial dial = {.gateway = (struct sockaddr *)&first,
                               .gateway_len = sizeof(first),
                               .cancel = -1};
    struct route_fault fault;
    struct route route;
    int pair[2], result;
    ssize_t got;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(route_parse(&route, list, &defaults, &fault), 0);
    route.first_count = 1; /* nothing is dialled */
    for (size_t i = 1; i < route.count; i++)
        assert_int_equal(route_find(route.hops[i].host, &route.hops[i - 1],
                                    &route.addrs[i], &route.named[i], &fault),
                         0);
    assert_int_equal(write(pair[1], says, says_len), says_len);
    shutdown(pair[1], SHUT_WR);
    struct socks4_stream stream = route_socket_stream(&pair[0]);
    result = route_ask(&route, &stream, &dial, dest, password, asked);
    got = recv(pair[1], heard, 600, MSG_DONTWAIT);
    *heard_len = got > 0 ? (size_t)got : 0;
    close(pair[0]);
    close(pair[1]);
    return result;
}

/* [4A-3.1.1-1] Each gateway is asked for the next in its own version, under
   its own user. */
static void
asks_each_gateway_of_a_chain_in_its_version(void **state)
{
    static const char wanted[] = "\4\1\0\7\300\0\2\1me\0"
                                 "\5\1\0"
                                 "\5\1\0\3\12three.test\4\70"
                                 "\4\2\0\25\300\0\2\25you";
    static const char says[] = "\0\132\0\0\0\0\0\0"
                               "\5\0\5\0\0\1\0\0\0\0\0\0"
                               "\0\132\234\100\0\0\0\0";
    struct route_dest dest = {
        .command = SOCKS4_BIND, .port = 21, .addr = addr_v4(0xc0000215)};
    struct route_asked asked;
    uint8_t heard[600];
    size_t len;

    (void)state;
    assert_int_equal(
        ask("127.0.0.1,socks5h://@192.0.2.1:7,socks4://you@three.test", &dest,
            NULL, says, sizeof(says) - 1, &asked, heard, &len),
        0);
    assert_int_equal(len, sizeof(wanted));
    assert_memory_equal(heard, wanted, len);
    assert_int_equal(asked.hop, 2);
    assert_true(route_awaits_peer(&asked) && !asked.socks5);
    assert_true(addr_is_any(route_bound(&asked).addr)); /* known by name only */
    assert_int_equal(route_bound(&asked).port, 40000);
}

static void
gives_the_password_to_who_has_a_user_name_and_asks(void **state)
{
    static const char wanted[] = "\5\2\0\2\1\3joe\6secret"
                                 "\5\2\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"
                                 "\0\25";
    struct route_dest dest = {.command = SOCKS4_BIND, .port = 21};
    struct route_asked asked;
    uint8_t heard[600];
    size_t len;

    (void)state;
    assert_int_equal(addr_parse("2001:db8::1", &dest.addr), 0);
    assert_int_equal(ask("socks5://127.0.0.1", &dest, "secret",
                         "\5\2\1\0\5\0\0\1\0\0\0\0\234\100", 14, &asked, heard,
                         &len),
                     0);
    assert_int_equal(len, sizeof(wanted) - 1);
    assert_memory_equal(heard, wanted, len);
    /* A BIND whose reply has no address listens at the gateway. */
    assert_int_equal(addr_to_v4(route_bound(&asked).addr), 0xc0000263);
    assert_int_equal(ask("socks5://127.0.0.1", &dest, "secret", "\5\2\1\1", 4,
                         &asked, heard, &len),
                     -EACCES);
    assert_int_equal(route_error(&asked), SOCKS4_E_V5_DENIED);
    assert_int_equal(ask("socks5://@127.0.0.1", &dest, "secret", "\5\377", 2,
                         &asked, heard, &len),
                     -EACCES);
    assert_int_equal(len, 3); /* without a user name it offers none */
    assert_int_equal(ask("socks5://127.0.0.1", &dest, NULL,
                         "\5\0\5\133\0\1\0\0\0\0\0\0", 12, &asked, heard, &len),
                     91);
    assert_true(asked.socks5);
}

/* [4A-3.1.2-2] [4A-3.1.2-3] [4A-3.1.2-5] */
static void
sends_no_name_that_4a_cannot_carry(void **state)
{
    static const struct route_hop passes = {.resolves = true},
                                  six = {.socks5 = true};
    struct route_fault fault;
    char name[257];
    struct addr ip;
    bool named;

    (void)state;
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    assert_int_equal(route_find(name, &passes, &ip, &named, &fault), -EINVAL);
    name[255] = '\0';
    assert_int_equal(route_find(name, &passes, &ip, &named, &fault), 0);
    assert_true(named);
    assert_int_equal(route_find("b\374cher", &passes, &ip, &named, &fault),
                     -EINVAL);
    assert_non_null(strstr(fault.text, "xn--"));
    assert_int_equal(route_find("a b", &passes, &ip, &named, &fault), -EINVAL);
    assert_int_equal(route_find("::1", &passes, &ip, &named, &fault), -EINVAL);
    assert_int_equal(route_find("0.0.0.9", &passes, &ip, &named, &fault),
                     -EINVAL);
    assert_int_equal(route_find("0.0.0.0", &passes, &ip, &named, &fault), 0);
    assert_true(!named && addr_is_any(ip));
    assert_int_equal(route_find("::1", &six, &ip, &named, &fault), 0);
    assert_true(!named && addr_is_loopback(ip));
}

static void
reads_the_first_line_of_a_password_file(void **state)
{
    static const struct {
        const char *octets;
        size_t len;
        const char *password; /* NULL: none */
    } files[] = {
        {"secret", 6, "secret"},         {"secret\n", 7, "secret"},
        {"se cret\r\nx", 10, "se cret"}, {"", 0, NULL},
        {"\nsecret", 7, NULL},           {"\r\n", 2, NULL},
        {"se\0ret\n", 7, NULL},
    };
    char path[] = "/tmp/unit-route-XXXXXX", line[258];
    int fd = mkstemp(path);
    struct password password;
    struct route_fault fault;

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < COUNT(files); i++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, files[i].octets, files[i].len, 0),
                         files[i].len);
        if (files[i].password == NULL) {
            assert_int_equal(password_read(&password, path, &fault), -EINVAL);
            assert_null(strstr(fault.text, "secret"));
            continue;
        }
        assert_int_equal(password_read(&password, path, &fault), 0);
        assert_string_equal(password.text, files[i].password);
        password_wipe(&password);
        assert_string_equal(password.text, "");
    }
    memset(line, 'x', sizeof(line));
    assert_int_equal(pwrite(fd, line, 256, 0), 256);
    assert_int_equal(password_read(&password, path, &fault), -EINVAL);
    line[255] = '\n';
    assert_int_equal(pwrite(fd, line, 258, 0), 258);
    assert_int_equal(password_read(&password, path, &fault), 0);
    assert_int_equal(strlen(password.text), 255);
    unlink(path);
    close(fd);
    assert_int_equal(password_read(&password, path, &fault), -ENOENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_gateway_in_every_form),
        cmocka_unit_test(refuses_what_is_no_gateway),
        cmocka_unit_test(reads_who_resolves_names),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(repeats_no_password),
        cmocka_unit_test(knows_the_version_of_each_gateway),
        cmocka_unit_test(asks_each_gateway_of_a_chain_in_its_version),
        cmocka_unit_test(gives_the_password_to_who_has_a_user_name_and_asks),
        cmocka_unit_test(sends_no_name_that_4a_cannot_carry),
        cmocka_unit_test(reads_the_first_line_of_a_password_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
