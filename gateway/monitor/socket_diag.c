#include "gateway/monitor/socket_diag.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

struct socket_diag_question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

/* The socket is found by its address, and known by its cookie. */
static bool
socket_diag_ask(int fd, struct socket_diag_question *question)
{
    struct sockaddr_storage sa = {0};
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&sa;
    socklen_t len = sizeof(sa), cookie_len = sizeof(uint64_t);
    struct inet_diag_sockid *id = &question->body.id;

    *question = (struct socket_diag_question){
        .head = {.nlmsg_len = sizeof(*question),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_protocol = IPPROTO_TCP, .idiag_states = UINT32_MAX}};
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_COOKIE, id->idiag_cookie, &cookie_len) !=
            0)
        return false;
    question->body.sdiag_family = (uint8_t)sa.ss_family;
    if (sa.ss_family == AF_INET) {
        id->idiag_sport = v4->sin_port;
        id->idiag_src[0] = v4->sin_addr.s_addr;
    } else {
        id->idiag_sport = v6->sin6_port;
        id->idiag_if = v6->sin6_scope_id;
        memcpy(id->idiag_src, &v6->sin6_addr, sizeof(id->idiag_src));
    }
    return true;
}

/* 0 where the answer does not say: it is an error, for example. */
static uint8_t
socket_diag_read(struct nlmsghdr *head, size_t got)
{
    struct inet_diag_msg *body = NLMSG_DATA(head);

    if (!NLMSG_OK(head, got) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof(*body)))
        return 0;
    size_t left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*body));
    struct rtattr *row = (struct rtattr *)(body + 1);
    for (; RTA_OK(row, left); row = RTA_NEXT(row, left))
        if (row->rta_type == INET_DIAG_SHUTDOWN && RTA_PAYLOAD(row) == 1)
            return *(const uint8_t *)RTA_DATA(row);
    return 0;
}

/* The kernel has answered when it has taken the question. */
bool
socket_diag_is_shut(int fd)
{
    struct socket_diag_question question;
    union {
        struct nlmsghdr head;
        char octets[4096];
    } answer;
    ssize_t got = -1;

    if (!socket_diag_ask(fd, &question))
        return false;
    int diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                      NETLINK_SOCK_DIAG);
    if (diag < 0)
        return false;
    if (send(diag, &question, sizeof(question), 0) == sizeof(question))
        got = recv(diag, &answer, sizeof(answer), 0);
    close(diag);
    return got > 0 && socket_diag_read(&answer.head, (size_t)got) != 0;
}
