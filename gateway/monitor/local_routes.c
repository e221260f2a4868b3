#include "gateway/monitor/local_routes.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/* How many tables are read. */
#define TABLES_MAX 64

/* How many networks are read, before they are merged. */
#define NETWORKS_MAX 65536

/* The kernel fills no more at once. */
#define ANSWER_MAX 32768

#define EVERYTHING UINT32_MAX

/* --- what has changed ---------------------------------------------------- */

/* The kernel replaces a route by one of another type with a message of the new
   one alone: so of the table local every route counts. */
static int
local_routes_filter(int fd)
{
    const uint32_t type = offsetof(struct nlmsghdr, nlmsg_type);
    const uint32_t route = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_type);
    const uint32_t table = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_table);
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, type),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, route),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTN_LOCAL, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTN_ANYCAST, 2, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, table),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_LOCAL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, EVERYTHING),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof(program)) == 0
               ? 0
               : -errno;
}

static int
local_routes_join(int fd)
{
    const struct sockaddr_nl groups = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
                     1u << (RTNLGRP_IPV6_RULE - 1),
    };

    return bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) == 0
               ? 0
               : -errno;
}

static int
local_routes_socket(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

int
local_routes_listen(void)
{
    int fd = local_routes_socket();
    if (fd < 0)
        return fd;
    int error = local_routes_filter(fd);
    if (error == 0)
        error = local_routes_join(fd);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

/* --- a question to the kernel, and its answer ---------------------------- */

struct local_routes_question {
    struct nlmsghdr head;
    union {
        struct rtmsg route;
        struct fib_rule_hdr rule;
    } body; /* of the same size */
    struct rtattr table_head;
    uint32_t table;
};

_Static_assert(sizeof(struct rtmsg) == sizeof(struct fib_rule_hdr) &&
                   offsetof(struct local_routes_question, table_head) ==
                       NLMSG_LENGTH(sizeof(struct rtmsg)) &&
                   offsetof(struct local_routes_question, table) -
                           offsetof(struct local_routes_question, table_head) ==
                       RTA_LENGTH(0),
               "as netlink has it");

struct local_routes {
    struct netset *set;
    uint8_t family, type; /* of the routes that are asked for */
    uint32_t tables[TABLES_MAX];
    size_t table_count;
};

/* Of one message of an answer: 0 or a negative errno. */
typedef int local_routes_fn(struct local_routes *routes, struct nlmsghdr *head);

/* 1: the answer goes on; 0: it is over; or a negative errno. */
static int
local_routes_take(struct local_routes *routes, local_routes_fn *each,
                  struct nlmsghdr *head, int left)
{
    int error = 0;

    for (; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
        if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
            if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
                memcpy(&error, NLMSG_DATA(head), sizeof(error));
            return error;
        }
        error = each(routes, head);
        if (error < 0)
            return error;
    }
    return 1;
}

/* The kernel puts together what it answers when it is asked for, and for the
   next part: nothing is waited for. */
static int
local_routes_ask(struct local_routes *routes, int fd,
                 const struct local_routes_question *question,
                 local_routes_fn *each)
{
    union {
        struct nlmsghdr head;
        char octets[ANSWER_MAX];
    } answer;
    int result = 1;

    if (send(fd, question, question->head.nlmsg_len, 0) < 0)
        return -errno;
    while (result > 0) {
        ssize_t got = recv(fd, &answer, sizeof(answer), 0);
        if (got <= 0)
            return got < 0 ? -errno : -EPROTO;
        result = local_routes_take(routes, each, &answer.head, (int)got);
    }
    return result;
}

/* --- rules --------------------------------------------------------------- */

static int
local_routes_add_table(struct local_routes *routes, uint32_t table)
{
    for (size_t i = 0; i < routes->table_count; i++)
        if (routes->tables[i] == table)
            return 0;
    if (routes->table_count == TABLES_MAX)
        return -E2BIG;
    routes->tables[routes->table_count++] = table;
    return 0;
}

/* What is read of a rule. */
struct local_routes_rule {
    uint32_t table;
    uint32_t mark, mask; /* of the packets that it is for */
    bool from_elsewhere; /* it is for those that come from an interface */
};

static void
local_routes_take_number(const struct rtattr *row, uint32_t *number)
{
    if (RTA_PAYLOAD(row) == sizeof(*number))
        memcpy(number, RTA_DATA(row), sizeof(*number));
}

static void
local_routes_take_row(struct local_routes_rule *rule, const struct rtattr *row)
{
    if (row->rta_type == FRA_TABLE)
        local_routes_take_number(row, &rule->table);
    else if (row->rta_type == FRA_FWMARK)
        local_routes_take_number(row, &rule->mark);
    else if (row->rta_type == FRA_FWMASK)
        local_routes_take_number(row, &rule->mask);
    else if (row->rta_type == FRA_IIFNAME)
        rule->from_elsewhere =
            strncmp(RTA_DATA(row), "lo", RTA_PAYLOAD(row)) != 0;
}

/* Whether what this machine sends, without a mark, cannot match. */
static bool
local_routes_is_for_others(const struct local_routes_rule *rule)
{
    return rule->from_elsewhere || (rule->mark & rule->mask) != 0;
}

static int
local_routes_on_rule(struct local_routes *routes, struct nlmsghdr *head)
{
    const struct fib_rule_hdr *fixed = NLMSG_DATA(head);

    if (head->nlmsg_type != RTM_NEWRULE ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof(*fixed)) ||
        fixed->action != FR_ACT_TO_TBL)
        return 0;
    struct local_routes_rule rule = {.table = fixed->table, .mask = UINT32_MAX};
    int left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*fixed)));
    struct rtattr *row =
        (struct rtattr *)((char *)head + NLMSG_LENGTH(sizeof(*fixed)));
    for (; RTA_OK(row, left); row = RTA_NEXT(row, left))
        local_routes_take_row(&rule, row);
    bool inverted = (fixed->flags & FIB_RULE_INVERT) != 0;
    /* no table: of a virtual router (l3mdev), which the rule does not name */
    if (rule.table == RT_TABLE_UNSPEC ||
        (local_routes_is_for_others(&rule) && !inverted))
        return 0;
    return local_routes_add_table(routes, rule.table);
}

/* A kernel without rules has both tables, and no others. */
static int
local_routes_read_tables(struct local_routes *routes, int fd)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};

    routes->tables[0] = RT_TABLE_LOCAL;
    routes->tables[1] = RT_TABLE_MAIN;
    routes->table_count = 2;
    for (size_t i = 0; i < sizeof(families); i++) {
        const struct local_routes_question question = {
            .head = {.nlmsg_len = NLMSG_LENGTH(sizeof(question.body.rule)),
                     .nlmsg_type = RTM_GETRULE,
                     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
            .body.rule = {.family = families[i]}};
        int error =
            local_routes_ask(routes, fd, &question, local_routes_on_rule);
        if (error < 0 && error != -EOPNOTSUPP && error != -EAFNOSUPPORT)
            return error;
    }
    return 0;
}

/* --- routes -------------------------------------------------------------- */

/* Of the prefix: 128 bits, as addresses are kept. */
static int
local_routes_add(struct netset *set, struct addr first, unsigned prefix)
{
    struct addr last = first;

    if (set->count >= NETWORKS_MAX)
        return -E2BIG;
    last.hi |= prefix == 0   ? UINT64_MAX
               : prefix < 64 ? UINT64_MAX >> prefix
                             : 0;
    last.lo |= prefix <= 64   ? UINT64_MAX
               : prefix < 128 ? UINT64_MAX >> (prefix - 64)
                              : 0;
    return netset_add(set, first, last);
}

static int
local_routes_on_route(struct local_routes *routes, struct nlmsghdr *head)
{
    const struct rtmsg *route = NLMSG_DATA(head);
    bool v4 = routes->family == AF_INET;
    uint8_t octets[16] = {0};
    size_t octet_count = v4 ? 4 : 16;

    if (head->nlmsg_type != RTM_NEWROUTE ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof(*route)) ||
        route->rtm_family != routes->family ||
        route->rtm_type != routes->type || route->rtm_dst_len > 8 * octet_count)
        return 0;
    int left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*route)));
    struct rtattr *row =
        (struct rtattr *)((char *)head + NLMSG_LENGTH(sizeof(*route)));
    for (; RTA_OK(row, left); row = RTA_NEXT(row, left))
        if (row->rta_type == RTA_DST && RTA_PAYLOAD(row) == octet_count)
            memcpy(octets, RTA_DATA(row), octet_count);
    struct addr first = addr_from_octets(octets);
    if (v4)
        first = addr_v4((uint32_t)(first.hi >> 32));
    return local_routes_add(routes->set, first,
                            route->rtm_dst_len + (v4 ? 96u : 0));
}

/* A table that is empty may not be there (ENOENT), nor a family. */
static int
local_routes_read_kind(struct local_routes *routes, int fd, uint32_t table)
{
    const struct local_routes_question question = {
        .head = {.nlmsg_len = sizeof(question),
                 .nlmsg_type = RTM_GETROUTE,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body.route = {.rtm_family = routes->family, .rtm_type = routes->type},
        .table_head = {.rta_len = RTA_LENGTH(sizeof(table)),
                       .rta_type = RTA_TABLE},
        .table = table};
    int error = local_routes_ask(routes, fd, &question, local_routes_on_route);

    return error == -ENOENT || error == -EOPNOTSUPP || error == -EAFNOSUPPORT
               ? 0
               : error;
}

static int
local_routes_read_family(struct local_routes *routes, int fd, uint8_t family,
                         uint8_t type)
{
    int error = 0;

    routes->family = family;
    routes->type = type;
    for (size_t i = 0; i < routes->table_count && error == 0; i++)
        error = local_routes_read_kind(routes, fd, routes->tables[i]);
    return error;
}

/* Addresses of IPv4 are kept among those of IPv6, where no route of IPv6
   leads: what is sent there is sent by IPv4. */
static int
local_routes_leave_v4(struct netset *set)
{
    netset_seal(set);
    return netset_remove(set, addr_v4(0), addr_v4(UINT32_MAX));
}

static int
local_routes_read_all(struct local_routes *routes, int fd)
{
    const int strict = 1;

    /* Else the kernel would list every route that it has. */
    if (setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict,
                   sizeof(strict)) != 0)
        return -errno;
    int error = local_routes_read_tables(routes, fd);
    if (error == 0)
        error = local_routes_read_family(routes, fd, AF_INET6, RTN_LOCAL);
    if (error == 0)
        error = local_routes_read_family(routes, fd, AF_INET6, RTN_ANYCAST);
    if (error == 0)
        error = local_routes_leave_v4(routes->set);
    if (error == 0)
        error = local_routes_read_family(routes, fd, AF_INET, RTN_LOCAL);
    return error;
}

int
local_routes_read(struct netset *set)
{
    struct local_routes routes = {.set = set};
    int fd = local_routes_socket();

    if (fd < 0)
        return fd;
    int error = local_routes_read_all(&routes, fd);
    close(fd);
    return error;
}
