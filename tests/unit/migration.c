#include "gateway/observer/migration.h"

#include <sys/mman.h>

#include "gateway/observer/filter.h"
#include "tests/unit/unit.h"

static struct segment *segment;
static unsigned office, guests;

uint64_t __wrap_sys_wall_ms(void);

uint64_t
__wrap_sys_wall_ms(void)
{
    return 5000000;
}

static int
setup(void **state)
{
    (void)state;
    segment = mmap(NULL, sizeof(*segment), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (segment == MAP_FAILED)
        return -1;
    segment->began_ms = 1000;
    office = series_names_add(&segment->names, SERIES_RULE, "office");
    guests = series_names_add(&segment->names, SERIES_RULE, "guests");
    segment_serve(segment, 0, 1);
    segment_serve(segment, 1, 1);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    return munmap(segment, sizeof(*segment));
}

static void
note(unsigned slot, const char *client, const char *user, unsigned rule,
     enum request_version version, bool granted, uint32_t now_s)
{
    struct addr addr;

    assert_int_equal(addr_parse(client, &addr), 0);
    struct speaker_key key = speaker_key(addr, user, strlen(user), rule);
    speakers_note(&segment->speakers[slot], addr.lo, &key, version, granted,
                  now_s);
}

/* The answer, of which the caller has a reference. */
static json_t *
asked(const char *one, const char *other)
{
    struct observer_filter filter = {0};
    char why[FILTER_WHY_MAX];

    assert_true(one == NULL || filter_add(&filter, one, why) == 0);
    assert_true(other == NULL || filter_add(&filter, other, why) == 0);
    json_t *answer = migration_json(segment, &filter);
    assert_non_null(answer);
    return answer;
}

static const char *
text(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

/* The users of the rows, as "ann bob". */
static void
assert_users(const char *one, const char *other, const char *expected)
{
    json_t *answer = asked(one, other), *row;
    char users[64] = "";
    size_t i;

    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        strcat(users, i > 0 ? " " : "");
        strcat(users, text(row, "userid"));
    }
    assert_string_equal(users, expected);
    assert_int_equal(json_integer_value(json_object_get(answer, "total")),
                     json_array_size(json_object_get(answer, "rows")));
    json_decref(answer);
}

static void
what_all_workers_have_seen_is_one_row(void **state)
{
    (void)state;
    note(0, "10.1.0.2", "ann", office, REQUEST_SOCKS4, true, 4000);
    note(1, "10.1.0.2", "ann", office, REQUEST_SOCKS4, false, 4990);
    note(1, "10.1.0.2", "ann", office, REQUEST_SOCKS5, true, 4500);
    json_t *answer = asked(NULL, NULL);
    json_t *expected = json_pack(
        "{s:[{s:s,s:s,s:s,s:b,s:{s:{s:i,s:i,s:i,s:i},s:{s:i,s:i,s:i,s:i}}}],"
        "s:i,s:i,s:i,s:i,s:i}",
        "rows", "client", "10.1.0.2", "userid", "ann", "rule", "office",
        "granted", 1, "versions", "4", "count", 2, "first", 4000, "last", 4990,
        "age", 10, "5", "count", 1, "first", 4500, "last", 4500, "age", 500,
        "total", 1, "more", 0, "since", 1, "forgotten", 0, "forgotten_refused",
        0);
    assert_non_null(expected);
    assert_true(json_equal(answer, expected));
    json_decref(expected);
    json_decref(answer);
}

static void
who_speaks_an_old_version_comes_first(void **state)
{
    (void)state;
    note(0, "10.1.0.2", "ann", office, REQUEST_SOCKS5, true, 4999);
    note(0, "10.1.0.3", "bob", office, REQUEST_SOCKS4, true, 3000);
    note(1, "10.1.0.4", "cyd", guests, REQUEST_SOCKS4A, false, 4000);
    note(1, "10.1.0.4", "dan", guests, REQUEST_SOCKS5, false, 4000);
    note(0, "10.1.0.3", "bob", office, REQUEST_SOCKS5, true, 4500);
    assert_users(NULL, NULL, "cyd bob ann dan");
    assert_users("version=4", NULL, "bob");
    assert_users("version=4,4a", NULL, "cyd bob");
    assert_users("version=5", NULL, "bob ann dan");
    assert_users("rule=guests", NULL, "cyd dan");
    assert_users("client=10.1.0.2/31", NULL, "bob ann");
    assert_users("userid=b*", NULL, "bob");
    assert_users("userid=bo", NULL, "");
    assert_users("version=5", "rule=guests", "dan");
}

static void
what_clients_say_is_text(void **state)
{
    (void)state;
    note(0, "10.1.0.2", "\x1b[2J\n", office, REQUEST_SOCKS4, true, 1);
    note(0, "2001:db8::1", "", SERIES_OTHER, REQUEST_SOCKS4, true, 2);
    json_t *answer = asked(NULL, NULL);
    json_t *rows = json_object_get(answer, "rows");
    assert_string_equal(text(json_array_get(rows, 0), "client"), "2001:db8::1");
    assert_null(text(json_array_get(rows, 0), "userid"));
    assert_null(text(json_array_get(rows, 0), "rule"));
    assert_string_equal(text(json_array_get(rows, 1), "userid"), "\x1b[2J\n");
    json_decref(answer);
}

static void
no_more_rows_are_shown_than_a_reader_can_take(void **state)
{
    char client[32];

    (void)state;
    for (unsigned i = 0; i < MIGRATION_ROWS_MAX + 7; i++) {
        snprintf(client, sizeof(client), "10.9.%u.%u", i / 256, i % 256);
        note(0, client, "ann", office, REQUEST_SOCKS4, true, 1000 + i);
    }
    json_t *answer = asked(NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "rows")),
                     MIGRATION_ROWS_MAX);
    assert_int_equal(json_integer_value(json_object_get(answer, "total")),
                     MIGRATION_ROWS_MAX + 7);
    assert_int_equal(json_integer_value(json_object_get(answer, "more")), 7);
    json_decref(answer);
}

/* As a worker that was taken over can write the tables of other slots. */
static void
tables_that_are_all_full_are_put_together_in_part(void **state)
{
    enum { SLOTS = 40, WHOLE = 32 };

    (void)state;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        struct speakers *speakers = &segment->speakers[slot];
        segment_serve(segment, slot, 1);
        for (unsigned i = 0; i < SPEAKERS_COUNT; i++) {
            struct speaker_set *set = &speakers->sets[i / SPEAKERS_WAYS];
            struct speaker *speaker = &set->entries[i % SPEAKERS_WAYS];
            set->tags[i % SPEAKERS_WAYS] = 1;
            speaker->key.client = addr_v4(slot << 16 | i);
            speaker->granted = slot != SLOTS - 1;
        }
    }
    json_t *answer = asked(NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(answer, "total")),
                     WHOLE * SPEAKERS_COUNT);
    assert_int_equal(json_integer_value(json_object_get(answer, "forgotten")),
                     (SLOTS - WHOLE - 1) * SPEAKERS_COUNT);
    assert_int_equal(
        json_integer_value(json_object_get(answer, "forgotten_refused")),
        SPEAKERS_COUNT);
    json_decref(answer);
}

static void
versions_that_there_are_not_are_refused(void **state)
{
    static const char *const wrong[] = {"version=6", "version=", "version=4,",
                                        "version=,5", "version=4 5"};
    struct observer_filter filter = {0};
    char why[FILTER_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++, filter.terms = 0) {
        assert_int_equal(filter_add(&filter, wrong[i], why), -1);
        assert_non_null(strstr(why, "write version=4, 4a, 5, or 4,4a"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_all_workers_have_seen_is_one_row,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(who_speaks_an_old_version_comes_first,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_clients_say_is_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            no_more_rows_are_shown_than_a_reader_can_take, setup, teardown),
        cmocka_unit_test_setup_teardown(
            tables_that_are_all_full_are_put_together_in_part, setup, teardown),
        cmocka_unit_test(versions_that_there_are_not_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
