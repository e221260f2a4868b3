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

/* At most 384 octets of our own for a session that is idle or has begun to
   ask, what malloc takes for itself included, besides the request's own
   fields. A new field has to find room: see the holes (pahole -C session). */
static void
an_idle_session_and_an_unfinished_request_take_384_octets(void **state)
{
    (void)state;
    struct config *config = parsed("{}");

    assert_true(sizeof(struct session) <= 376);
    assert_in_range(footprint_of(config, FOOTPRINT_UNFINISHED).least,
                    sizeof(struct session), 384);
    assert_in_range(footprint_of(config, FOOTPRINT_RELAY).least,
                    sizeof(struct session), 384);
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
            an_idle_session_and_an_unfinished_request_take_384_octets),
        cmocka_unit_test(a_stalled_direction_holds_one_buffer),
        cmocka_unit_test(what_sessions_are_reckoned_at_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
