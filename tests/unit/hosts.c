#include "gateway/resolver/hosts.h"

#include <errno.h>

#include "tests/unit/unit.h"

static struct hosts hosts;

static void
parse_octets(const char *text, size_t len)
{
    char *made = malloc(len + 1);

    assert_non_null(made);
    memcpy(made, text, len);
    assert_int_equal(hosts_parse(&hosts, made, len), 0);
}

static void
parse(const char *text)
{
    parse_octets(text, strlen(text));
}

static int
teardown(void **state)
{
    (void)state;
    hosts_fini(&hosts);
    return 0;
}

static size_t
find_family(const char *name, enum lookup_family family,
            struct addr addresses[LOOKUP_ADDRESSES_MAX])
{
    struct key key;

    assert_int_equal(key_make(&key, name, strlen(name)), 0);
    return hosts_find(&hosts, &key, family, addresses);
}

static size_t
find(const char *name, uint32_t addresses[LOOKUP_ADDRESSES_MAX])
{
    struct addr found[LOOKUP_ADDRESSES_MAX];
    size_t count = find_family(name, LOOKUP_V4, found);

    for (size_t i = 0; i < count; i++)
        addresses[i] = addr_to_v4(found[i]);
    return count;
}

/* The only address of a name, or 0. */
static uint32_t
found(const char *name)
{
    uint32_t addresses[LOOKUP_ADDRESSES_MAX];
    size_t count = find(name, addresses);

    assert_true(count <= 1);
    return count == 1 ? addresses[0] : 0;
}

#define TEN(last) (0x0a000000u + (last))

static void
a_line_names_an_address(void **state)
{
    (void)state;
    parse("127.0.0.1 localhost\n10.0.0.1\tone.example  one\n");
    assert_int_equal(found("localhost"), 0x7f000001);
    assert_int_equal(found("one.example"), TEN(1));
    assert_int_equal(found("one"), TEN(1));
    assert_int_equal(found("two"), 0);
}

static void
case_and_a_final_dot_do_not_matter(void **state)
{
    (void)state;
    parse("10.0.0.1 Host.Example.\n");
    assert_int_equal(found("hOST.eXAMPLE"), TEN(1));
    assert_int_equal(found("host.example."), TEN(1));
}

static void
addresses_of_several_lines_keep_their_order_and_come_once(void **state)
{
    uint32_t addresses[LOOKUP_ADDRESSES_MAX];

    (void)state;
    parse("10.0.0.9 a b\n10.0.0.1 b\n10.0.0.5 a a\n10.0.0.9 a\n");
    assert_int_equal(find("a", addresses), 2);
    assert_int_equal(addresses[0], TEN(9));
    assert_int_equal(addresses[1], TEN(5));
    assert_int_equal(find("b", addresses), 2);
    assert_int_equal(addresses[1], TEN(1));
}

static void
no_more_than_an_answer_holds_are_kept(void **state)
{
    uint32_t addresses[LOOKUP_ADDRESSES_MAX];
    char text[200 * 16], *at = text;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        at += sprintf(at, "10.0.0.%u a\n", i);
    parse(text);
    assert_int_equal(find("a", addresses), LOOKUP_ADDRESSES_MAX);
    assert_int_equal(addresses[63], TEN(63));
}

static void
comments_blanks_and_ends_of_lines_are_understood(void **state)
{
    (void)state;
    parse("# 10.0.0.1 no\n\n   \t\n 10.0.0.2 yes # 10.0.0.3 no\r\n"
          "10.0.0.4 four#no\n10.0.0.5 # none\n#\n10.0.0.6 six\r\n10.0.0.7#no\n"
          "10.0.0.8\n10.0.0.9 last");
    assert_int_equal(found("no"), 0);
    assert_int_equal(found("yes"), TEN(2));
    assert_int_equal(found("four"), TEN(4));
    assert_int_equal(found("six"), TEN(6));
    assert_int_equal(found("last"), TEN(9));
}

/* The addresses of a name, of each family by itself. */
static void
a_name_may_have_both_families(void **state)
{
    struct addr addresses[LOOKUP_ADDRESSES_MAX];
    char text[400 * 24], *at = text;

    (void)state;
    parse("fd00::1 a six\n10.0.0.1 a\nFD00:0::2 a\n10.0.0.2 a\nfd00::1 a\n");
    assert_int_equal(find_family("a", LOOKUP_V4, addresses), 2);
    assert_int_equal(addr_to_v4(addresses[1]), TEN(2));
    assert_int_equal(find_family("a", LOOKUP_V6, addresses), 2);
    assert_int_equal(addresses[0].lo, 1);
    assert_int_equal(addresses[1].lo, 2);
    assert_int_equal(addresses[1].hi, 0xfd00000000000000);
    assert_int_equal(find_family("six", LOOKUP_V4, addresses), 0);
    assert_int_equal(find_family("six", LOOKUP_V6, addresses), 1);

    /* One does not take the other's room. */
    for (unsigned i = 0; i < 200; i++)
        at += sprintf(at, "fd00::%x a\n", i);
    for (unsigned i = 0; i < 200; i++)
        at += sprintf(at, "10.0.0.%u a\n", i);
    parse(text);
    assert_int_equal(find_family("a", LOOKUP_V6, addresses), 64);
    assert_int_equal(addresses[63].lo, 63);
    assert_int_equal(find_family("a", LOOKUP_V4, addresses), 64);
    assert_int_equal(addr_to_v4(addresses[63]), TEN(63));
}

static void
only_plain_texts_are_addresses(void **state)
{
    struct addr addresses[LOOKUP_ADDRESSES_MAX];

    (void)state;
    parse("fe80::1%1 six\n::ffff:10.0.0.1 mapped\n10.1 short\n[::1] six\n"
          "0x0a000001 hex\n"
          "10.0.0.256 big\n10.0.0.1.1 long\n010.0.0.1 octal\nname 10.0.0.1\n"
          "10.0.0.1000000000000000000000000000 longer\n10.0.0.2 good\n");
    for (const char *const *name =
             (const char *const[]){"six", "mapped", "short", "hex", "big",
                                   "long", "octal", "longer", NULL};
         *name != NULL; name++) {
        assert_int_equal(found(*name), 0);
        assert_int_equal(find_family(*name, LOOKUP_V6, addresses), 0);
    }
    assert_int_equal(found("good"), TEN(2));
}

static void
what_is_not_a_host_name_is_left_out(void **state)
{
    static const char text[] = "10.0.0.1 a\0b good a..b a/b \xc3\xa4 also\n"
                               "10.0\0.0.1 bad\n\0\0\0\n10.0.0.2 next\n";

    (void)state;
    parse_octets(text, sizeof(text) - 1);
    assert_int_equal(found("a"), 0);
    assert_int_equal(found("good"), TEN(1));
    assert_int_equal(found("also"), TEN(1));
    assert_int_equal(found("bad"), 0);
    assert_int_equal(found("next"), TEN(2));
}

static void
nothing_is_a_table_too(void **state)
{
    (void)state;
    assert_int_equal(found("a"), 0);
    parse("");
    assert_int_equal(found("a"), 0);
    parse("10.0.0.1 a");
    parse("10.0.0.2 b");
    assert_int_equal(found("a"), 0);
    assert_int_equal(found("b"), TEN(2));
}

/* A line of a megabyte, and one name of as many octets. */
static void
a_line_may_be_long(void **state)
{
    size_t size = 3 << 20;
    char *text = malloc(size + 1), *at = text;

    (void)state;
    assert_non_null(text);
    at += sprintf(at, "10.0.0.1");
    for (unsigned i = 0; i < 100000; i++)
        at += sprintf(at, " n%u", i);
    at += sprintf(at, "\n10.0.0.2 ");
    memset(at, 'x', 1 << 20);
    at += 1 << 20;
    at += sprintf(at, " last\n");
    assert_int_equal(hosts_parse(&hosts, text, (size_t)(at - text)), 0);
    assert_int_equal(hosts.count, 100001);
    assert_int_equal(found("n99999"), TEN(1));
    assert_int_equal(found("last"), TEN(2));
}

static void
beyond_a_million_names_the_rest_is_left_out(void **state)
{
    char *text = malloc(HOSTS_OCTETS_MAX + 1), *at = text;

    (void)state;
    assert_non_null(text);
    at += sprintf(at, "10.0.0.1");
    for (unsigned i = 0; i <= HOSTS_NAMES_MAX; i++)
        at += sprintf(at, " n%u", i);
    assert_int_equal(hosts_parse(&hosts, text, (size_t)(at - text)), -EFBIG);
    assert_int_equal(hosts.count, HOSTS_NAMES_MAX);
    assert_int_equal(found("n0"), TEN(1));
    assert_int_equal(found("n1048575"), TEN(1));
    assert_int_equal(found("n1048576"), 0);
}

/* Every beginning of a file is a file; the sanitizer looks on. */
static void
no_octet_behind_the_end_is_read(void **state)
{
    static const char text[] = "10.0.0.1 a b#c\n10.0.0.2 d. \n";

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct hosts made = {.bucket_count = 0};
        char *copy = malloc(len + 1);
        memcpy(copy, text, len);
        assert_int_equal(hosts_parse(&made, copy, len), 0);
        assert_true(made.count <= 3);
        hosts_fini(&made);
    }
}

static char path[] = "/tmp/unit-hosts-XXXXXX";

static void
write_names(unsigned count)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (unsigned i = 0; i < count; i++)
        fprintf(file, "10.0.0.1 n%u.example\n", i);
    fclose(file);
}

static void
a_file_that_has_not_changed_is_not_read(void **state)
{
    (void)state;
    close(mkstemp(path));
    write_names(1);
    hosts_init(&hosts, path);
    assert_true(hosts_refresh(&hosts));
    assert_int_equal(found("n0.example"), TEN(1));
    hosts.entries[0].address = addr_v4(TEN(2));
    assert_true(hosts_refresh(&hosts));
    assert_int_equal(found("n0.example"), TEN(2));
    assert_int_equal(hosts.next_look_us, 0);
    write_names(2);
    assert_true(hosts_refresh(&hosts));
    assert_int_equal(found("n0.example"), TEN(1));
    unlink(path);
}

/* One that is written bit by bit is not read at each name. */
static void
a_large_file_is_not_read_again_at_once(void **state)
{
    (void)state;
    write_names(300000);
    hosts_init(&hosts, path);
    assert_true(hosts_refresh(&hosts));
    assert_int_equal(hosts.count, 300000);
    assert_true(hosts.next_look_us > 0);
    write_names(300001);
    hosts.next_look_us += 3600000000; /* however slow the machine is */
    assert_true(hosts_refresh(&hosts));
    assert_int_equal(hosts.count, 300000);
    hosts.next_look_us = 0;
    assert_true(hosts_refresh(&hosts));
    assert_int_equal(hosts.count, 300001);
    unlink(path);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_names_an_address),
        TEST(case_and_a_final_dot_do_not_matter),
        TEST(addresses_of_several_lines_keep_their_order_and_come_once),
        TEST(no_more_than_an_answer_holds_are_kept),
        TEST(comments_blanks_and_ends_of_lines_are_understood),
        TEST(a_name_may_have_both_families),
        TEST(only_plain_texts_are_addresses),
        TEST(what_is_not_a_host_name_is_left_out),
        TEST(nothing_is_a_table_too),
        TEST(a_line_may_be_long),
        TEST(beyond_a_million_names_the_rest_is_left_out),
        TEST(a_file_that_has_not_changed_is_not_read),
        TEST(a_large_file_is_not_read_again_at_once),
        TEST(no_octet_behind_the_end_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
