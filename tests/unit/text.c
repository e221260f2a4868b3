/* What people write: durations, sizes, counts, words. */

#include <errno.h>

#include "base/text.h"
#include "tests/unit/unit.h"

static void
figures_are_read_strictly(void **state)
{
    static const struct {
        int (*read)(const char *text, uint64_t *value);
        const char *text;
        int rc;
        uint64_t value;
    } cases[] = {
        {text_number, "0", 0, 0},
        {text_number, "18446744073709551615", 0, UINT64_MAX},
        {text_number, "18446744073709551616", -ERANGE, 0},
        {text_number, "", -EINVAL, 0},
        {text_number, " 1", -EINVAL, 0},
        {text_number, "1 ", -EINVAL, 0},
        {text_number, "+1", -EINVAL, 0},
        {text_number, "-1", -EINVAL, 0},
        {text_number, "01", -EINVAL, 0},
        {text_number, "0x1", -EINVAL, 0},
        {text_duration, "0", 0, 0},
        {text_duration, "500ms", 0, 500},
        {text_duration, "10s", 0, 10000},
        {text_duration, "2m", 0, 120000},
        {text_duration, "1h", 0, 3600000},
        {text_duration, "1", -EINVAL, 0},
        {text_duration, "1d", -EINVAL, 0},
        {text_duration, "1.5s", -EINVAL, 0},
        {text_duration, "s", -EINVAL, 0},
        {text_duration, "18446744073709551615h", -ERANGE, 0},
        {text_size, "4096", 0, 4096},
        {text_size, "64k", 0, 65536},
        {text_size, "1M", 0, 1048576},
        {text_size, "2G", 0, UINT64_C(2147483648)},
        {text_size, "1K", -EINVAL, 0},
        {text_count, "100k", 0, 100000},
        {text_count, "1M", 0, 1000000},
        {text_count, "1G", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 0;
        assert_int_equal(cases[i].read(cases[i].text, &value), cases[i].rc);
        if (cases[i].rc == 0)
            assert_true(value == cases[i].value);
    }
}

static void
what_is_written_is_read_again(void **state)
{
    struct random random;
    char text[TEXT_FIGURE_MAX];
    uint64_t again;

    (void)state;
    random_init(&random, 3);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_next(&random) >> random_below(&random, 64);
        assert_int_equal(
            text_duration(text_format_duration(value, text), &again), 0);
        assert_true(again == value);
        assert_int_equal(text_size(text_format_size(value, text), &again), 0);
        assert_true(again == value);
    }
    assert_string_equal(text_format_duration(120000, text), "2m");
    assert_string_equal(text_format_duration(1500, text), "1500ms");
    assert_string_equal(text_format_size(3 << 20, text), "3M");
}

static void
there_are_three_words_for_yes_and_three_for_no(void **state)
{
    bool truth;

    (void)state;
    assert_true(text_bool("on", &truth) == 0 && truth);
    assert_true(text_bool("yes", &truth) == 0 && truth);
    assert_true(text_bool("true", &truth) == 0 && truth);
    assert_true(text_bool("off", &truth) == 0 && !truth);
    assert_true(text_bool("no", &truth) == 0 && !truth);
    assert_true(text_bool("false", &truth) == 0 && !truth);
    assert_int_equal(text_bool("1", &truth), -EINVAL);
    assert_int_equal(text_bool("On", &truth), -EINVAL);
    assert_int_equal(text_bool("", &truth), -EINVAL);
}

static const char *const names[] = {"listen", "timeouts", "half_closed", "to"};

static const char *
name_at(const void *table, size_t i)
{
    return ((const char *const *)table)[i];
}

static void
the_name_that_was_meant_is_found(void **state)
{
    static const struct {
        const char *word, *meant;
    } cases[] = {
        {"listne", "listen"},
        {"lisen", "listen"},
        {"LISTEN", "listen"},
        {"timeout", "timeouts"},
        {"halfclosed", "half_closed"},
        {"half-close", "half_closed"},
        {"ot", "to"},
        {"xyzzy", NULL},
        {"", NULL},
        {"a-word-that-is-much-too-long-to-be-a-slip-of-the-finger", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *found =
            text_nearest(cases[i].word, names, COUNT(names), name_at);
        if (!cases[i].meant)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].meant);
    }
}

static void
what_is_shown_is_printable_and_fits(void **state)
{
    char shown[16];

    (void)state;
    assert_string_equal(text_show("", 0, shown, 16), "");
    assert_string_equal(text_show("abc", 3, shown, 16), "abc");
    assert_string_equal(text_show("\x1b[1m\n", 5, shown, 16), "\\x1b[1m\\x0a");
    assert_string_equal(text_show("fifteen octets!", 15, shown, 16),
                        "fifteen octets!");
    assert_string_equal(text_show("sixteen octets!!", 16, shown, 16),
                        "sixteen octe...");
    assert_string_equal(text_show("\xff\xff\xff\xff", 4, shown, 16),
                        "\\xff\\xff\\xff...");
}

static void
utf8_is_told_from_other_octets(void **state)
{
    static const struct {
        const char *octets;
        size_t len, sound;
    } cases[] = {
        {"abc\t\r\n", 6, 6},
        {"\0", 1, 0},
        {"a\x7f", 2, 1},
        {"\xc2\xa0", 2, 2},
        {"\xc2\x9f", 2, 0}, /* a control character */
        {"\xc2", 1, 0},
        {"\xc1\x81", 2, 0}, /* not the shortest */
        {"\xe0\x9f\xbf", 3, 0},
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\x9f\xbf", 3, 3},
        {"\xed\xa0\x80", 3, 0}, /* a surrogate */
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0}, /* past the last one */
        {"\xf8\x88\x80\x80\x80", 5, 0},
        {"ok\xe2\x82", 4, 2},
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, 64);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *octets =
            (const char *)guard_put(&guard, cases[i].octets, cases[i].len);
        assert_int_equal(text_check_utf8(octets, cases[i].len), cases[i].sound);
    }
    guard_fini(&guard);
    uint32_t c;
    assert_int_equal(text_utf8_char("\xf0\x9f\x98\x80", &c), 4);
    assert_int_equal(c, 0x1f600);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_read_strictly),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(there_are_three_words_for_yes_and_three_for_no),
        cmocka_unit_test(the_name_that_was_meant_is_found),
        cmocka_unit_test(what_is_shown_is_printable_and_fits),
        cmocka_unit_test(utf8_is_told_from_other_octets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
