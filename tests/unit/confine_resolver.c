/* c-ares in a confined process: everything it needs, and that it gets it. */
#include "tests/unit/confine/attempt.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "tests/unit/unit.h"

/* --- a server that sends who asks over UDP to TCP ------------------------ */

#define ANSWERED 0x0a0b0c0du /* 10.11.12.13 */

static char server[32]; /* ADDRESS:PORT */

struct dns {
    int udp, listener;
};

/* Both on one port: false where somebody has it for TCP. */
static bool
dns_bind(struct dns *dns)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    dns->listener = socket(AF_INET, SOCK_STREAM, 0);
    dns->udp = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(dns->udp, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(dns->udp, (struct sockaddr *)&at, &len), 0);
    snprintf(server, sizeof(server), "127.0.0.1:%d", ntohs(at.sin_port));
    return bind(dns->listener, (struct sockaddr *)&at, len) == 0;
}

static void
dns_open(struct dns *dns)
{
    for (int tries = 0; !dns_bind(dns); tries++) {
        assert_true(tries < 20);
        close(dns->udp);
        close(dns->listener);
    }
    assert_int_equal(listen(dns->listener, 8), 0);
}

/* QR and RA; TC where the rest is to be asked for by TCP. */
static void
dns_answer_udp(const struct dns *dns)
{
    uint8_t octets[512];
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t count = recvfrom(dns->udp, octets, sizeof(octets), 0,
                             (struct sockaddr *)&from, &len);
    if (count < 12)
        _exit(1);
    octets[2] |= 0x82;
    octets[3] |= 0x80;
    sendto(dns->udp, octets, (size_t)count, 0, (struct sockaddr *)&from, len);
}

/* A record of the name at offset 12: A, IN, an hour, four octets. */
static const uint8_t record[] = {0xc0, 12, 0, 1, 0,  1,  0,  0,
                                 14,   16, 0, 4, 10, 11, 12, 13};

static void
dns_answer_tcp(const struct dns *dns)
{
    uint8_t octets[2 + 512 + sizeof(record)];
    int fd = accept(dns->listener, NULL, NULL);
    ssize_t count = recv(fd, octets, 514, 0);
    if (count < 14)
        _exit(1);
    octets[4] |= 0x80;
    octets[9] = 1;   /* one answer */
    octets[13] = 0;  /* nothing beside it */
    size_t end = 14; /* of the question: its name, then type and class */
    while (octets[end] != 0)
        end += octets[end] + 1u;
    end += 5;
    memcpy(octets + end, record, sizeof(record));
    size_t length = end + sizeof(record) - 2;
    octets[0] = (uint8_t)(length >> 8);
    octets[1] = (uint8_t)length;
    send(fd, octets, length + 2, 0);
    recv(fd, octets, 1, 0); /* until it hangs up */
    close(fd);
}

static pid_t
dns_start(const struct dns *dns)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    alarm(20); /* where nobody asks */
    dns_answer_udp(dns);
    dns_answer_tcp(dns);
    _exit(0);
}

/* --- the one that asks --------------------------------------------------- */

static int poller; /* made before it is confined */

struct question {
    ares_channel channel;
    bool over;
    int status;
    uint32_t found; /* host order */
};

static void
socket_changed(void *nothing, ares_socket_t fd, int readable, int writable)
{
    uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
    (void)nothing;
    sys_poll_del(poller, fd);
    if (events != 0)
        assert_int_equal(sys_poll_add(poller, fd, events, (void *)(intptr_t)fd),
                         0);
}

static void
answered(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *question = context;
    (void)timeouts;
    question->over = true;
    question->status = status;
    if (status != ARES_SUCCESS)
        return;
    const struct sockaddr_in *in = (const void *)found->nodes->ai_addr;
    question->found = ntohl(in->sin_addr.s_addr);
    ares_freeaddrinfo(found);
}

static int
question_open(struct question *question)
{
    struct ares_options options = {
        .timeout = 5000, .tries = 1, .sock_state_cb = socket_changed};
    return ares_init_options(&question->channel, &options,
                             ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                 ARES_OPT_SOCK_STATE_CB);
}

static void
question_wait(struct question *question)
{
    struct epoll_event event;
    for (int i = 0; i < 100 && !question->over; i++) {
        int count = sys_poll_wait(poller, &event, 1, 5000);
        int fd = count == 1 ? (int)(intptr_t)event.data.ptr : ARES_SOCKET_BAD;
        ares_process_fd(question->channel,
                        event.events & EPOLLIN ? fd : ARES_SOCKET_BAD,
                        event.events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    }
}

static int
ask(const char *name, const char *servers, uint32_t expected)
{
    struct question question = {0};
    struct ares_addrinfo_hints hints = {.ai_family = AF_INET,
                                        .ai_flags = ARES_AI_NOSORT};
    if (question_open(&question) != ARES_SUCCESS)
        return 100;
    if (servers != NULL &&
        ares_set_servers_ports_csv(question.channel, servers) != ARES_SUCCESS)
        return 101;
    ares_getaddrinfo(question.channel, name, NULL, &hints, answered, &question);
    question_wait(&question);
    ares_destroy(question.channel);
    if (!question.over || question.status != ARES_SUCCESS)
        return 110 + question.status;
    return question.found == expected ? 0 : 102;
}

static int
ask_server(void)
{
    return ask("name.example", server, ANSWERED);
}

static int
ask_hosts(void)
{
    return ask("localhost", NULL, INADDR_LOOPBACK);
}

static void
a_resolver_may_ask_over_udp_and_tcp(void **state)
{
    struct dns dns;
    (void)state;
    dns_open(&dns);
    pid_t pid = dns_start(&dns);
    assert_int_equal(attempt_as(&confine_resolver, ask_server), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(dns.udp);
    close(dns.listener);
}

static void
a_resolver_may_read_the_files_of_the_system(void **state)
{
    (void)state;
    assert_int_equal(attempt_as(&confine_resolver, ask_hosts), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resolver_may_ask_over_udp_and_tcp),
        cmocka_unit_test(a_resolver_may_read_the_files_of_the_system),
    };
    poller = sys_poll_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
