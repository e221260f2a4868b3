/* What a confined process may, and what kills it: tried from inside. */
#include "tests/unit/confine/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/netset.h"
#include "base/sys.h"
#include "gateway/channel.h"
#include "gateway/confine/table.h"
#include "tests/unit/unit.h"

static const struct {
    const struct confine_table *table;
    const char *name;
} roles[] = {
    {&confine_worker, "worker"},     {&confine_logwriter, "writer"},
    {&confine_resolver, "resolver"}, {&confine_signer, "signer"},
    {&confine_observer, "observer"}, {&confine_authenticator, "authenticator"},
};

/* --- what is forbidden --------------------------------------------------- */

static void
is_killed(size_t role, const struct forbidden *forbidden)
{
    int outcome = attempt_as(roles[role].table, forbidden->attempt);
    if (outcome != OUTCOME_KILLED)
        fail_msg("%s: %s: %d", roles[role].name, forbidden->name, outcome);
}

/* The HTTP library tries sendmsg, which fails there. */
static bool
fails_for_observer(size_t role, const struct forbidden *forbidden)
{
    return roles[role].table == &confine_observer &&
           attempt_as(&confine_observer, forbidden->attempt) == ENOSYS;
}

static void
kills_what_no_role_may(void **state)
{
    (void)state;
    for (size_t role = 0; role < COUNT(roles); role++)
        for (size_t i = 0; i < forbidden_to_all_count; i++)
            if (!fails_for_observer(role, &forbidden_to_all[i]))
                is_killed(role, &forbidden_to_all[i]);
}

/* --- memory -------------------------------------------------------------- */

#define TEBIBYTE ((size_t)1 << 40)

static int
take_memory(int flags)
{
    void *taken = mmap(NULL, TEBIBYTE, PROT_READ | PROT_WRITE,
                       flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return taken == MAP_FAILED ? errno : 0;
}

static int
take_private(void)
{
    return take_memory(MAP_PRIVATE);
}

static int
take_shared(void)
{
    return take_memory(MAP_SHARED);
}

static int
take_stack(void)
{
    return take_memory(MAP_PRIVATE | MAP_GROWSDOWN);
}

static int
take_heap(void)
{
    return sbrk((intptr_t)TEBIBYTE) == (void *)-1 ? errno : 0;
}

/* Piece by piece. */
static int
take_pieces(void)
{
    for (int i = 0; i < 1024; i++)
        if (mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                 0) == MAP_FAILED)
            return errno;
    return 0;
}

static void
a_role_that_needs_little_memory_gets_no_more(void **state)
{
    static const struct confine_table *const bounded[] = {
        &confine_logwriter, &confine_resolver, &confine_signer,
        &confine_authenticator};
    static attempt_fn *const takes[] = {take_private, take_shared, take_stack,
                                        take_heap, take_pieces};

    (void)state;
    for (size_t i = 0; i < COUNT(bounded) && !CONFINE_SANITIZED; i++)
        for (size_t j = 0; j < COUNT(takes); j++)
            assert_int_equal(attempt_as(bounded[i], takes[j]), ENOMEM);
}

/* As an ordinary user, who may not raise it. */
static int
confine_below(void)
{
    struct rlimit limit = {4096, 4096};
    struct confinement had;

    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
        setresuid(attempt_uid(), attempt_uid(), attempt_uid()) != 0)
        return errno;
    static struct confine_table table;
    table = confine_logwriter;
    table.ceilings[table.ceiling_count++] =
        (struct confine_ceiling){RLIMIT_FSIZE, 8192};
    if (confine(&table, CONFINE_TRY, attempt_uid(), getegid(), &had) != 0)
        return EPERM;
    return (had.missing & 1u << CONFINE_LIMITS) != 0 ? EACCES : 0;
}

static void
a_lower_limit_of_whoever_started_it_stays(void **state)
{
    (void)state;
    assert_int_equal(attempt_apart(confine_below), 0);
}

/* clang-format off */
#define ATTEMPT(name, expression)                                              \
    static int name(void) { return (expression) < 0 ? errno : 0; }
ATTEMPT(open_to_read, open("/etc/passwd", O_RDONLY))
ATTEMPT(read_descriptor, syscall(SYS_read, 0, NULL, 0))
ATTEMPT(write_descriptor, syscall(SYS_write, 1, NULL, 0))
ATTEMPT(stat_path, syscall(SYS_newfstatat, AT_FDCWD, "/etc", NULL, 0))
ATTEMPT(socket_tcp, socket(AF_INET, SOCK_STREAM, IPPROTO_TCP))
ATTEMPT(socket_udp, socket(AF_INET, SOCK_DGRAM, 0))
ATTEMPT(socket_udp6, socket(AF_INET6, SOCK_DGRAM, 0))
ATTEMPT(socket_mptcp, socket(AF_INET, SOCK_STREAM, 262))
ATTEMPT(socket_sctp, socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP))
ATTEMPT(socket_udplite, socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE))
ATTEMPT(socket_ping, socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP))
ATTEMPT(change_flags, fcntl(0, F_SETFL, O_NONBLOCK))
ATTEMPT(count_waiting, ioctl(0, FIONREAD, NULL))
ATTEMPT(bind_socket, bind(0, NULL, 0))
ATTEMPT(listen_socket, listen(0, 1))
ATTEMPT(accept_socket, syscall(SYS_accept4, 0, NULL, NULL, 0))
ATTEMPT(connect_socket, connect(0, NULL, 0))
static int set_option(int level, int option)
{ int one = 1; return setsockopt(0, level, option, &one, sizeof(one)); }
ATTEMPT(set_linger, set_option(SOL_SOCKET, SO_LINGER))
ATTEMPT(set_low_mark, set_option(SOL_SOCKET, SO_RCVLOWAT))
ATTEMPT(set_filter, set_option(SOL_SOCKET, SO_ATTACH_FILTER))
ATTEMPT(set_mark, set_option(SOL_SOCKET, SO_MARK))
ATTEMPT(set_priority, set_option(SOL_SOCKET, SO_PRIORITY))
ATTEMPT(set_dont_route, set_option(SOL_SOCKET, SO_DONTROUTE))
ATTEMPT(set_pacing, set_option(SOL_SOCKET, SO_MAX_PACING_RATE))
ATTEMPT(set_reuse_port, set_option(SOL_SOCKET, SO_REUSEPORT))
ATTEMPT(set_device, set_option(SOL_SOCKET, SO_BINDTODEVICE))
ATTEMPT(set_segment, set_option(IPPROTO_TCP, TCP_MAXSEG))
ATTEMPT(set_cork, set_option(IPPROTO_TCP, TCP_CORK))
ATTEMPT(set_accept_late, set_option(IPPROTO_TCP, TCP_DEFER_ACCEPT))
ATTEMPT(set_congestion, set_option(IPPROTO_TCP, TCP_CONGESTION))
ATTEMPT(set_user_timeout, set_option(IPPROTO_TCP, TCP_USER_TIMEOUT))
ATTEMPT(set_linger2, set_option(IPPROTO_TCP, TCP_LINGER2))
ATTEMPT(set_ttl, set_option(IPPROTO_IP, IP_TTL))
ATTEMPT(set_tos, set_option(IPPROTO_IP, IP_TOS))
ATTEMPT(set_ip_options, set_option(IPPROTO_IP, IP_OPTIONS))
ATTEMPT(set_discovery, set_option(IPPROTO_IP, IP_MTU_DISCOVER))
ATTEMPT(set_hops, set_option(IPPROTO_IPV6, IPV6_UNICAST_HOPS))
ATTEMPT(shut_reading, shutdown(0, SHUT_RD))
ATTEMPT(shut_both, shutdown(0, SHUT_RDWR))
ATTEMPT(cut_file, ftruncate(0, 0))
ATTEMPT(make_pipe, syscall(SYS_pipe2, NULL, 0))

#define ROW(name) {#name, name}
static const struct forbidden forbidden_to_worker[] = {
    ROW(open_to_read), ROW(write_descriptor),
    ROW(stat_path), ROW(socket_mptcp), ROW(socket_sctp),
    ROW(socket_ping), ROW(socket_udplite), ROW(change_flags),
    ROW(count_waiting), ROW(cut_file),
    ROW(shut_reading), ROW(shut_both),
    ROW(set_linger), ROW(set_low_mark), ROW(set_filter), ROW(set_mark),
    ROW(set_priority), ROW(set_dont_route), ROW(set_pacing),
    ROW(set_reuse_port), ROW(set_device), ROW(set_segment), ROW(set_cork),
    ROW(set_accept_late), ROW(set_congestion), ROW(set_user_timeout),
    ROW(set_linger2), ROW(set_ttl), ROW(set_tos), ROW(set_ip_options),
    ROW(set_discovery), ROW(set_hops),
};
static const struct forbidden forbidden_to_writer[] = {
    ROW(open_to_read), ROW(read_descriptor), ROW(stat_path), ROW(socket_tcp),
    ROW(socket_udp), ROW(change_flags), ROW(count_waiting), ROW(bind_socket),
    ROW(listen_socket), ROW(accept_socket), ROW(connect_socket),
    ROW(make_pipe),
};
static const struct forbidden forbidden_to_resolver[] = {
    ROW(stat_path), ROW(count_waiting), ROW(bind_socket), ROW(listen_socket),
    ROW(accept_socket), ROW(cut_file), ROW(make_pipe), ROW(socket_mptcp),
    ROW(socket_sctp), ROW(socket_ping), ROW(socket_udplite),
};
static const struct forbidden forbidden_to_signer[] = {
    ROW(open_to_read), ROW(read_descriptor), ROW(write_descriptor),
    ROW(stat_path), ROW(socket_tcp), ROW(socket_udp), ROW(change_flags),
    ROW(count_waiting), ROW(bind_socket), ROW(listen_socket),
    ROW(accept_socket), ROW(connect_socket), ROW(shut_both), ROW(cut_file),
    ROW(make_pipe),
};
/* It accepts, and knows who connects; it opens nothing. */
static const struct forbidden forbidden_to_observer[] = {
    ROW(open_to_read), ROW(read_descriptor), ROW(write_descriptor),
    ROW(stat_path), ROW(socket_tcp), ROW(socket_udp), ROW(socket_udp6),
    ROW(change_flags), ROW(count_waiting), ROW(bind_socket),
    ROW(listen_socket), ROW(connect_socket), ROW(cut_file), ROW(make_pipe),
};
/* clang-format on */

/* Connections inherit options of a listener: only those that worker sets on
   its sessions and that the monitor sets again (inherited.h). */
static void
kills_a_worker_that_opens_a_file_or_another_kind_of_socket(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden_to_worker); i++)
        is_killed(0, &forbidden_to_worker[i]);
}

static void
kills_a_writer_that_opens_anything(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden_to_writer); i++)
        is_killed(1, &forbidden_to_writer[i]);
}

static void
kills_a_resolver_that_serves_or_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden_to_resolver); i++)
        is_killed(2, &forbidden_to_resolver[i]);
}

static void
kills_a_signer_that_opens_reads_or_connects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden_to_signer); i++)
        is_killed(3, &forbidden_to_signer[i]);
}

/* It may what a signer may, and no more. */
static void
kills_an_authenticator_that_opens_reads_or_connects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden_to_signer); i++)
        is_killed(5, &forbidden_to_signer[i]);
}

static void
kills_an_observer_that_opens_listens_or_connects(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden_to_observer); i++)
        is_killed(4, &forbidden_to_observer[i]);
}

/* --- what is allowed ----------------------------------------------------- */

/* SIGABRT, and a line on stderr, which the monitor writes to the log. */
static int stderr_pipe[2];

static int
stop_at_an_assert(void)
{
    dup2(stderr_pipe[1], STDERR_FILENO);
    struct confinement had;
    if (confine(&confine_worker, CONFINE_REQUIRE, attempt_uid(), attempt_gid(),
                &had) != 0)
        return 255;
    fputs("a fault of ours\n", stderr);
    abort();
}

static void
a_failed_assert_is_heard_and_is_no_breach(void **state)
{
    char said[64] = "";
    (void)state;
    assert_int_equal(pipe(stderr_pipe), 0);
    assert_int_equal(attempt_apart(stop_at_an_assert), OUTCOME_DIED);
    close(stderr_pipe[1]);
    assert_int_equal(read(stderr_pipe[0], said, sizeof(said) - 1), 16);
    assert_string_equal(said, "a fault of ours\n");
    close(stderr_pipe[0]);
}

static int
use_memory(void)
{
    static const size_t sizes[] = {24, 4096, 200 << 10, 64 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *octets = malloc(sizes[i]);
        CHECK(octets != NULL);
        memset(octets, 1, sizes[i]);
        octets = realloc(octets, sizes[i] * 2);
        CHECK(octets != NULL);
        free(octets);
    }
    return 0;
}

static void
every_role_has_memory(void **state)
{
    (void)state;
    for (size_t role = 0; role < COUNT(roles); role++)
        assert_int_equal(attempt_as(roles[role].table, use_memory), 0);
}

/* --- a worker ------------------------------------------------------------ */

static int poller; /* made before it is confined */

/* A connection to ourselves on a port with a filter: ends[0] accepted. */
static int
connect_within(int ends[2])
{
    struct endpoint at = {.addr = addr_v4(0x7f000001)}, peer;
    struct epoll_event event;
    int listener = sys_listen_within(&at, 0, 0, 0);
    CHECK(listener >= 0);
    CHECK(sys_poll_add(poller, listener, EPOLLIN, NULL) == 0);
    ends[1] = sys_tcp(true);
    CHECK(ends[1] >= 0 && sys_bind_source(ends[1], at.addr) == 0);
    int error = sys_connect(ends[1], &at);
    CHECK(error == 0 || error == -EINPROGRESS);
    CHECK(sys_poll_wait(poller, &event, 1, 5000) == 1);
    CHECK((ends[0] = sys_accept(listener, &peer)) >= 0);
    CHECK(sys_error(ends[1]) == 0);
    CHECK(sys_local(ends[1], &peer) == 0 && addr_equal(peer.addr, at.addr));
    CHECK(sys_poll_del(poller, listener) == 0);
    sys_close(listener);
    return 0;
}

static int
serve(void)
{
    int ends[2], pipe[2];
    struct epoll_event event;
    struct sys_memory memory;
    char octets[8];
    int error = connect_within(ends);
    if (error != 0)
        return error;
    CHECK(sys_poll_add(poller, ends[0], EPOLLIN, NULL) == 0);
    CHECK(sys_send(ends[1], "octets", 6) == 6);
    CHECK(sys_poll_wait(poller, &event, 1, 5000) == 1);
    CHECK(sys_pipe(pipe, 65536) == 0);
    CHECK(sys_splice(ends[0], pipe[1], 6) == 6);
    CHECK(sys_splice(pipe[0], ends[0], 6) == 6);
    CHECK(sys_pipe_read(pipe[0], octets, sizeof(octets)) == -EAGAIN);
    CHECK(sys_send_urgent(ends[1], 1) == 1);
    CHECK(sys_poll_wait(poller, &event, 1, 5000) == 1);
    CHECK(sys_at_mark(ends[0]) == 1);
    CHECK(sys_unacked(ends[0]) >= 0);
    CHECK(sys_memory(ends[0], &memory) == 0 && memory.in_max > 0);
    CHECK(sys_bound_in(ends[0], 65536) == 0);
    CHECK(sys_bound_out(ends[0], 65536) == 0);
    CHECK(sys_recv(ends[1], octets, sizeof(octets)) == 6);
    CHECK(sys_shutdown(ends[1]) == 0);
    sys_reset(ends[1]);
    sys_close(ends[0]);
    return 0;
}

static int
look_around(void)
{
    struct addr here = addr_v4(0x7f000001), facing, v6 = {.lo = 1};
    struct endpoint at = {.addr = v6};
    CHECK(sys_route(here, &facing) == 0 && addr_equal(facing, here));
    CHECK(sys_is_local(here));
    CHECK(sys_is_local(addr_v4(0x7f000002))); /* from 127.0.0.1 */
    int tcp = sys_tcp(false);
    CHECK(tcp >= 0 || tcp == -EAFNOSUPPORT);
    int listener = sys_listen(&at, 1, false);
    CHECK(listener >= 0 || listener == -EAFNOSUPPORT ||
          listener == -EADDRNOTAVAIL);
    CHECK(sys_now_us() > 0 && sys_wall_ms() > 0);
    return 0;
}

/* Datagrams to itself, two at once, one of them cut. */
static int
pass_datagrams(void)
{
    struct endpoint at = {.addr = addr_v4(0x7f000001)}, six = {.addr = {0, 1}};
    char octets[2][8] = {"", ""};
    struct sys_datagram datagrams[SYS_DATAGRAMS_MAX] = {
        {.octets = (uint8_t *)octets[0], .room = 8},
        {.octets = (uint8_t *)octets[1], .room = 8}};
    struct epoll_event event;
    int fd = sys_datagrams_within(&at, 40000, 49999, 1);
    CHECK(fd >= 0 && at.port >= 40000 && at.port <= 49999);
    sys_lower_in(fd, 65536);
    CHECK(sys_poll_add(poller, fd, EPOLLIN, NULL) == 0);
    CHECK(sys_recv_datagrams(fd, datagrams, 2) == -EAGAIN);
    CHECK(sys_send_datagram(fd, &at, "some", 4) == 0);
    CHECK(sys_send_datagram(fd, &at, "too long", 9) == 0);
    CHECK(sys_poll_wait(poller, &event, 1, 5000) == 1);
    CHECK(sys_recv_datagrams(fd, datagrams, 2) == 2);
    CHECK(datagrams[0].len == 4 && memcmp(octets[0], "some", 4) == 0);
    CHECK(!datagrams[0].cut && endpoint_equal(&datagrams[0].from, &at));
    CHECK(datagrams[1].cut && datagrams[1].len == 8);
    CHECK(sys_poll_del(poller, fd) == 0);
    int other = sys_datagrams_within(&six, 0, 0, 0);
    CHECK(other >= 0 || other == -EAFNOSUPPORT || other == -EADDRNOTAVAIL);
    sys_close(fd);
    return 0;
}

static void
a_worker_may_all_that_it_does(void **state)
{
    (void)state;
    poller = sys_poll_open();
    assert_true(poller >= 0);
    assert_int_equal(attempt_as(&confine_worker, serve), 0);
    assert_int_equal(attempt_as(&confine_worker, look_around), 0);
    assert_int_equal(attempt_as(&confine_worker, pass_datagrams), 0);
    sys_close(poller);
}

/* --- messages ------------------------------------------------------------ */

static int channel[2];
static int passed;

static int
exchange_messages(void)
{
    struct channel_message message = {.kind = CHANNEL_READY};
    CHECK(channel_send(channel[0], &message, -1) == 0);
    CHECK(channel_receive(channel[0], &message, &passed) == 1);
    return passed >= 0 ? 0 : EINVAL;
}

static void
every_role_may_exchange_messages(void **state)
{
    struct channel_message message = {.kind = CHANNEL_REOPEN};
    (void)state;
    for (size_t role = 0; role < COUNT(roles); role++) {
        assert_int_equal(channel_pair(channel), 0);
        assert_int_equal(channel_send(channel[1], &message, channel[1]), 0);
        assert_int_equal(attempt_as(roles[role].table, exchange_messages), 0);
        close(channel[0]);
        close(channel[1]);
    }
}

/* --- the log writer ------------------------------------------------------ */

static int log_file;

static int
write_lines(void)
{
    struct stat status;
    struct pollfd one = {.fd = log_file, .events = POLLOUT};
    CHECK(poll(&one, 1, 5000) == 1);
    CHECK(write(log_file, "a line\nhalf", 11) == 11);
    CHECK(lseek(log_file, 0, SEEK_CUR) == 11);
    CHECK(fstat(log_file, &status) == 0 && status.st_size == 11);
    CHECK(ftruncate(log_file, 7) == 0);
    CHECK(lseek(log_file, 7, SEEK_SET) == 7);
    CHECK(write(log_file, "one\n", 4) == 4);
    return close(log_file);
}

static void
a_writer_may_write_and_take_back(void **state)
{
    char path[] = "/tmp/unit-confine-XXXXXX", text[16] = "";
    (void)state;
    log_file = mkstemp(path);
    assert_true(log_file >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(attempt_as(&confine_logwriter, write_lines), 0);
    assert_int_equal(pread(log_file, text, sizeof(text), 0), 11);
    assert_string_equal(text, "a line\none\n");
    close(log_file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_what_no_role_may),
        cmocka_unit_test(a_role_that_needs_little_memory_gets_no_more),
        cmocka_unit_test(a_lower_limit_of_whoever_started_it_stays),
        cmocka_unit_test(
            kills_a_worker_that_opens_a_file_or_another_kind_of_socket),
        cmocka_unit_test(kills_a_writer_that_opens_anything),
        cmocka_unit_test(kills_a_resolver_that_serves_or_writes),
        cmocka_unit_test(kills_a_signer_that_opens_reads_or_connects),
        cmocka_unit_test(kills_an_authenticator_that_opens_reads_or_connects),
        cmocka_unit_test(kills_an_observer_that_opens_listens_or_connects),
        cmocka_unit_test(a_failed_assert_is_heard_and_is_no_breach),
        cmocka_unit_test(every_role_has_memory),
        cmocka_unit_test(a_worker_may_all_that_it_does),
        cmocka_unit_test(every_role_may_exchange_messages),
        cmocka_unit_test(a_writer_may_write_and_take_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
