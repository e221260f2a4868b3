/* Landlock alone, without the filter of system calls above it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "gateway/confine/landlock.h"
#include "gateway/confine/privilege.h"
#include "tests/unit/confine/attempt.h"
#include "tests/unit/unit.h"

/* --- files --------------------------------------------------------------- */

static const struct confine_table *seen;

static int
open_confined(const char *path)
{
    if (privilege_gain_none() != 0 || landlock_confine(seen) != 0)
        return 255;
    return open(path, O_RDONLY) < 0 ? errno : 0;
}

static int
open_passwd(void)
{
    return open_confined("/etc/passwd");
}

static int
open_elsewhere(void)
{
    return open_confined("/usr/include/errno.h");
}

static int
open_random(void)
{
    return open_confined("/dev/urandom");
}

static void
only_the_resolver_sees_files_and_only_those_of_its_folders(void **state)
{
    (void)state;
    seen = &confine_worker;
    assert_int_equal(attempt_apart(open_passwd), EACCES);
    seen = &confine_logwriter;
    assert_int_equal(attempt_apart(open_passwd), EACCES);
    seen = &confine_resolver;
    assert_int_equal(attempt_apart(open_passwd), 0);
    assert_int_equal(attempt_apart(open_random), 0);
    assert_int_equal(attempt_apart(open_elsewhere), EACCES);
}

static char replaced[] = "/tmp/unit-confine-XXXXXX";
static int turns[2];

/* As resolv.conf: read, replaced by another of its name, read again. */
static int
read_before_and_after(void)
{
    char path[64], octet;
    struct confine_folder folder = {.path = replaced};
    struct confine_table role = {.folders = &folder, .folder_count = 1};
    snprintf(path, sizeof(path), "%s/resolv.conf", replaced);
    if (privilege_gain_none() != 0 || landlock_confine(&role) != 0)
        return 255;
    for (int i = 0; i < 2; i++) {
        CHECK(open(path, O_RDONLY) >= 0);
        CHECK(send(turns[1], "", 1, 0) == 1);
        CHECK(recv(turns[1], &octet, 1, 0) == 1);
    }
    return open(path, O_WRONLY) < 0 && errno == EACCES ? 0 : EINVAL;
}

static int
replace_between(void)
{
    char path[64], next[64], octet;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, turns) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(read_before_and_after());
    close(turns[1]);
    snprintf(path, sizeof(path), "%s/resolv.conf", replaced);
    snprintf(next, sizeof(next), "%s/next", replaced);
    for (int i = 0; i < 2; i++) {
        CHECK(recv(turns[0], &octet, 1, 0) == 1);
        CHECK(close(creat(next, 0644)) == 0 && rename(next, path) == 0);
        CHECK(send(turns[0], "", 1, 0) == 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    unlink(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINVAL;
}

static void
a_file_that_is_replaced_by_rename_can_still_be_read(void **state)
{
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(replaced));
    snprintf(path, sizeof(path), "%s/resolv.conf", replaced);
    assert_int_equal(close(creat(path, 0644)), 0);
    assert_int_equal(attempt_apart(replace_between), 0);
    assert_int_equal(rmdir(replaced), 0);
}

static char linked[] = "/tmp/unit-confine-XXXXXX";
static char target[64], link_path[64];

static int
open_target(void)
{
    struct confine_folder folder = {.path = link_path, .is_file = true};
    struct confine_table role = {.folders = &folder, .folder_count = 1};

    seen = &role;
    return open_confined(target);
}

static void
a_file_is_allowed_where_its_path_leads_and_no_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(linked));
    snprintf(target, sizeof(target), "%s/target", linked);
    snprintf(link_path, sizeof(link_path), "%s/link", linked);
    assert_int_equal(close(creat(target, 0644)), 0);
    assert_int_equal(symlink(target, link_path), 0);
    assert_int_equal(attempt_apart(open_target), 0);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(attempt_apart(open_target), EACCES);
    assert_int_equal(symlink(linked, link_path), 0);
    assert_int_equal(attempt_apart(open_target), EACCES);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(symlink(link_path, link_path), 0); /* a circle */
    assert_int_equal(attempt_apart(open_target), EACCES);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(rmdir(linked), 0);
}

/* --- what it knows besides files ----------------------------------------- */

static long
landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

static int
signal_parent(void)
{
    if (privilege_gain_none() != 0 || landlock_confine(&confine_worker) != 0)
        return 255;
    return kill(getppid(), 0) < 0 ? errno : 0;
}

static int
connect_nowhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(1)};
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (privilege_gain_none() != 0 || landlock_confine(seen) != 0)
        return 255;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(tcp, (struct sockaddr *)&at, sizeof(at)) < 0 ? errno : 0;
}

static void
landlock_bounds_signals_and_tcp_where_it_can(void **state)
{
    long version = landlock_version();
    (void)state;
    assert_int_equal(attempt_apart(signal_parent), version >= 6 ? EPERM : 0);
    seen = &confine_logwriter;
    assert_int_equal(attempt_apart(connect_nowhere),
                     version >= 4 ? EACCES : ECONNREFUSED);
    seen = &confine_worker;
    assert_int_equal(attempt_apart(connect_nowhere), ECONNREFUSED);
}

/* The version that the kernel admits to. */
static long newest = LONG_MAX;

long __wrap_syscall(long number, long a, long b, long c, long d);
long __real_syscall(long number, long a, long b, long c, long d);

long
__wrap_syscall(long number, long a, long b, long c, long d)
{
    long result = __real_syscall(number, a, b, c, d);
    bool asks = number == SYS_landlock_create_ruleset && a == 0 && c == 1;
    return asks && result > newest ? newest : result;
}

static struct confine_tcp ports;

/* To or from that port of this machine: 0, or EACCES. Whether something else
   has the port is no matter. */
static int
use_port(bool connects, uint16_t port)
{
    struct confine_table role = {.tcp = true, .ports = &ports};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int tcp = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (privilege_gain_none() != 0 || landlock_confine(&role) != 0)
        return 255;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const struct sockaddr *to = (const struct sockaddr *)&at;
    int done =
        connects ? connect(tcp, to, sizeof(at)) : bind(tcp, to, sizeof(at));
    return done < 0 && errno == EACCES ? EACCES : 0;
}

#define USE(name, connects, port)                                              \
    static int name(void)                                                      \
    {                                                                          \
        return use_port(connects, port);                                       \
    }
USE(connect_inside, true, 3)
USE(connect_below, true, 1)
USE(connect_above, true, 5)
USE(connect_another, true, 9)
USE(bind_none, false, 0)
USE(bind_first, false, 40000)
USE(bind_below, false, 39999)

static void
landlock_allows_the_ports_of_the_table_and_no_others(void **state)
{
    int denied = landlock_bounds_ports() ? EACCES : 0;
    (void)state;
    ports = (struct confine_tcp){0};
    ports_add(&ports.connect, 2, 4);
    ports_add(&ports.connect, 9, 9);
    ports_add(&ports.bind, 40000, 40001);
    assert_int_equal(attempt_apart(connect_inside), 0);
    assert_int_equal(attempt_apart(connect_another), 0);
    assert_int_equal(attempt_apart(connect_below), denied);
    assert_int_equal(attempt_apart(connect_above), denied);
    assert_int_equal(attempt_apart(bind_first), 0);
    assert_int_equal(attempt_apart(bind_below), denied);
    assert_int_equal(attempt_apart(bind_none), denied);
    ports_add(&ports.bind, 0, 0);
    assert_int_equal(attempt_apart(bind_none), 0);
    assert_int_equal(attempt_apart(bind_below), denied);
    ports.connect.all = true;
    assert_int_equal(attempt_apart(connect_above), 0);
    assert_int_equal(attempt_apart(bind_below), denied);
}

/* Linux 5.13 to 6.6. */
static void
before_its_fourth_version_landlock_bounds_files_alone(void **state)
{
    (void)state;
    ports = (struct confine_tcp){0};
    for (newest = 1; newest < 4; newest++) {
        assert_false(landlock_bounds_ports());
        assert_int_equal(attempt_apart(connect_another), 0);
        assert_int_equal(attempt_apart(bind_none), 0);
        seen = &confine_worker;
        assert_int_equal(attempt_apart(open_passwd), EACCES);
    }
    newest = 4;
    assert_int_equal(landlock_bounds_ports(), landlock_version() >= 4);
    newest = LONG_MAX;
}

/* --- sets of ports ------------------------------------------------------- */

static void
ranges_that_meet_or_touch_are_one(void **state)
{
    struct ports set = {0};
    (void)state;
    ports_add(&set, 10, 20);
    ports_add(&set, 40, 50);
    ports_add(&set, 30, 30);
    assert_int_equal(set.count, 3);
    ports_add(&set, 21, 29);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.ranges[0].first, 10);
    assert_int_equal(set.ranges[0].last, 30);
    ports_add(&set, 0, 60);
    assert_int_equal(set.count, 1);
    ports_add(&set, UINT16_MAX, UINT16_MAX);
    ports_add(&set, 100, 200);
    assert_int_equal(set.count, 3);
    assert_int_equal(set.ranges[1].first, 100);
    assert_int_equal(set.ranges[2].last, UINT16_MAX);
}

static void
a_set_covers_what_lies_within_it(void **state)
{
    struct ports outer = {0}, inner = {0};
    (void)state;
    assert_true(ports_cover(&outer, &inner));
    ports_add(&inner, 5, 6);
    assert_false(ports_cover(&outer, &inner));
    ports_add(&outer, 1, 5);
    assert_false(ports_cover(&outer, &inner));
    ports_add(&outer, 6, 9);
    assert_true(ports_cover(&outer, &inner));
    inner.all = true;
    assert_false(ports_cover(&outer, &inner));
    outer.all = true;
    assert_true(ports_cover(&outer, &inner));
}

static void
a_set_of_too_many_ports_or_ranges_is_every_port(void **state)
{
    struct ports ports_of_one = {0}, many = {0};
    (void)state;
    for (uint16_t i = 0; i < PORTS_RANGES_MAX; i++)
        ports_add(&many, (uint16_t)(2 * i), (uint16_t)(2 * i));
    assert_false(many.all);
    ports_add(&many, 1000, 1000);
    assert_true(many.all);
    ports_add(&ports_of_one, 1, PORTS_MAX);
    assert_false(ports_of_one.all);
    ports_add(&ports_of_one, 60000, 60000);
    assert_true(ports_of_one.all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            only_the_resolver_sees_files_and_only_those_of_its_folders),
        cmocka_unit_test(a_file_that_is_replaced_by_rename_can_still_be_read),
        cmocka_unit_test(a_file_is_allowed_where_its_path_leads_and_no_folder),
        cmocka_unit_test(landlock_bounds_signals_and_tcp_where_it_can),
        cmocka_unit_test(landlock_allows_the_ports_of_the_table_and_no_others),
        cmocka_unit_test(before_its_fourth_version_landlock_bounds_files_alone),
        cmocka_unit_test(ranges_that_meet_or_touch_are_one),
        cmocka_unit_test(a_set_covers_what_lies_within_it),
        cmocka_unit_test(a_set_of_too_many_ports_or_ranges_is_every_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
