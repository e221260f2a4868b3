#include "gateway/users_file.h"

#include <errno.h>
#include <stdarg.h>

#include "tests/unit/unit.h"

#define DIGITS43 "ukU1yJkufVNuHGSnMwt/OtYlKhTYhXr6IGdiRSmsFK1"
#define DIGITS86 DIGITS43 DIGITS43
#define YESCRYPT "$y$j9T$PtVzgzAAAAAAAAAAAAAAA1$" DIGITS43

/* "line:column error|warning", the first; and how many. */
static char said[64];
static unsigned faults;

static void
on_fault(void *context, bool is_error, unsigned line, unsigned column,
         const char *why)
{
    assert_true(strlen(why) > 10);
    if (faults++ == 0)
        snprintf(said, sizeof(said), "%u:%u %s", line, column,
                 is_error ? "error" : "warning");
    assert_null(strstr(why, "ukU1"));
    assert_ptr_equal(context, said);
}

/* From octets whose last one stands before a guard page. */
static int
parse(struct users_file *users, struct guard *guard, const char *text,
      size_t len)
{
    said[0] = '\0';
    faults = 0;
    guard_init(guard, len);
    char *at = (char *)guard->end - len;
    memcpy(at, text, len);
    return users_file_parse(users, at, len, on_fault, said);
}

static void
has_users_by_name_in_whatever_order(void **state)
{
    static const char text[] = "# office: not a user\n"
                               "\n"
                               "bob:" YESCRYPT "\n"
                               "  # a comment\n"
                               "ann:!" YESCRYPT "\n"
                               "anna:*\n"
                               "an:$6$rounds=5000$salt$" DIGITS86 "\n"
                               "J\303\266rg M.:" YESCRYPT;
    struct users_file users;
    struct guard guard;

    (void)state;
    assert_int_equal(parse(&users, &guard, text, sizeof(text) - 1), 0);
    assert_int_equal(users.count, 5);
    const struct users_file_entry *bob = users_file_find(&users, "bob", 3);
    assert_non_null(bob);
    assert_false(bob->locked);
    assert_int_equal(bob->line, 3);
    assert_int_equal(bob->hash_len, strlen(YESCRYPT));
    assert_memory_equal(bob->hash, YESCRYPT, bob->hash_len);
    assert_true(users_file_find(&users, "ann", 3)->locked);
    assert_true(users_file_find(&users, "anna", 4)->locked);
    assert_non_null(users_file_find(&users, "an", 2));
    assert_non_null(users_file_find(&users, "J\303\266rg M.", 8));
    assert_null(users_file_find(&users, "a", 1));
    assert_null(users_file_find(&users, "annab", 5));
    assert_null(users_file_find(&users, "# office", 8));
    assert_null(users_file_find(&users, "", 0));
    users_file_free(&users);
    guard_fini(&guard);
}

static void
says_where_each_fault_is(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"ann", "1:1 error"},
        {":" YESCRYPT, "1:1 error"},
        {"\nann:", "2:5 error"},
        {"ann:" YESCRYPT "\r", "1:78 error"},
        {"ann:" YESCRYPT " ", "1:78 error"},
        {" ann:" YESCRYPT, "1:1 error"},
        {"ann :" YESCRYPT, "1:1 error"},
        {"a\tn:" YESCRYPT, "1:1 error"},
        {"ann:secret", "1:5 error"},
        {"ann:{SSHA}secret", "1:5 error"},
        {"ann:$apr1$salt$hash", "1:5 error"},
        {"ann:" YESCRYPT "x", "1:5 error"},
        {"ann:" YESCRYPT ":19000:0:", "1:78 error"},
        {"ann:$y$jDT$salt$" DIGITS43, "1:5 error"},
        {"ann:$y$j9U$salt$" DIGITS43, "1:5 error"},
        {"ann:$y$jDTx$salt$" DIGITS43, "1:5 error"},
        {"ann:$y$", "1:5 error"},
        {"ann:$6$rounds=999$salt$" DIGITS86, "1:5 error"},
        {"ann:$6$rounds=1000001$salt$" DIGITS86, "1:5 error"},
        {"ann:$6$rounds=99999999999999999999$salt$" DIGITS86, "1:5 error"},
        {"ann:$6$rounds=", "1:5 error"},
        {"ann:$6$salt$" DIGITS43, "1:5 error"},
        {"ann:$6$salt$" DIGITS43 "!" DIGITS43, "1:5 error"},
        {"ann:$6$sa;lt$" DIGITS86, "1:5 error"},
        {"ann:$6$sa\001lt$" DIGITS86, "1:5 error"},
        {"ann:$2b$14$saltsaltsaltsaltsaltss" DIGITS43, "1:5 error"},
        {"ann:$2b$12$short", "1:5 error"},
        {"b:*\nann:*\nb:" YESCRYPT, "3:1 error"},
        {"ann:$1$salt$.0123456789ABCDEFGHIJK", "1:5 warning"},
        {"ann:abNANd1rDfiNc", "1:5 warning"},
        {"ann:abNANd1rDfiN:", "1:17 error"},
        /* and none */
        {"ann:$y$jCT$salt$" DIGITS43, ""},
        {"ann:$gy$j9T$salt$" DIGITS43, ""},
        {"ann:$5$rounds=1000000$salt$" DIGITS43, ""},
        {"ann:$2y$13$saltsaltsa" DIGITS43, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct users_file users;
        struct guard guard;
        bool is_error = strstr(cases[i].said, "error") != NULL;
        int error = parse(&users, &guard, cases[i].text, strlen(cases[i].text));
        guard_fini(&guard);
        users_file_free(&users);
        if (strcmp(said, cases[i].said) != 0 || faults > 1)
            fail_msg("of %s: %s", cases[i].text, said);
        assert_int_equal(error, is_error ? -EINVAL : 0);
    }
}

static void
says_all_faults(void **state)
{
    static const char text[] = "a\nb:\nc:*\nd:x\n";
    struct users_file users;
    struct guard guard;

    (void)state;
    assert_int_equal(parse(&users, &guard, text, sizeof(text) - 1), -EINVAL);
    assert_int_equal(faults, 3);
    assert_int_equal(users.count, 0);
    guard_fini(&guard);
}

static void
a_nul_ends_no_hash(void **state)
{
    static const char text[] = "ann:$6$sa\0lt$" DIGITS86 "\n";
    struct users_file users;
    struct guard guard;

    (void)state;
    assert_int_equal(parse(&users, &guard, text, sizeof(text) - 1), -EINVAL);
    assert_string_equal(said, "1:5 error");
    guard_fini(&guard);
}

static void
names_and_hashes_have_a_length(void **state)
{
    char text[1024];
    struct users_file users;
    struct guard guard;

    (void)state;
    for (int len = 255; len <= 256; len++) {
        int all = snprintf(text, sizeof(text), "%0*d:*\n", len, 1);
        assert_int_equal(parse(&users, &guard, text, (size_t)all),
                         len == 255 ? 0 : -EINVAL);
        guard_fini(&guard);
        users_file_free(&users);
        all = snprintf(text, sizeof(text), "a:*%0*d\n", len - 1, 1);
        assert_int_equal(parse(&users, &guard, text, (size_t)all),
                         len == 255 ? 0 : -EINVAL);
        guard_fini(&guard);
        users_file_free(&users);
    }
}

static void
many_users_are_found(void **state)
{
    static char text[100000 * 10];
    struct users_file users;
    size_t len = 0;
    char name[16];

    (void)state;
    for (int i = 0; i < 100000; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "u%d:*\n",
                                i * 7919 % 100000);
    assert_int_equal(users_file_parse(&users, text, len, NULL, NULL), 0);
    assert_int_equal(users.count, 100000);
    for (int i = 0; i < 100000; i += 97) {
        size_t name_len = (size_t)snprintf(name, sizeof(name), "u%d", i);
        assert_non_null(users_file_find(&users, name, name_len));
    }
    users_file_free(&users);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_users_by_name_in_whatever_order),
        cmocka_unit_test(says_where_each_fault_is),
        cmocka_unit_test(says_all_faults),
        cmocka_unit_test(a_nul_ends_no_hash),
        cmocka_unit_test(names_and_hashes_have_a_length),
        cmocka_unit_test(many_users_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
