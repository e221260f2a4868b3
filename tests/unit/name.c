/* What a DOMAIN is: a name for the resolver, an address, or nothing. */

#include "gateway/policy/name.h"

#include <arpa/inet.h>

#include "tests/unit/unit.h"

#define NO_ADDRESS 0x55555555u

static enum name_kind
kind_of(const char *domain)
{
    struct addr address;

    return name_read(domain, strlen(domain), &address);
}

static void
check_kinds(const char *const *domains, size_t count, enum name_kind expected)
{
    for (size_t i = 0; i < count; i++)
        if (kind_of(domains[i]) != expected)
            fail_msg("\"%s\" is %d", domains[i], kind_of(domains[i]));
}

static void
a_dotted_quad_is_the_address_it_spells(void **state)
{
    static const struct {
        const char *domain;
        uint32_t address;
    } cases[] = {
        {"127.0.0.1", 0x7f000001},
        {"0.0.0.0", 0},
        {"0.0.0.1", 1},
        {"255.255.255.255", 0xffffffff},
        {"192.0.2.10", 0xc000020a},
        {"10.100.99.9", 0x0a646309},
        {"224.0.0.1", 0xe0000001},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct addr address = addr_v4(NO_ADDRESS);
        assert_int_equal(
            name_read(cases[i].domain, strlen(cases[i].domain), &address),
            NAME_ADDRESS);
        assert_int_equal(addr_to_v4(address), cases[i].address);
    }
}

/* Whatever some library takes for 127.0.0.1 must not come to it as a name,
   where a rule on names may have allowed it. */
static void
no_other_spelling_of_loopback_is_a_name(void **state)
{
    static const char *const spellings[] = {
        /* fewer parts */
        "127.1",
        "127.0.1",
        "127.0.01",
        "127.1.",
        "127.0.1.",
        "127.0x1",
        "127.00000001",
        "127.0.0x1",
        "127.0x000001",
        "127.65537",
        "127.16777215",
        /* one number */
        "2130706433",
        "2130706433.",
        "02130706433",
        "0x7f000001",
        "0X7F000001",
        "0x7F000001.",
        "0x000000007f000001",
        "017700000001",
        "0017700000001",
        "4425673729",
        "+2130706433",
        "-2164260863",
        "0b1111111000000000000000000000001",
        /* octal and hexadecimal parts */
        "0177.0.0.1",
        "0177.1",
        "0177.0.1",
        "00177.0.0.1",
        "0177.00.00.01",
        "0x7f.0.0.1",
        "0x7f.1",
        "0x7f.0.1",
        "0X7f.0x0.0x0.0x1",
        "0x7f.0.0.0x1",
        "0x7f.0.0.01",
        "127.0.0.0x1",
        "127.0.0.0X1",
        "0177.0.0.0x1",
        "0x7F.0x00.0x00.0x01",
        "0x7f.0x000001",
        "0x07f.0.0.1",
        "0b1111111.0.0.1",
        "127.0.0.0b1",
        "127.0.0.0B1",
        /* nearly a dotted quad */
        "127.0.0.1.",
        "127.0.0.1..",
        "127.0.0.01",
        "127.0.0.001",
        "127.00.0.1",
        "0127.0.0.1",
        "127.000.000.001",
        "127.0.0.1.0",
        "127.0.0.0.1",
        "127..0.1",
        "127...1",
        ".127.0.0.1",
        "127.0.0.+1",
        "127.0.0.-1",
        "383.0.0.1",
        "127.0.0.257",
        "127.0.256.1",
        "127.0.0.4294967297",
        "127.0.0.0x",
        "0x.0.0.1",
        "localhost.1",
        "localhost.0x7f",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.1\t",
        "127.0.0.1\n",
        "127.0.0.1 localhost",
        "127.0.0.1\\",
        "127.0.0\\.1",
        "\\127.0.0.1",
        "127.0.0.\\049",
        /* IPv6 */
        "::1",
        "[::1]",
        "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1",
        "[::ffff:127.0.0.1]",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "::1%lo",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "[127.0.0.1]",
        "127.0.0.1:80",
        "localhost:80",
        "::",
        ":",
        /* other digits and dots */
        "127\xe3\x80\x82"
        "0\xe3\x80\x82"
        "0\xe3\x80\x82"
        "1",
        "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",
        "\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1",
        "127.0.0.1\xc2\xa0",
    };

    (void)state;
    assert_true(COUNT(spellings) >= 60);
    check_kinds(spellings, COUNT(spellings), NAME_BAD);
}

/* DOMAIN is opaque [4A-A.2.3-1, 4A-B.6-2]: no more is asked of a name than
   that nobody can take it for an address. */
static void
everything_else_is_left_to_the_resolver(void **state)
{
    static const char *const names[] = {"localhost",
                                        "example.org",
                                        "example.org.",
                                        "EXAMPLE.org",
                                        "a",
                                        "xn--bcher-kva.example",
                                        "_ldap._tcp.example.org",
                                        "under_score",
                                        "-",
                                        "-.-",
                                        "a..b",
                                        ".example.org",
                                        "..a",
                                        "1.example.org",
                                        "127.0.0.1.example.org",
                                        "127.0.0.1.xip",
                                        "0x7f.0.0.1.x",
                                        "0xg",
                                        "0x7fg",
                                        "0b2",
                                        "0b12",
                                        "0o17",
                                        "1e3",
                                        "12a",
                                        "a1",
                                        "1-2",
                                        "1_000",
                                        "0x7f.0.0.1-",
                                        "127.0.0.1a",
                                        "127.0.0.1/8",
                                        "127,0,0,1",
                                        "%31",
                                        "127.0.0.1%00",
                                        "x@127.0.0.1-",
                                        "*",
                                        "*.example.org",
                                        "~",
                                        "!",
                                        "example.org..",
                                        "127.0.0.1.in-addr.arpa",
                                        "x0",
                                        "x",
                                        "b0",
                                        "--1",
                                        "a_b.-"};

    (void)state;
    check_kinds(names, COUNT(names), NAME_HOST);
}

static void
blanks_controls_and_octets_beyond_ascii_make_no_name(void **state)
{
    (void)state;
    for (int octet = 0; octet < 256; octet++) {
        char domain[] = "exa?mple.org";
        struct addr address;
        bool bad = octet <= 0x20 || octet >= 0x7f || octet == '\\' ||
                   octet == ':' || octet == '[' || octet == ']';
        for (size_t at = 0; at < 4; at++) {
            memcpy(domain, "exa?mple.org", sizeof(domain));
            domain[at * 11 / 3] = (char)octet;
            enum name_kind expected = bad ? NAME_BAD : NAME_HOST;
            if (name_read(domain, 12, &address) != expected)
                fail_msg("octet %d at %zu", octet, at);
        }
    }
}

/* [4A-B.4-1] Four labels of 63 with their dots are 255: too long, but for
   the last two octets. */
static void
a_name_holds_253_octets_and_a_final_dot(void **state)
{
    char domain[256];
    struct addr address;

    (void)state;
    for (size_t i = 0; i < sizeof(domain); i++)
        domain[i] = i % 64 == 63 ? '.' : 'a';
    for (size_t len = 0; len < sizeof(domain); len++) {
        char last = domain[len - (len > 0)];
        enum name_kind expected = len == 0 || len > 253 ? NAME_BAD : NAME_HOST;
        assert_int_equal(name_read(domain, len, &address), expected);
        if (len == 0)
            continue;
        domain[len - 1] = '.';
        expected = len == 1 || len > 254 ? NAME_BAD : NAME_HOST;
        assert_int_equal(name_read(domain, len, &address), expected);
        domain[len - 1] = last;
    }
}

/* Not terminated: what follows is data for the application. */
static void
nothing_behind_its_length_is_read(void **state)
{
    struct addr address = addr_v4(NO_ADDRESS);

    (void)state;
    assert_int_equal(name_read("127.0.0.1.example", 9, &address), NAME_ADDRESS);
    assert_int_equal(addr_to_v4(address), 0x7f000001);
    assert_int_equal(name_read("127.0.0.1.example", 11, &address), NAME_HOST);
    assert_int_equal(name_read("127.0.0.19", 8, &address), NAME_BAD);
    assert_int_equal(name_read("a:1", 1, &address), NAME_HOST);
    assert_int_equal(name_read("127.0.0.1", 0, &address), NAME_BAD);
}

/* The judges are this machine's. */
static void
no_name_is_an_address_to_the_c_library(void **state)
{
    static const char octets[] = "0123456789abfxX.+-. ";
    struct random dice;
    size_t hosts = 0, addresses = 0;

    (void)state;
    random_init(&dice, 11);
    for (size_t i = 0; i < 300000; i++) {
        char domain[16] = "";
        struct in_addr four;
        struct in6_addr six;
        struct addr address;
        size_t len = 1 + random_below(&dice, sizeof(domain) - 1);
        for (size_t j = 0; j < len; j++)
            domain[j] =
                octets[random_below(&dice, i % 2 ? COUNT(octets) - 1 : 10)];
        if (i % 2 == 0)
            for (size_t j = 1; j < len; j += 2)
                domain[j] = random_below(&dice, 3) ? '.' : domain[j];
        bool taken = inet_aton(domain, &four) != 0 ||
                     inet_pton(AF_INET6, domain, &six) == 1;
        enum name_kind kind = name_read(domain, len, &address);
        if (taken && kind == NAME_HOST)
            fail_msg("\"%s\"", domain);
        assert_int_equal(kind == NAME_ADDRESS,
                         inet_pton(AF_INET, domain, &four) == 1);
        if (kind == NAME_ADDRESS)
            assert_int_equal(addr_to_v4(address), ntohl(four.s_addr));
        hosts += kind == NAME_HOST;
        addresses += kind == NAME_ADDRESS;
    }
    assert_true(hosts > 10000);
    assert_true(addresses > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dotted_quad_is_the_address_it_spells),
        cmocka_unit_test(no_other_spelling_of_loopback_is_a_name),
        cmocka_unit_test(everything_else_is_left_to_the_resolver),
        cmocka_unit_test(blanks_controls_and_octets_beyond_ascii_make_no_name),
        cmocka_unit_test(a_name_holds_253_octets_and_a_final_dot),
        cmocka_unit_test(nothing_behind_its_length_is_read),
        cmocka_unit_test(no_name_is_an_address_to_the_c_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
