#include "socks4/codec.h"
#include "socks4/version.h"
#include "tests/unit/unit.h"

#define SPELL_AGAIN(x) #x
#define SPELL(x) SPELL_AGAIN(x)

/* [V4-D.3-1] */
static void
has_a_sentence_for_each_code(void **state)
{
    (void)state;
    assert_non_null(strstr(socks4_code_text(90), "granted"));
    assert_non_null(strstr(socks4_code_text(91), "rejected or failed"));
    assert_non_null(strstr(socks4_code_text(92), "no identd"));
    assert_non_null(strstr(socks4_code_text(93), "another user"));
    for (int code = -300; code <= 300; code++) {
        int known = code >= 90 && code <= 93;

        assert_non_null(socks4_code_text(code));
        assert_int_equal(
            strcmp(socks4_code_text(code), "unknown reply code") != 0, known);
    }
}

static void
has_a_sentence_of_its_own_for_each_error(void **state)
{
    (void)state;
    for (int a = SOCKS4_E_V5_DENIED; a <= SOCKS4_E_VERSION; a++) {
        assert_string_not_equal(socks4_error_text(a), "unknown error");
        for (int b = SOCKS4_E_V5_DENIED; b < a; b++)
            assert_string_not_equal(socks4_error_text(a), socks4_error_text(b));
    }
    assert_string_equal(socks4_error_text(0), "unknown error");
    assert_string_equal(socks4_error_text(SOCKS4_E_V5_DENIED - 1), "unknown error");
}

static void
has_the_version_of_the_project(void **state)
{
    (void)state;
    assert_string_equal(socks4_library_version(), PROJECT_VERSION);
    assert_string_equal(SOCKS4_LIBRARY_VERSION, PROJECT_VERSION);
    assert_string_equal(
        SPELL(SOCKS4_LIBRARY_MAJOR) "." SPELL(SOCKS4_LIBRARY_MINOR) "." SPELL(
            SOCKS4_LIBRARY_PATCH),
        PROJECT_VERSION);
}

/* [V4-7-1] [V4-D.1-1] [V4-D.2-1] [V4-D.3-1] [V4-D.4-1] */
static void
has_the_values_of_appendix_d(void **state)
{
    (void)state;
    assert_int_equal(SOCKS4_VERSION, 4);
    assert_int_equal(SOCKS4_REPLY_VERSION, 0);
    assert_int_equal(SOCKS4_CONNECT, 1);
    assert_int_equal(SOCKS4_BIND, 2);
    assert_int_equal(SOCKS4_GRANTED, 0x5a);
    assert_int_equal(SOCKS4_REJECTED, 0x5b);
    assert_int_equal(SOCKS4_NO_IDENTD, 0x5c);
    assert_int_equal(SOCKS4_OTHER_USER, 0x5d);
    assert_int_equal(SOCKS4_PORT, 1080);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_a_sentence_for_each_code),
        cmocka_unit_test(has_a_sentence_of_its_own_for_each_error),
        cmocka_unit_test(has_the_version_of_the_project),
        cmocka_unit_test(has_the_values_of_appendix_d),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
