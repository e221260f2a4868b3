#include "base/addr.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>

/* One text for each address it stands for, and what it is written as. */
static const struct spelling {
    const char *text;
    struct addr addr;
    const char *written; /* NULL: as text */
} spellings[] = {
    {"0.0.0.0", {0, 0xffff00000000}, NULL},
    {"127.0.0.1", {0, 0xffff7f000001}, NULL},
    {"192.0.2.255", {0, 0xffffc00002ff}, NULL},
    {"255.255.255.255", {0, 0xffffffffffff}, NULL},
    {"::", {0, 0}, NULL},
    {"::1", {0, 1}, NULL},
    {"2001:db8::5", {0x20010db800000000, 5}, NULL},
    {"2001:0DB8:0:0:0:0:0:5", {0x20010db800000000, 5}, "2001:db8::5"},
    {"fe80::1:2:3:4", {0xfe80000000000000, 0x0001000200030004}, NULL},
    {"64:ff9b::192.0.2.1",
     {0x0064ff9b00000000, 0xc0000201},
     "64:ff9b::c000:201"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", {UINT64_MAX, UINT64_MAX}, NULL},
    {"::ffff:192.0.2.1", {0, 0xffffc0000201}, "192.0.2.1"},
    {"::ffff:c000:201", {0, 0xffffc0000201}, "192.0.2.1"},
};

static const char *const no_addresses[] = {
    "",          " 1.2.3.4",    "1.2.3.4 ",    "1.2.3",     "127.1",
    "1.2.3.4.5", "256.1.1.1",   "01.2.3.4",    "1.2.3.004", "0x7f.0.0.1",
    "1.2.3.",    "-1.2.3.4",    "2130706433",  "localhost", ":",
    ":::",       "::1::",       "1:2:3:4:5:6", "fe80::1%1", "[::1]",
    "12345::",   "::1.2.3.256", "::1.2.3",     "1.2.3.4/8", "\xff",
};

static void
reads_every_spelling_of_an_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(spellings); i++) {
        struct addr addr;

        assert_int_equal(addr_parse(spellings[i].text, &addr), 0);
        if (!addr_equal(addr, spellings[i].addr))
            fail_msg("%s", spellings[i].text);
    }
}

static void
writes_each_address_in_one_way(void **state)
{
    char text[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(spellings); i++) {
        const char *written = spellings[i].written;

        assert_ptr_equal(addr_format(spellings[i].addr, text), text);
        assert_string_equal(text, written ? written : spellings[i].text);
    }
}

static void
reads_nothing_else_as_an_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(no_addresses); i++) {
        struct addr addr;

        if (addr_parse(no_addresses[i], &addr) != -EINVAL)
            fail_msg("\"%s\"", no_addresses[i]);
    }
}

/* A mapped address is the IPv4 address it stands for. */
static void
holds_ipv4_as_a_mapped_address(void **state)
{
    struct addr addr;

    (void)state;
    assert_int_equal(addr_parse("::ffff:10.1.2.3", &addr), 0);
    assert_true(addr_is_v4(addr));
    assert_int_equal(addr_to_v4(addr), 0x0a010203);
    assert_true(addr_equal(addr, addr_v4(0x0a010203)));
    assert_int_equal(addr_parse("::10.1.2.3", &addr), 0);
    assert_false(addr_is_v4(addr));
    assert_int_equal(addr_parse("1::ffff:10.1.2.3", &addr), 0);
    assert_false(addr_is_v4(addr));
}

static void
orders_addresses_by_number(void **state)
{
    static const struct addr ascending[] = {
        {0, 0}, {0, 1},          {0, 0xffff7f000001},      {0, UINT64_MAX},
        {1, 0}, {UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX},
    };

    (void)state;
    for (size_t a = 0; a < COUNT(ascending); a++) {
        for (size_t b = 0; b < COUNT(ascending); b++) {
            int sign = (a > b) - (a < b);

            assert_int_equal(addr_cmp(ascending[a], ascending[b]), sign);
            assert_int_equal(addr_equal(ascending[a], ascending[b]), a == b);
        }
    }
}

/* Of any shape: with runs of zeros, mapped, random. */
static struct addr
any_addr(struct random *random)
{
    struct addr addr = {random_next(random), random_next(random)};

    for (int shift = 0; shift < 64; shift += 16) {
        if (random_below(random, 2) == 0)
            addr.hi &= ~(UINT64_C(0xffff) << shift);
        if (random_below(random, 2) == 0)
            addr.lo &= ~(UINT64_C(0xffff) << shift);
    }
    if (random_below(random, 3) == 0)
        addr = addr_v4((uint32_t)addr.lo);
    return addr;
}

static void
reads_back_what_it_has_written(void **state)
{
    struct random random;
    char text[ENDPOINT_TEXT_MAX];

    (void)state;
    random_init(&random, 6);
    for (unsigned i = 0; i < 20000; i++) {
        struct endpoint in = {any_addr(&random),
                              (uint16_t)random_next(&random)};
        struct endpoint out;
        struct addr addr;

        assert_int_equal(addr_parse(addr_format(in.addr, text), &addr), 0);
        assert_true(addr_equal(addr, in.addr));
        assert_int_equal(endpoint_parse(endpoint_format(&in, text), &out), 0);
        assert_true(addr_equal(out.addr, in.addr));
        assert_int_equal(out.port, in.port);
    }
}

static void
takes_the_longest_texts(void **state)
{
    static const char longest[] = "[ffff:ffff:ffff:ffff:ffff:ffff:"
                                  "255.255.255.255]:65535";
    struct endpoint endpoint = {{UINT64_MAX, UINT64_MAX}, 65535};
    char text[ENDPOINT_TEXT_MAX];

    (void)state;
    endpoint_format(&endpoint, text);
    assert_true(strlen(text) < ENDPOINT_TEXT_MAX);
    assert_true(sizeof longest <= ENDPOINT_TEXT_MAX);
    assert_int_equal(endpoint_parse(longest, &endpoint), 0);
    assert_true(endpoint.addr.hi == UINT64_MAX);
}

static const struct cidr {
    const char *text;
    int rc;
    const char *first;
    const char *last;
} cidrs[] = {
    {"10.0.0.0/8", 0, "10.0.0.0", "10.255.255.255"},
    {"192.0.2.1", 0, "192.0.2.1", "192.0.2.1"},
    {"192.0.2.1/32", 0, "192.0.2.1", "192.0.2.1"},
    {"192.0.2.0/31", 0, "192.0.2.0", "192.0.2.1"},
    {"0.0.0.0/0", 0, "0.0.0.0", "255.255.255.255"},
    {"128.0.0.0/1", 0, "128.0.0.0", "255.255.255.255"},
    {"::1", 0, "::1", "::1"},
    {"fe80::/10", 0, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"2001:db8::/64", 0, "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"},
    {"2001:db8::/65", 0, "2001:db8::", "2001:db8::7fff:ffff:ffff:ffff"},
    {"::/0", 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"::1/128", 0, "::1", "::1"},
    {"::ffff:10.0.0.0/104", 0, "10.0.0.0", "10.255.255.255"},
    {"10.0.0.1/8", -EDOM, "10.0.0.0", "10.255.255.255"},
    {"0.0.0.1/0", -EDOM, "0.0.0.0", "255.255.255.255"},
    {"2001:db8::1/64", -EDOM, "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"},
};

static const char *const no_cidrs[] = {
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "::/129",
    "::/-1",
    "10.0.0.0/ 8",
    "10.0.0.0/8 ",
    "10/8",
    "10.0.0/8",
    "10.0.0.0/8/8",
    "any",
    "10.0.0.0/0x8",
    "10.0.0.0/4294967304",
};

static void
reads_a_cidr_as_its_first_and_last_address(void **state)
{
    char text[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cidrs); i++) {
        struct addr first, last;

        if (addr_parse_cidr(cidrs[i].text, &first, &last) != cidrs[i].rc)
            fail_msg("%s", cidrs[i].text);
        assert_string_equal(addr_format(first, text), cidrs[i].first);
        assert_string_equal(addr_format(last, text), cidrs[i].last);
    }
}

static void
reads_nothing_else_as_a_cidr(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(no_cidrs); i++) {
        struct addr first, last;

        if (addr_parse_cidr(no_cidrs[i], &first, &last) != -EINVAL)
            fail_msg("\"%s\"", no_cidrs[i]);
    }
}

static const char *const no_endpoints[] = {
    "",          ":80",          "1.2.3.4",     "1.2.3.4:",    "1.2.3.4:65536",
    "::1:80",    "[::1]",        "[::1]:",      "[::1:80",     "::1]:80",
    "[]:80",     "[1.2.3.4]:80", "1.2.3.4:080", "1.2.3.4:+80", "1.2.3.4: 80",
    "[::1]80",   "host:80",      "[",           "[:80",        "]:80",
    "[::1]x:80",
};

static void
reads_nothing_else_as_an_endpoint(void **state)
{
    struct endpoint endpoint;

    (void)state;
    assert_int_equal(endpoint_parse("1.2.3.4:0", &endpoint), 0);
    assert_int_equal(endpoint_parse("[::1]:1080", &endpoint), 0);
    assert_int_equal(endpoint.port, 1080);
    for (size_t i = 0; i < COUNT(no_endpoints); i++)
        if (endpoint_parse(no_endpoints[i], &endpoint) != -EINVAL)
            fail_msg("\"%s\"", no_endpoints[i]);
}

static void
speaks_to_the_kernel_in_the_family_of_the_address(void **state)
{
    struct endpoint v4 = {addr_v4(0xc0000201), 1080};
    struct endpoint v6 = {{0x20010db800000000, 5}, 80};
    struct sockaddr_storage sa;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&sa;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&sa;

    (void)state;
    assert_int_equal(endpoint_to_sockaddr(&v4, &sa), sizeof *in);
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 1080);
    assert_int_equal(ntohl(in->sin_addr.s_addr), 0xc0000201);
    assert_int_equal(endpoint_to_sockaddr(&v6, &sa), sizeof *in6);
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6->sin6_port), 80);
    assert_int_equal(in6->sin6_addr.s6_addr[3], 0xb8);
    assert_int_equal(in6->sin6_addr.s6_addr[15], 5);
}

static void
comes_back_from_the_kernel_as_it_was(void **state)
{
    struct random random;
    struct sockaddr_storage sa;

    (void)state;
    random_init(&random, 7);
    for (unsigned i = 0; i < 1000; i++) {
        struct endpoint in = {any_addr(&random),
                              (uint16_t)random_next(&random)};
        struct endpoint out;

        endpoint_to_sockaddr(&in, &sa);
        endpoint_from_sockaddr(&out, &sa);
        assert_true(addr_equal(out.addr, in.addr));
        assert_int_equal(out.port, in.port);
    }
}

/* What an IPv6 socket would say of a client that came over IPv4. */
static void
takes_a_mapped_address_of_the_kernel_for_ipv4(void **state)
{
    struct sockaddr_storage sa = {.ss_family = AF_INET6};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
    struct endpoint endpoint;

    (void)state;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &in6->sin6_addr),
                     1);
    endpoint_from_sockaddr(&endpoint, &sa);
    assert_true(addr_is_v4(endpoint.addr));
    assert_int_equal(addr_to_v4(endpoint.addr), 0x0a000001);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_spelling_of_an_address),
        cmocka_unit_test(writes_each_address_in_one_way),
        cmocka_unit_test(reads_nothing_else_as_an_address),
        cmocka_unit_test(holds_ipv4_as_a_mapped_address),
        cmocka_unit_test(orders_addresses_by_number),
        cmocka_unit_test(reads_back_what_it_has_written),
        cmocka_unit_test(takes_the_longest_texts),
        cmocka_unit_test(reads_a_cidr_as_its_first_and_last_address),
        cmocka_unit_test(reads_nothing_else_as_a_cidr),
        cmocka_unit_test(reads_nothing_else_as_an_endpoint),
        cmocka_unit_test(speaks_to_the_kernel_in_the_family_of_the_address),
        cmocka_unit_test(comes_back_from_the_kernel_as_it_was),
        cmocka_unit_test(takes_a_mapped_address_of_the_kernel_for_ipv4),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
