#include "base/text.h"
#include "tests/unit/unit.h"

#include <errno.h>

typedef int read_fn(const char *text, uint64_t *value);

/* What each reader makes of a text; the value where that is 0. */
static const struct figure {
    read_fn *read;
    const char *text;
    int rc;
    uint64_t value;
} figures[] = {
    {text_number, "0", 0, 0},
    {text_number, "65535", 0, 65535},
    {text_number, "18446744073709551615", 0, UINT64_MAX},
    {text_number, "18446744073709551616", -ERANGE, 0},
    {text_number, "", -EINVAL, 0},
    {text_number, "00", -EINVAL, 0},
    {text_number, "01", -EINVAL, 0},
    {text_number, "+1", -EINVAL, 0},
    {text_number, "-1", -EINVAL, 0},
    {text_number, " 1", -EINVAL, 0},
    {text_number, "1 ", -EINVAL, 0},
    {text_number, "0x10", -EINVAL, 0},
    {text_number, "1k", -EINVAL, 0},
    {text_duration, "0", 0, 0},
    {text_duration, "0s", 0, 0},
    {text_duration, "500ms", 0, 500},
    {text_duration, "10s", 0, 10000},
    {text_duration, "2m", 0, 120000},
    {text_duration, "1h", 0, 3600000},
    {text_duration, "10", -EINVAL, 0},
    {text_duration, "10 s", -EINVAL, 0},
    {text_duration, "10S", -EINVAL, 0},
    {text_duration, "1d", -EINVAL, 0},
    {text_duration, "1.5s", -EINVAL, 0},
    {text_duration, "s", -EINVAL, 0},
    {text_duration, "18446744073709551615h", -ERANGE, 0},
    {text_size, "0", 0, 0},
    {text_size, "4096", 0, 4096},
    {text_size, "64k", 0, 65536},
    {text_size, "1M", 0, 1048576},
    {text_size, "2G", 0, 2147483648},
    {text_size, "64K", -EINVAL, 0},
    {text_size, "64kB", -EINVAL, 0},
    {text_size, "18446744073709551615G", -ERANGE, 0},
    {text_count, "250000", 0, 250000},
    {text_count, "100k", 0, 100000},
    {text_count, "1M", 0, 1000000},
    {text_count, "1G", -EINVAL, 0},
};

static void
reads_figures_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(figures); i++) {
        const struct figure *figure = &figures[i];
        uint64_t value = 0;
        int rc = figure->read(figure->text, &value);

        if (rc != figure->rc || (rc == 0 && value != figure->value))
            fail_msg("\"%s\": %d, %llu", figure->text, rc,
                     (unsigned long long)value);
    }
}

static void
reads_three_pairs_of_truths(void **state)
{
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    static const char *const neither[] = {"", "True", "ON", "1", "0", "o"};
    bool truth;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        truth = false;
        assert_int_equal(text_bool(yes[i], &truth), 0);
        assert_true(truth);
        assert_int_equal(text_bool(no[i], &truth), 0);
        assert_false(truth);
    }
    for (size_t i = 0; i < COUNT(neither); i++)
        assert_int_equal(text_bool(neither[i], &truth), -EINVAL);
}

static void
writes_figures_in_the_largest_unit_that_fits(void **state)
{
    char text[TEXT_FIGURE_MAX];

    (void)state;
    assert_string_equal(text_format_duration(0, text), "0");
    assert_string_equal(text_format_duration(120000, text), "2m");
    assert_string_equal(text_format_duration(90000, text), "90s");
    assert_string_equal(text_format_duration(1500, text), "1500ms");
    assert_string_equal(text_format_duration(7200000, text), "2h");
    assert_string_equal(text_format_size(0, text), "0");
    assert_string_equal(text_format_size(1023, text), "1023");
    assert_string_equal(text_format_size(65536, text), "64k");
    assert_string_equal(text_format_size(UINT64_MAX, text),
                        "18446744073709551615");
}

static void
reads_back_the_figures_it_has_written(void **state)
{
    struct random random;
    char text[TEXT_FIGURE_MAX];

    (void)state;
    random_init(&random, 11);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t value = random_next(&random) >> random_below(&random, 64);
        uint64_t back;

        value <<= random_below(&random, 2) * random_below(&random, 31);
        text_format_size(value, text);
        assert_int_equal(text_size(text, &back), 0);
        assert_true(back == value);
        text_format_duration(value, text);
        assert_int_equal(text_duration(text, &back), 0);
        assert_true(back == value);
    }
}

static const char *
name_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

static void
finds_the_name_that_was_meant(void **state)
{
    static const char *const names[] = {"listen", "timeouts", NULL, "limits",
                                        "user"};
    static const struct {
        const char *word, *meant;
    } slips[] = {
        {"listen", "listen"},
        {"lsiten", "listen"},
        {"listens", "listen"},
        {"timeout", "timeouts"},
        {"TIMEOUTS", "timeouts"},
        {"limit", "limits"},
        {"usr", "user"},
        {"rules", NULL},
        {"x", NULL},
        {"", NULL},
        {"a-word-that-is-much-too-long-to-be-a-slip-of-a-finger", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(slips); i++) {
        const char *near =
            text_nearest(slips[i].word, names, COUNT(names), name_at);

        if (slips[i].meant == NULL && near != NULL)
            fail_msg("%s: %s", slips[i].word, near);
        if (slips[i].meant != NULL)
            assert_string_equal(near, slips[i].meant);
    }
}

static void
shows_any_octets_as_printable_ones(void **state)
{
    char text[16];

    (void)state;
    assert_string_equal(text_show("plain ~", 7, text, 16), "plain ~");
    assert_string_equal(text_show("a\nb\0\xff", 5, text, 16),
                        "a\\x0ab\\x00\\xff");
    assert_string_equal(text_show("", 0, text, 16), "");
    assert_string_equal(text_show("123456789012", 12, text, 16),
                        "123456789012");
    assert_string_equal(text_show("1234567890123456", 16, text, 16),
                        "123456789012...");
}

/* Any octets, any room from 8: terminated, at the guard, printable. */
static void
shows_within_its_room(void **state)
{
    struct random random;
    struct guard guard;
    char octets[40];

    (void)state;
    random_init(&random, 12);
    guard_init(&guard, 64);
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = random_below(&random, sizeof octets);
        size_t room = 8 + random_below(&random, 56);
        char *text = (char *)guard_room(&guard, room);

        for (size_t at = 0; at < len; at++)
            octets[at] = (char)random_below(&random, 256);
        text_show(octets, len, text, room);
        assert_true(strnlen(text, room) < room);
        for (const char *at = text; *at; at++)
            assert_true(*at >= 0x20 && *at <= 0x7e);
    }
    guard_fini(&guard);
}

static const struct utf8 {
    const char *octets;
    size_t len;
    size_t good; /* the offset of the first that is wrong */
} utf8s[] = {
#define UTF8(octets, good)                                                     \
    {                                                                          \
        octets, sizeof(octets) - 1, good                                       \
    }
    UTF8("", 0),
    UTF8("a\tb\r\n", 5),
    UTF8("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9),
    UTF8("\xf4\x8f\xbf\xbf", 4),
    UTF8("a\0b", 1),
    UTF8("ab\x1b", 2),
    UTF8("\x7f", 0),
    UTF8("a\xc2\x80", 1),        /* a control of the upper half */
    UTF8("a\xc3", 1),            /* cut */
    UTF8("a\xe2\x82", 1),        /* cut */
    UTF8("a\xc3(", 1),           /* no continuation */
    UTF8("\x80", 0),             /* only a continuation */
    UTF8("\xc0\xaf", 0),         /* too long a form */
    UTF8("\xe0\x80\xaf", 0),     /* too long a form */
    UTF8("\xf0\x80\x80\xaf", 0), /* too long a form */
    UTF8("\xed\xa0\x80", 0),     /* half a surrogate pair */
    UTF8("\xf4\x90\x80\x80", 0), /* past the last character */
    UTF8("\xff", 0),
};

static void
finds_the_first_octet_that_is_no_utf8(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 64);
    for (size_t i = 0; i < COUNT(utf8s); i++) {
        const uint8_t *at = guard_put(&guard, utf8s[i].octets, utf8s[i].len);
        size_t good = text_check_utf8((const char *)at, utf8s[i].len);

        if (good != utf8s[i].good)
            fail_msg("row %zu: %zu", i, good);
    }
    guard_fini(&guard);
}

static void
reads_characters_of_one_to_four_octets(void **state)
{
    uint32_t c;

    (void)state;
    assert_int_equal(text_utf8_char("a", &c), 1);
    assert_int_equal(c, 'a');
    assert_int_equal(text_utf8_char("\xc3\xa4", &c), 2);
    assert_int_equal(c, 0xe4);
    assert_int_equal(text_utf8_char("\xe2\x82\xac", &c), 3);
    assert_int_equal(c, 0x20ac);
    assert_int_equal(text_utf8_char("\xf0\x9f\x98\x80", &c), 4);
    assert_int_equal(c, 0x1f600);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_figures_strictly),
        cmocka_unit_test(reads_three_pairs_of_truths),
        cmocka_unit_test(writes_figures_in_the_largest_unit_that_fits),
        cmocka_unit_test(reads_back_the_figures_it_has_written),
        cmocka_unit_test(finds_the_name_that_was_meant),
        cmocka_unit_test(shows_any_octets_as_printable_ones),
        cmocka_unit_test(shows_within_its_room),
        cmocka_unit_test(finds_the_first_octet_that_is_no_utf8),
        cmocka_unit_test(reads_characters_of_one_to_four_octets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
