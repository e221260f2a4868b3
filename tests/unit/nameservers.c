#include "gateway/resolver/nameservers.h"

#include <arpa/inet.h>
#include <net/if.h>

#include "tests/unit/unit.h"

static struct nameservers servers;
static char said[512];

/* As "ADDRESS:PORT ADDRESS:PORT": what c-ares is told. */
static const char *
parse(const char *text)
{
    char *copy = strdup(text), address[INET6_ADDRSTRLEN];
    char *at = said;

    nameservers_parse(&servers, copy, strlen(text));
    free(copy);
    *at = '\0';
    const struct ares_addr_port_node *node = servers.nodes;
    for (size_t i = 0; i < servers.count; i++, node = node->next) {
        inet_ntop(node->family, &node->addr, address, sizeof(address));
        assert_int_equal(node->udp_port, node->tcp_port);
        at += sprintf(at, "%s%s:%d", i > 0 ? " " : "", address, node->udp_port);
    }
    assert_null(node);
    return said;
}

static void
nameserver_lines_name_them_in_order(void **state)
{
    (void)state;
    assert_string_equal(parse("nameserver 10.0.0.1\n  nameserver\t10.0.0.2 \r\n"
                              "nameserver fd00::1\nnameserver 10.0.0.3"),
                        "10.0.0.1:53 10.0.0.2:53 fd00::1:53 10.0.0.3:53");
}

static void
other_lines_and_comments_are_passed_over(void **state)
{
    (void)state;
    assert_string_equal(
        parse(
            "# nameserver 10.0.0.1\n; nameserver 10.0.0.2\n#nameserver 1.1.1.1"
            "\nsearch a.example\ndomain b.example\noptions timeout:1\n"
            "sortlist 10.0.0.0\nnameserver 10.0.0.3 # 10.0.0.4\n"
            "nameservers 10.0.0.5\nNAMESERVER 10.0.0.6\n"),
        "10.0.0.3:53");
}

static void
what_is_not_an_address_is_passed_over(void **state)
{
    (void)state;
    assert_string_equal(
        parse("nameserver\nnameserver dns.example\nnameserver 10.1\n"
              "nameserver 10.0.0.1:5353\nnameserver [fd00::1]:53\n"
              "nameserver 10.0.0.2\n"),
        "10.0.0.2:53");
}

static uint32_t
scope_of(size_t i)
{
    return nameservers_scope(
        &servers, (const struct in6_addr *)&servers.nodes[i].addr.addr6);
}

static void
a_link_local_one_has_its_interface(void **state)
{
    (void)state;
    assert_string_equal(
        parse("nameserver fe80::1%lo\nnameserver fe80::2%7\n"
              "nameserver fe80::3%no-such-one\nnameserver fe80::4%\n"
              "nameserver fe80::5%0\nnameserver 10.0.0.1%lo\n"
              "nameserver fe80::6%a-name-that-is-too-long-for-any\n"
              "nameserver fe80::7%99999999999\nnameserver fd00::1\n"),
        "fe80::1:53 fe80::2:53 fd00::1:53");
    assert_int_equal(scope_of(0), if_nametoindex("lo"));
    assert_int_equal(scope_of(1), 7);
    assert_int_equal(scope_of(2), 0);
}

static void
without_one_it_is_this_machine(void **state)
{
    (void)state;
    assert_string_equal(parse(""), "127.0.0.1:53");
    assert_string_equal(parse("search example\n"), "127.0.0.1:53");
}

static void
the_first_eight_count(void **state)
{
    char text[12 * 32], *at = text;

    (void)state;
    for (unsigned i = 0; i < 12; i++)
        at += sprintf(at, "nameserver 10.0.0.%u\n", i);
    parse(text);
    assert_int_equal(servers.count, 8);
    parse("nameserver 10.0.0.1\n");
    assert_int_equal(servers.count, 1);
}

static void
octets_of_any_kind_are_read_to_their_end(void **state)
{
    static const char text[] = "nameserver 10.0.0.1\0 x\n\0\0nameserver\n"
                               "nameserver 10.0.0.2\n";
    char copy[sizeof(text)];

    (void)state;
    memcpy(copy, text, sizeof(text));
    nameservers_parse(&servers, copy, sizeof(text) - 1);
    assert_int_equal(servers.count, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nameserver_lines_name_them_in_order),
        cmocka_unit_test(other_lines_and_comments_are_passed_over),
        cmocka_unit_test(what_is_not_an_address_is_passed_over),
        cmocka_unit_test(a_link_local_one_has_its_interface),
        cmocka_unit_test(without_one_it_is_this_machine),
        cmocka_unit_test(the_first_eight_count),
        cmocka_unit_test(octets_of_any_kind_are_read_to_their_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
