#include "gateway/worker/footprint.h"

#include "gateway/worker/session.h"
#include "tests/unit/unit.h"

static struct config *
parsed(const char *text)
{
    struct config_error error;
    struct config *config =
        config_parse(NULL, text, strlen(text), &error, NULL);

    assert_non_null(config);
    return config;
}

/* At most 384 octets for a session that is idle, and 512 for one that has begun
   to ask: what malloc takes for itself included, and what the monitor finds if
   the worker dies, but not the octets of the request. A new field of the
   session has to find room, or to be one of its setup. */
static void
an_idle_session_takes_384_octets_and_an_unfinished_request_512(void **state)
{
    const size_t shared = sizeof(struct segment_session);
    struct config *config = parsed("{}");

    (void)state;
    assert_in_range(footprint_of(config, FOOTPRINT_RELAY).least,
                    sizeof(struct session), 384 - shared);
    assert_in_range(footprint_of(config, FOOTPRINT_UNFINISHED).least,
                    sizeof(struct session), 512 - shared);
    assert_in_range(footprint_of(config, FOOTPRINT_BIND).least,
                    sizeof(struct session) + sizeof(struct bind), 1024);
    config_unref(config);
}

static void
a_stalled_direction_holds_one_buffer(void **state)
{
    (void)state;
    struct config *config = parsed("{}");
    size_t held = footprint_of(config, FOOTPRINT_STALLED).least -
                  footprint_of(config, FOOTPRINT_RELAY).least;

    assert_in_range(held, 2 * RELAY_BUFFER, 2 * RELAY_BUFFER + 100);
    config_unref(config);
}

/* What all are reckoned at is enough for any of them, buffers of the
   kernel's and of slow readers aside. */
static void
what_sessions_are_reckoned_at_is_enough(void **state)
{
    (void)state;
    struct config *config = parsed("limits: {userid: 8192}");

    for (int i = 0; i < FOOTPRINT_STALLED; i++) {
        struct footprint footprint =
            footprint_of(config, (enum footprint_state)i);
        assert_true(footprint.most + 2 * RELAY_TIGHT <= CONFIG_SESSION_OCTETS);
        assert_true(footprint.least <= footprint.most);
        assert_in_range(footprint.connections, 1, 2);
    }
    config_unref(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            an_idle_session_takes_384_octets_and_an_unfinished_request_512),
        cmocka_unit_test(a_stalled_direction_holds_one_buffer),
        cmocka_unit_test(what_sessions_are_reckoned_at_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
