/* Landlock alone, without the filter of system calls above it. */
#include <errno.h>
#include <fcntl.h>
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            only_the_resolver_sees_files_and_only_those_of_its_folders),
        cmocka_unit_test(a_file_that_is_replaced_by_rename_can_still_be_read),
        cmocka_unit_test(a_file_is_allowed_where_its_path_leads_and_no_folder),
        cmocka_unit_test(landlock_bounds_signals_and_tcp_where_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
