#include "base/line.h"

#include "unit.h"

static char text[4096];
static struct line line;

static void
begin(bool json)
{
    line_start(&line, text, sizeof(text), json);
}

static void
expect(const char *wanted)
{
    size_t len = line_end(&line);

    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(text, wanted, len);
}

static void
write_all_kinds(void)
{
    line_word(&line, "event", "session");
    line_word(&line, "name", NULL);
    line_octets(&line, "ident", NULL, 0);
    line_string(&line, "userid", "o\"n\\\x1b");
    line_number(&line, "id", UINT64_MAX);
    line_number(&line, "ms.request", 0);
    line_text(&line, "end", "fin", 3);
}

#define ALL_IN_TEXT                                                            \
    "event=session name=- ident=- userid=\"o\\\"n\\\\\\x1b\" "                 \
    "id=18446744073709551615 ms.request=0 end=fin\n"
#define ALL_IN_JSON                                                            \
    "{\"event\":\"session\",\"name\":null,\"ident\":null,"                     \
    "\"userid\":\"o\\\"n\\\\\\u001b\",\"id\":18446744073709551615,"            \
    "\"ms.request\":0,\"end\":\"fin\"}\n"

static void
writes_each_kind_of_field_in_both_forms(void **state)
{
    (void)state;
    begin(false);
    write_all_kinds();
    expect(ALL_IN_TEXT);
    begin(true);
    write_all_kinds();
    expect(ALL_IN_JSON);
}

static void
nests_objects_and_arrays_in_json(void **state)
{
    (void)state;
    begin(true);
    expect("{}\n");
    begin(true);
    line_array(&line, "rules");
    for (uint64_t i = 0; i < 2; i++) {
        line_object(&line, NULL);
        line_number(&line, "line", i);
        line_object_end(&line);
    }
    line_array_end(&line);
    line_array(&line, "codes");
    line_number(&line, NULL, 90);
    line_string(&line, NULL, "91");
    line_array_end(&line);
    line_array(&line, "none");
    line_array_end(&line);
    line_object(&line, "empty");
    line_object_end(&line);
    expect("{\"rules\":[{\"line\":0},{\"line\":1}],\"codes\":[90,\"91\"],"
           "\"none\":[],\"empty\":{}}\n");
}

/* What stands between the quotes, as it was: a reader of its own. */
static unsigned char
unescape(const char **at, bool json)
{
    char digits[3] = "";
    const char *from = *at;

    if (*from != '\\') {
        *at += 1;
        return (unsigned char)*from;
    }
    if (from[1] == '"' || from[1] == '\\') {
        *at += 2;
        return (unsigned char)from[1];
    }
    assert_memory_equal(from, json ? "\\u00" : "\\x", json ? 4 : 2);
    from += json ? 4 : 2;
    memcpy(digits, from, 2);
    assert_int_equal(strspn(digits, "0123456789abcdef"), 2);
    *at = from + 2;
    return (unsigned char)strtoul(digits, NULL, 16);
}

static void
escapes_every_octet_in_lower_case_and_reads_back(void **state)
{
    (void)state;
    for (int json = 0; json <= 1; json++) {
        char octets[256];
        for (unsigned i = 0; i < 256; i++)
            octets[i] = (char)i;
        begin(json);
        line_octets(&line, "v", octets, sizeof(octets));
        size_t len = line_end(&line);
        assert_true(len > 0);
        for (size_t i = 0; i + 1 < len; i++)
            assert_true(text[i] >= 0x20 && text[i] <= 0x7e);
        const char *at = text + strlen(json ? "{\"v\":\"" : "v=\"");
        for (unsigned i = 0; i < 256; i++) {
            assert_true(*at != '"');
            assert_int_equal(unescape(&at, json), i);
        }
        assert_int_equal(*at, '"');
    }
}

static void
quotes_in_text_only_what_a_reader_could_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"plain-value:1/2", "v=plain-value:1/2\n"},
        {"", "v=\"\"\n"},
        {"a b", "v=\"a b\"\n"},
        {"a=b", "v=\"a=b\"\n"},
        {"a\"b", "v=\"a\\\"b\"\n"},
        {"a\\b", "v=\"a\\\\b\"\n"},
        {"\x7f", "v=\"\\x7f\"\n"},
        {"\xff", "v=\"\\xff\"\n"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(false);
        line_text(&line, "v", cases[i].value, strlen(cases[i].value));
        expect(cases[i].written);
    }
}

static void
is_whole_or_nothing_in_every_room(void **state)
{
    (void)state;
    struct guard guard;

    guard_init(&guard, 4096);
    for (int json = 0; json <= 1; json++) {
        size_t whole = strlen(json ? ALL_IN_JSON : ALL_IN_TEXT);
        for (size_t room = 0; room < whole + 10; room++) {
            line_start(&line, (char *)guard_room(&guard, room), room, json);
            write_all_kinds();
            assert_int_equal(line_end(&line), room < whole ? 0 : whole);
        }
    }
    guard_fini(&guard);
}

static void
fits_as_many_octets_as_it_says(void **state)
{
    (void)state;
    assert_int_equal(line_fit("abc", 3, 2, false), 2);
    assert_int_equal(line_fit("abc", 3, 3, false), 3);
    assert_int_equal(line_fit("a\nb", 3, 4, false), 1);
    assert_int_equal(line_fit("a\nb", 3, 5, false), 2);
    assert_int_equal(line_fit("a\nb", 3, 6, true), 1);
    assert_int_equal(line_fit("a\nb", 3, 8, true), 3);
    assert_int_equal(line_fit("\"", 1, 1, true), 0);
}

/* Kept at a whole escape, and never longer than it need be. */
static void
cuts_what_takes_more_than_it_may(void **state)
{
    (void)state;
    static const struct {
        const char *value, *in_text, *in_json;
    } cases[] = {
        {"", "v=\"\"\n", "{\"v\":\"\"}\n"},
        {"12345678", "v=\"12345678\"\n", "{\"v\":\"12345678\"}\n"},
        {"123456789", "v=\"12345678\\u2026(9)\"\n",
         "{\"v\":\"12345678\\u2026(9)\"}\n"},
        {"1234567\"", "v=\"1234567\\u2026(8)\"\n",
         "{\"v\":\"1234567\\u2026(8)\"}\n"},
        {"\n\n", "v=\"\\x0a\\x0a\"\n", "{\"v\":\"\\u000a\\u2026(2)\"}\n"},
        {"\n\n\n", "v=\"\\x0a\\x0a\\u2026(3)\"\n",
         "{\"v\":\"\\u000a\\u2026(3)\"}\n"},
        {"\\u2026(9)", "v=\"\\\\u2026(\\u2026(9)\"\n",
         "{\"v\":\"\\\\u2026(\\u2026(9)\"}\n"},
    };

    for (int json = 0; json <= 1; json++) {
        begin(json);
        line_cut(&line, "v", NULL, 0, 8);
        expect(json ? "{\"v\":null}\n" : "v=-\n");
        for (size_t i = 0; i < COUNT(cases); i++) {
            const char *value = cases[i].value;
            const char *wanted = json ? cases[i].in_json : cases[i].in_text;
            begin(json);
            line_cut(&line, "v", value, strlen(value), 8);
            expect(wanted);
            for (size_t room = 0; room < strlen(wanted); room++) {
                line_start(&line, text, room, json);
                line_cut(&line, "v", value, strlen(value), 8);
                assert_int_equal(line_end(&line), 0);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_kind_of_field_in_both_forms),
        cmocka_unit_test(nests_objects_and_arrays_in_json),
        cmocka_unit_test(escapes_every_octet_in_lower_case_and_reads_back),
        cmocka_unit_test(quotes_in_text_only_what_a_reader_could_mistake),
        cmocka_unit_test(is_whole_or_nothing_in_every_room),
        cmocka_unit_test(fits_as_many_octets_as_it_says),
        cmocka_unit_test(cuts_what_takes_more_than_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
