#include "gateway/speakers.h"

#include "gateway/series.h"
#include "tests/unit/unit.h"

static struct speakers speakers;
static uint32_t now_s;

static int
setup(void **state)
{
    (void)state;
    memset(&speakers, 0, sizeof(speakers));
    now_s = 1000;
    return 0;
}

static struct addr
v4(uint32_t ip)
{
    return addr_v4(ip);
}

/* Sources that end in one octet have one set. */
static void
note(uint32_t ip, const char *user, enum request_version version, bool granted)
{
    struct speaker_key key = speaker_key(v4(ip), user, strlen(user), 7);

    speakers_note(&speakers, ip & 0xff, &key, version, granted, now_s++);
}

/* NULL: there is none. */
static const struct speaker *
find(uint32_t ip, const char *user)
{
    static struct speaker copy;

    for (unsigned i = 0; i < SPEAKERS_COUNT; i++)
        if (speakers_read(&speakers, i, &copy) &&
            addr_equal(copy.key.client, v4(ip)) &&
            copy.key.user_len == strlen(user) &&
            memcmp(copy.key.user, user, strlen(user)) == 0)
            return &copy;
    return NULL;
}

static unsigned
count(void)
{
    struct speaker copy;
    unsigned many = 0;

    for (unsigned i = 0; i < SPEAKERS_COUNT; i++)
        many += speakers_read(&speakers, i, &copy);
    return many;
}

static void
notes_when_each_version_was_first_and_last_seen(void **state)
{
    (void)state;
    note(0x0a000001, "ann", REQUEST_SOCKS4, true);
    note(0x0a000001, "ann", REQUEST_SOCKS5, true);
    note(0x0a000001, "ann", REQUEST_SOCKS4, true);
    const struct speaker *ann = find(0x0a000001, "ann");
    assert_non_null(ann);
    assert_int_equal(ann->key.rule, 7);
    assert_int_equal(ann->seen[REQUEST_SOCKS4 - 1].count, 2);
    assert_int_equal(ann->seen[REQUEST_SOCKS4 - 1].first_s, 1000);
    assert_int_equal(ann->seen[REQUEST_SOCKS4 - 1].last_s, 1002);
    assert_int_equal(ann->seen[REQUEST_SOCKS4A - 1].count, 0);
    assert_int_equal(ann->seen[REQUEST_SOCKS5 - 1].count, 1);
    assert_int_equal(ann->seen[REQUEST_SOCKS5 - 1].last_s, 1001);
    assert_int_equal(count(), 1);
    note(0x0a000001, "", REQUEST_SOCKS4, true);
    note(0x0a000002, "ann", REQUEST_SOCKS4, true);
    assert_int_equal(count(), 3);
    assert_int_equal(speakers.forgotten, 0);
}

/* What differs behind the end of what is kept counts as one, where it is as
   long. */
static void
long_users_are_cut(void **state)
{
    char one[300], other[300];

    (void)state;
    memset(one, 'x', sizeof(one) - 1);
    one[sizeof(one) - 1] = '\0';
    memcpy(other, one, sizeof(one));
    other[SPEAKER_USER_MAX] = 'y';
    note(1, one, REQUEST_SOCKS4, true);
    note(1, other, REQUEST_SOCKS4, true);
    assert_int_equal(count(), 1);
    other[SPEAKER_USER_MAX - 1] = 'y';
    note(1, other, REQUEST_SOCKS4, true);
    one[200] = '\0';
    note(1, one, REQUEST_SOCKS4, true);
    assert_int_equal(count(), 3);
}

static void
a_client_of_many_users_pushes_out_its_own(void **state)
{
    char user[16];

    (void)state;
    for (uint32_t i = 1; i < SPEAKERS_WAYS; i++)
        note(i << 8, "ann", REQUEST_SOCKS4, true);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(user, sizeof(user), "u%u", i);
        note(0xa00, user, REQUEST_SOCKS4, true);
    }
    assert_int_equal(count(), SPEAKERS_WAYS);
    assert_non_null(find(0xa00, "u999"));
    /* The set had one place left, and it may have SPEAKERS_SHARE. */
    unsigned left = 0;
    for (uint32_t i = 1; i < SPEAKERS_WAYS; i++)
        left += find(i << 8, "ann") != NULL;
    assert_int_equal(left, SPEAKERS_WAYS - SPEAKERS_SHARE);
    assert_int_equal(speakers.forgotten, 1000 - 1);
    assert_int_equal(speakers.forgotten_refused, 0);
}

static void
neighbours_of_ipv6_are_one_source(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct speaker_key key =
            speaker_key((struct addr){0x20010db8, i}, "", 0, 1);
        speakers_note(&speakers, 3, &key, REQUEST_SOCKS4, true, now_s++);
    }
    note(0xa03, "ann", REQUEST_SOCKS4, true); /* in their set */
    for (uint64_t i = 100; i < 200; i++) {
        struct speaker_key key =
            speaker_key((struct addr){0x20010db8, i}, "", 0, 1);
        speakers_note(&speakers, 3, &key, REQUEST_SOCKS4, true, now_s++);
    }
    assert_non_null(find(0xa03, "ann"));
}

static void
what_is_refused_pushes_out_nothing_that_was_granted(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < SPEAKERS_WAYS; i++)
        note(i << 8, "ann", REQUEST_SOCKS4, true);
    for (uint32_t i = 1000; i < 2000; i++)
        note(i << 8, "eve", REQUEST_SOCKS4, false);
    assert_int_equal(speakers.forgotten, 0);
    assert_int_equal(speakers.forgotten_refused, 999);
    assert_non_null(find(1999 << 8, "eve"));
    note(5000 << 8, "bob", REQUEST_SOCKS5, true);
    assert_null(find(1999 << 8, "eve")); /* it makes room */
    for (uint32_t i = 1; i < SPEAKERS_WAYS; i++)
        assert_non_null(find(i << 8, "ann"));
    note(6000 << 8, "eve", REQUEST_SOCKS4, false);
    assert_null(find(6000 << 8, "eve"));
    assert_int_equal(speakers.forgotten, 0);
    assert_int_equal(speakers.forgotten_refused, 1001);
    /* Nor its own. */
    for (int i = 0; i < 8; i++)
        note(1 << 8, i % 2 ? "x" : "y", REQUEST_SOCKS4, false);
    assert_non_null(find(1 << 8, "ann"));
    /* What was granted once is no more refused. */
    note(1 << 8, "ann", REQUEST_SOCKS4, false);
    assert_int_equal(find(1 << 8, "ann")->granted, 1);
}

static void
who_was_seen_longest_ago_goes_first(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= SPEAKERS_WAYS; i++)
        note(i << 8, "ann", REQUEST_SOCKS4, true);
    note(1 << 8, "ann", REQUEST_SOCKS5, true); /* the first is the newest */
    note(0x5000 << 8, "bob", REQUEST_SOCKS4, true);
    assert_non_null(find(1 << 8, "ann"));
    assert_null(find(2 << 8, "ann"));
    assert_int_equal(speakers.forgotten, 1);
}

/* A worker may die between any two instructions. */
static void
what_is_half_written_is_not_read_and_written_anew(void **state)
{
    (void)state;
    note(1, "ann", REQUEST_SOCKS4, true);
    struct speaker_set *set = &speakers.sets[1];
    set->entries[0].turns++;
    assert_int_equal(count(), 0);
    note(1, "ann", REQUEST_SOCKS4, true);
    assert_int_equal(count(), 1);
    assert_int_equal(find(1, "ann")->seen[REQUEST_SOCKS4 - 1].count, 1);
}

/* By a worker that was taken over. */
static void
whatever_stands_there_is_read_within_bounds(void **state)
{
    struct speaker copy;

    (void)state;
    memset(&speakers, 0xfe, sizeof(speakers));
    for (unsigned i = 0; i < SPEAKERS_COUNT; i++) {
        assert_true(speakers_read(&speakers, i, &copy));
        assert_true(copy.key.user_len <= SPEAKER_USER_MAX);
        assert_true(copy.key.rule < SERIES_RULE_PLACES);
        assert_true(copy.granted <= 1);
    }
    note(1, "ann", REQUEST_SOCKS4, true);
    assert_non_null(find(1, "ann"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(notes_when_each_version_was_first_and_last_seen,
                               setup),
        cmocka_unit_test_setup(long_users_are_cut, setup),
        cmocka_unit_test_setup(a_client_of_many_users_pushes_out_its_own,
                               setup),
        cmocka_unit_test_setup(neighbours_of_ipv6_are_one_source, setup),
        cmocka_unit_test_setup(
            what_is_refused_pushes_out_nothing_that_was_granted, setup),
        cmocka_unit_test_setup(who_was_seen_longest_ago_goes_first, setup),
        cmocka_unit_test_setup(
            what_is_half_written_is_not_read_and_written_anew, setup),
        cmocka_unit_test_setup(whatever_stands_there_is_read_within_bounds,
                               setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
