#include "gateway/resolver/key.h"

#include <errno.h>
#include <stdbool.h>

#include "tests/unit/unit.h"

static int
make(struct key *key, const char *name)
{
    return key_make(key, name, strlen(name));
}

static void
assert_key(const char *name, const char *text)
{
    struct key key;

    assert_int_equal(make(&key, name), 0);
    assert_string_equal(key.text, text);
}

static void
names_that_dns_holds_equal_have_one_key(void **state)
{
    (void)state;
    struct key one, other;
    assert_key("www.example", "www.example");
    assert_key("WWW.ExamplE.", "www.example");
    assert_key("_srv-1.a_b", "_srv-1.a_b");
    make(&one, "www.example");
    make(&other, "www.EXAMPLE.");
    assert_int_equal(one.hash, other.hash);
    make(&other, "www.examplf");
    assert_int_not_equal(one.hash, other.hash);
}

/* [4A-A.2.3-2] A backslash would be an escape, further on. */
static void
every_other_octet_is_refused(void **state)
{
    (void)state;
    static const char fine[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    for (int octet = 0; octet < 256; octet++) {
        struct key key;
        char name[] = {'a', (char)octet, 'b'};
        bool is_fine = octet != 0 && strchr(fine, octet) != NULL;
        assert_int_equal(key_make(&key, name, sizeof(name)),
                         is_fine ? 0 : -EINVAL);
    }
}

/* The worker has refused them: here nobody believes it. */
static void
what_may_be_an_address_is_refused(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "127.0.0.1",  "127.0.0.1.",   "127.1", "0x7f.1", "0X7F000001",
        "2130706433", "017700000001", "1",     "0x",     "a.b.0x1",
        "www.1",      "0177.0.0.1.",  "::1",   "[::1]",  "::ffff:127.0.0.1",
    };
    for (size_t i = 0; i < COUNT(spellings); i++) {
        struct key key;
        if (make(&key, spellings[i]) != -EINVAL)
            fail_msg("%s is taken", spellings[i]);
    }
}

static void
an_empty_label_is_no_name(void **state)
{
    (void)state;
    static const char *const names[] = {"", ".", "..", ".a", "a..b", "a.b.."};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct key key;
        if (make(&key, names[i]) != -EINVAL)
            fail_msg("%s is taken", names[i]);
    }
}

static void
the_longest_name_fits_and_is_read_no_further(void **state)
{
    (void)state;
    struct key key;
    struct guard guard;
    guard_init(&guard, LOOKUP_NAME_MAX);
    char *name = (char *)guard.end - LOOKUP_NAME_MAX;
    memset(name, 'x', LOOKUP_NAME_MAX);
    assert_int_equal(key_make(&key, name, LOOKUP_NAME_MAX), 0);
    assert_int_equal(strlen(key.text), LOOKUP_NAME_MAX);
    guard_fini(&guard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_dns_holds_equal_have_one_key),
        cmocka_unit_test(every_other_octet_is_refused),
        cmocka_unit_test(what_may_be_an_address_is_refused),
        cmocka_unit_test(an_empty_label_is_no_name),
        cmocka_unit_test(the_longest_name_fits_and_is_read_no_further),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
