#include "gateway/worker/spent_ports.h"

#include "tests/unit/unit.h"

static struct spent_ports spent;

static struct endpoint
server(unsigned number)
{
    return (struct endpoint){addr_v4(0x0a000000 + number), 80};
}

static bool
has(unsigned number, uint64_t now_us)
{
    const struct endpoint to = server(number);
    return spent_ports_has(&spent, &to, addr_v4(0), now_us);
}

static void
add(unsigned number, uint64_t now_us)
{
    const struct endpoint to = server(number);
    spent_ports_add(&spent, &to, addr_v4(0), now_us);
}

static void
a_server_is_kept_for_a_second(void **state)
{
    (void)state;
    spent = (struct spent_ports){0};
    assert_false(has(1, 0));
    add(1, 5000);
    assert_true(has(1, 5000));
    assert_true(has(1, 1004999));
    assert_false(has(1, 1005000));
    add(2, 1004000);
    assert_false(has(1, 1005000));
    assert_true(has(2, 1005000));
}

static void
another_port_address_or_source_is_another_way(void **state)
{
    struct endpoint to = server(1);
    (void)state;
    spent = (struct spent_ports){0};
    add(1, 0);
    assert_false(has(2, 1));
    assert_false(spent_ports_has(&spent, &to, addr_v4(0x0a000009), 1));
    to.port = 81;
    assert_false(spent_ports_has(&spent, &to, addr_v4(0), 1));
}

static void
of_many_the_oldest_is_dropped(void **state)
{
    (void)state;
    spent = (struct spent_ports){0};
    for (unsigned i = 0; i <= SPENT_PORTS; i++)
        add(i, i);
    assert_false(has(0, 20));
    for (unsigned i = 1; i <= SPENT_PORTS; i++)
        assert_true(has(i, 20));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_kept_for_a_second),
        cmocka_unit_test(another_port_address_or_source_is_another_way),
        cmocka_unit_test(of_many_the_oldest_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
