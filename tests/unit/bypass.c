#include "tools/route/bypass.h"

#include <errno.h>

#include "tests/unit/unit.h"

static bool
has_address(const char *list, const char *address)
{
    struct addr addr;

    assert_int_equal(addr_parse(address, &addr), 0);
    return bypass_has_address(list, addr);
}

static void
finds_addresses_and_names(void **state)
{
    static const char list[] =
        "192.0.2.1,10.0.0.0/8,2001:db8::/32,host.example,.local,a_b";
    struct route_fault fault;

    (void)state;
    assert_int_equal(bypass_check(list, &fault), 0);
    assert_int_equal(bypass_check("", &fault), 0);
    assert_true(has_address(list, "192.0.2.1"));
    assert_true(has_address(list, "10.255.255.255"));
    assert_true(has_address(list, "2001:db8::7"));
    assert_false(has_address(list, "192.0.2.2"));
    assert_false(has_address("", "192.0.2.2"));
    assert_true(bypass_has_name(list, "HOST.example"));
    assert_true(bypass_has_name(list, "printer.local"));
    assert_false(bypass_has_name(list, "local"));
    assert_false(bypass_has_name(list, "x.host.example"));
    assert_true(bypass_has_names(list));
    assert_false(bypass_has_names("192.0.2.1,10.0.0.0/8"));
}

static void
refuses_what_would_mean_something_else(void **state)
{
    static const struct {
        const char *list, *says;
    } wrong[] = {
        {"10.0.0.0/33", "\"10.0.0.0/33\" is not an address or a network"},
        {"10.0.0.256", "\"10.0.0.256\" is not an address"},
        {"10.0.0", "not an address"},
        {"2001:db8::/129", "not an address"},
        {"host/24", "not an address"},
        {"192.0.2.1,,10.0.0.1", "is empty"},
        {",192.0.2.1", "is empty"},
        {"192.0.2.1,", "remove the last comma"},
        {"192.0.2.1 10.0.0.1", "is not an address, a network, a name"},
        {"*.example", "is not an address, a network, a name"},
        {"b\374cher.example", "is not an address, a network, a name"},
        {"host..example", "is not"},
        {"host.", "is not"},
        {".", "not an address"},
    };
    struct route_fault fault;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(bypass_check(wrong[i].list, &fault), -EINVAL);
        if (strstr(fault.text, wrong[i].says) == NULL)
            fail_msg("%s: %s", wrong[i].list, fault.text);
    }
}

static void
refuses_what_it_would_cut(void **state)
{
    static char list[BYPASS_LIST_MAX + 1];
    struct route_fault fault;

    (void)state;
    memset(list, 'x', sizeof(list) - 1);
    assert_int_equal(bypass_check(list, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "16384 octets, at most 16383"));
    for (size_t i = 0; i < BYPASS_LIST_MAX - 1; i += BYPASS_WORD_MAX)
        list[i] = 'x', list[i + BYPASS_WORD_MAX - 1] = ',';
    list[BYPASS_LIST_MAX - 1] = '\0';
    assert_int_equal(bypass_check(list, &fault), 0);
    list[BYPASS_WORD_MAX] = '\0';
    list[BYPASS_WORD_MAX - 1] = 'x';
    assert_int_equal(bypass_check(list, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "too long for a name"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_addresses_and_names),
        cmocka_unit_test(refuses_what_would_mean_something_else),
        cmocka_unit_test(refuses_what_it_would_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
