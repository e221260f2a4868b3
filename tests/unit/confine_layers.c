/* The layers of confinement: what /proc says of a process that has put them
   on, and what becomes of one that cannot. */
#include "tests/unit/confine/attempt.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <seccomp.h>

#include "gateway/confine/privilege.h"
#include "tests/unit/unit.h"

#define BIT(layer) (1u << CONFINE_##layer)

static const struct confine_table *const every_role[] = {
    &confine_worker, &confine_logwriter, &confine_resolver};

/* --- a process that stands still and is looked at ------------------------ */

struct shown {
    char status[4096], limits[4096];
    bool owned_by_root; /* what is below /proc/PID: it is not dumpable */
};

/* Begins with groups where it can. Its stderr is the far end. */
static _Noreturn void
stand_still(const struct confine_table *table, enum confine_mode mode, int far)
{
    static const gid_t groups[] = {4, 20, 27};
    struct confinement had;
    struct msghdr nothing = {0};
    dup2(far, STDERR_FILENO);
    if (geteuid() == 0)
        (void)setgroups(COUNT(groups), groups);
    int error = confine(table, mode, attempt_uid(), attempt_gid(), &had);
    (void)!write(STDERR_FILENO, error == 0 ? "+" : "-", 1);
    recvmsg(far, &nothing, 0);
    _exit(0);
}

static void
read_file(pid_t pid, const char *name, char *text, size_t room)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, room - 1, file)] = '\0';
    fclose(file);
}

static void
look(const struct confine_table *table, enum confine_mode mode,
     struct shown *shown)
{
    int ends[2];
    char told;
    char path[64];
    struct stat status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        stand_still(table, mode, ends[1]);
    }
    close(ends[1]);
    assert_int_equal(recv(ends[0], &told, 1, 0), 1);
    assert_int_equal(told, '+');
    read_file(pid, "status", shown->status, sizeof(shown->status));
    read_file(pid, "limits", shown->limits, sizeof(shown->limits));
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    assert_int_equal(stat(path, &status), 0);
    shown->owned_by_root = status.st_uid == 0;
    close(ends[0]);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The words behind "KEY:" in a status. */
static const char *
value(const struct shown *shown, const char *key)
{
    static char line[256];
    char wanted[32];
    snprintf(wanted, sizeof(wanted), "\n%s:", key);
    const char *at = strstr(shown->status, wanted);
    assert_non_null(at);
    at += strlen(wanted);
    at += strspn(at, " \t");
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
    line[strcspn(line, " \t")] = '\0';
    return line;
}

static bool
is_empty(const struct shown *shown, const char *set)
{
    return strcmp(value(shown, set), "0000000000000000") == 0;
}

/* "Max processes 0 0 processes": soft and hard. */
static bool
is_limited(const struct shown *shown, const char *name)
{
    unsigned long soft, hard;
    const char *at = strstr(shown->limits, name);
    assert_non_null(at);
    return sscanf(at + strlen(name), "%lu %lu", &soft, &hard) == 2 &&
           soft == 0 && hard == 0;
}

static void
every_role_wears_every_layer(void **state)
{
    struct shown shown;
    (void)state;
    for (size_t i = 0; i < COUNT(every_role); i++) {
        look(every_role[i], CONFINE_REQUIRE, &shown);
        assert_string_equal(value(&shown, "Seccomp"), "2");
        assert_string_equal(value(&shown, "NoNewPrivs"), "1");
        assert_true(is_empty(&shown, "CapInh"));
        assert_true(is_empty(&shown, "CapPrm"));
        assert_true(is_empty(&shown, "CapEff"));
        assert_true(is_empty(&shown, "CapAmb"));
        assert_true(shown.owned_by_root);
        assert_true(is_limited(&shown, "Max core file size"));
        assert_true(is_limited(&shown, "Max processes"));
        assert_true(every_role[i] == &confine_logwriter ||
                    is_limited(&shown, "Max file size"));
    }
}

/* An ordinary user has no group and no set to give up. */
static void
started_as_root_it_is_another_user_without_groups_or_bounding_set(void **state)
{
    struct shown shown;
    (void)state;
    for (size_t i = 0; i < COUNT(every_role) && geteuid() == 0; i++) {
        look(every_role[i], CONFINE_TRY, &shown);
        assert_string_equal(value(&shown, "Uid"), "65534");
        assert_string_equal(value(&shown, "Gid"), "65534");
        assert_string_equal(value(&shown, "Groups"), "");
        assert_true(is_empty(&shown, "CapBnd"));
    }
}

/* --- what a process brings along ----------------------------------------- */

/* How many groups are left of one that is not its own. */
static int
confine_with_a_group(void)
{
    static const gid_t group = 4;
    struct confinement had;
    if (setgroups(1, &group) != 0 ||
        confine(&confine_logwriter, CONFINE_OFF, attempt_uid(), attempt_gid(),
                &had) != 0)
        return 255;
    return getgroups(0, NULL);
}

static void
a_single_group_that_is_not_its_own_is_left(void **state)
{
    (void)state;
    if (geteuid() == 0)
        assert_int_equal(attempt_apart(confine_with_a_group), 0);
}

/* 0 where every set is empty. */
static int
confine_as_root(void)
{
    struct confinement had;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct held[2];
    if (confine(&confine_logwriter, CONFINE_OFF, 0, 0, &had) != 0 ||
        privilege_drop_capabilities() != 0 ||
        syscall(SYS_capget, &header, held) != 0)
        return 255;
    return (held[0].permitted | held[1].permitted | held[0].effective) != 0;
}

static void
who_stays_root_has_no_capability(void **state)
{
    (void)state;
    if (geteuid() == 0)
        assert_int_equal(attempt_apart(confine_as_root), 0);
}

static void
off_is_another_user_who_gains_nothing_and_no_more(void **state)
{
    struct shown shown;
    (void)state;
    look(&confine_worker, CONFINE_OFF, &shown);
    assert_string_equal(value(&shown, "Seccomp"), "0");
    assert_string_equal(value(&shown, "NoNewPrivs"), "1");
    if (geteuid() == 0) {
        assert_string_equal(value(&shown, "Uid"), "65534");
        assert_string_equal(value(&shown, "Groups"), "");
    }
    assert_false(is_limited(&shown, "Max processes"));
}

/* --- a kernel that cannot, and one that fails ---------------------------- */

/* What this kernel is to lack: `call` ends with that errno. */
static int broken_call, broken_errno;
/* Only with this first argument; -1: any. */
static long broken_when;
static enum confine_mode mode;

static int
break_kernel(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    unsigned conditions = broken_when < 0 ? 0 : 1;
    if (filter == NULL)
        return -ENOMEM;
    int error = seccomp_rule_add(
        filter, SCMP_ACT_ERRNO((uint32_t)broken_errno), broken_call, conditions,
        SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)broken_when, 0));
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}

/* 200: confined, with nothing missing that the kernel has; 201: confined
   without landlock; 202: without seccomp; 203: failed as it was broken. */
static int
confine_on_a_broken_kernel(void)
{
    struct confinement had;
    unsigned given = BIT(BOUNDING) | BIT(GROUPS) | BIT(USER);
    if (break_kernel() != 0)
        return 255;
    int error =
        confine(&confine_worker, mode, attempt_uid(), attempt_gid(), &had);
    if (error != 0)
        return error == -broken_errno ? 203 : 255;
    if ((had.missing & ~given) == BIT(LANDLOCK))
        return 201;
    if ((had.missing & ~given) == BIT(SECCOMP))
        return 202;
    return (had.missing & ~given) == 0 ? 200 : 255;
}

static int
confined(enum confine_mode how, int call, long when, int error)
{
    mode = how;
    broken_call = call;
    broken_when = when;
    broken_errno = error;
    return attempt_apart(confine_on_a_broken_kernel);
}

#define MAKE_RULESET SCMP_SYS(landlock_create_ruleset)
#define RESTRICT SCMP_SYS(landlock_restrict_self)
#define SECCOMP SCMP_SYS(seccomp)
enum { SET_FILTER = 1, ASK_ACTION = 2 };

static void
a_kernel_that_cannot_is_no_failure_but_is_named(void **state)
{
    static const enum confine_mode modes[] = {CONFINE_TRY, CONFINE_REQUIRE};
    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        assert_int_equal(confined(modes[i], SCMP_SYS(bpf), -1, EPERM), 200);
        assert_int_equal(confined(modes[i], MAKE_RULESET, -1, ENOSYS), 201);
        assert_int_equal(confined(modes[i], MAKE_RULESET, -1, EOPNOTSUPP), 201);
        assert_int_equal(confined(modes[i], SECCOMP, ASK_ACTION, ENOSYS), 202);
    }
}

static void
try_goes_on_without_a_layer_that_fails(void **state)
{
    (void)state;
    assert_int_equal(confined(CONFINE_TRY, RESTRICT, -1, E2BIG), 201);
    assert_int_equal(confined(CONFINE_TRY, SECCOMP, SET_FILTER, ENOMEM), 202);
}

static void
require_does_not(void **state)
{
    (void)state;
    assert_int_equal(confined(CONFINE_REQUIRE, RESTRICT, -1, E2BIG), 203);
    assert_int_equal(confined(CONFINE_REQUIRE, SECCOMP, SET_FILTER, ENOMEM),
                     203);
}

/* Whoever starts as root and cannot become another must not go on. */
static void
no_mode_goes_on_as_somebody_else(void **state)
{
    static const enum confine_mode modes[] = {CONFINE_TRY, CONFINE_REQUIRE,
                                              CONFINE_OFF};
    (void)state;
    for (size_t i = 0; i < COUNT(modes) && geteuid() == 0; i++)
        assert_int_equal(confined(modes[i], SCMP_SYS(setresuid), -1, EAGAIN),
                         203);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_wears_every_layer),
        cmocka_unit_test(
            started_as_root_it_is_another_user_without_groups_or_bounding_set),
        cmocka_unit_test(a_single_group_that_is_not_its_own_is_left),
        cmocka_unit_test(who_stays_root_has_no_capability),
        cmocka_unit_test(off_is_another_user_who_gains_nothing_and_no_more),
        cmocka_unit_test(a_kernel_that_cannot_is_no_failure_but_is_named),
        cmocka_unit_test(try_goes_on_without_a_layer_that_fails),
        cmocka_unit_test(require_does_not),
        cmocka_unit_test(no_mode_goes_on_as_somebody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
