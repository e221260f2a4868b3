#include "gateway/worker/errno_table.h"

#include "tests/unit/unit.h"

/* What the manual pages say each call may fail with. */
static const int of_accept[] = {
    EAGAIN, EBADF,        ECONNABORTED, EINVAL,      EMFILE,
    ENFILE, ENOBUFS,      ENOMEM,       ENOTSOCK,    EOPNOTSUPP,
    EPERM,  EPROTO,       ENETDOWN,     ENOPROTOOPT, EHOSTDOWN,
    ENONET, EHOSTUNREACH, ENETUNREACH,  ETIMEDOUT,
};
static const int of_others[] = {
    /* socket */
    EACCES,
    EAFNOSUPPORT,
    EINVAL,
    EMFILE,
    ENFILE,
    ENOBUFS,
    ENOMEM,
    EPROTONOSUPPORT,
    /* bind, listen, connect */
    EPERM,
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAGAIN,
    EALREADY,
    EBADF,
    ECONNREFUSED,
    EISCONN,
    ENETUNREACH,
    ENOTSOCK,
    ETIMEDOUT,
    EHOSTUNREACH,
    ECONNRESET,
    EOPNOTSUPP,
    /* epoll_ctl */
    EEXIST,
    ENOSPC,
    ELOOP,
};

static void
every_errno_has_its_row_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(of_accept); i++)
        assert_int_equal(errno_find(-of_accept[i])->error, -of_accept[i]);
    for (size_t i = 0; i < COUNT(of_others); i++)
        assert_int_equal(errno_find(-of_others[i])->error, -of_others[i]);
}

/* The next one may be taken at once only where one was used up, or else
   accept would say the same for ever. */
static void
accepting_never_spins(void **state)
{
    (void)state;
    const int dead[] = {ECONNABORTED, EPROTO,   ENETDOWN,     ENOPROTOOPT,
                        EHOSTDOWN,    ENONET,   EHOSTUNREACH, EOPNOTSUPP,
                        ENETUNREACH,  ETIMEDOUT};
    /* A security module refuses before a connection leaves the queue. */
    const int full[] = {EMFILE,   ENFILE, ENOBUFS, ENOMEM, EBADF,
                        ENOTSOCK, EINVAL, EPERM,   EACCES, 0xfff};

    assert_int_equal(errno_find(-EAGAIN)->accept, ERRNO_NOTHING);
    for (size_t i = 0; i < COUNT(dead); i++)
        assert_int_equal(errno_find(-dead[i])->accept, ERRNO_NEXT);
    for (size_t i = 0; i < COUNT(full); i++)
        assert_int_equal(errno_find(-full[i])->accept, ERRNO_PAUSE);
}

static void
each_says_whose_it_is(void **state)
{
    (void)state;
    const struct {
        int error;
        enum verdict connect, bind;
    } rows[] = {
        {ECONNREFUSED, V_CONNECT_REFUSED, V_BIND_NO_ADDRESS},
        {EHOSTUNREACH, V_CONNECT_UNREACHABLE, V_BIND_NO_ADDRESS},
        {ETIMEDOUT, V_CONNECT_LATE, V_BIND_NO_ADDRESS},
        {ELOOP, V_CONNECT_SELF, V_BIND_NO_ADDRESS},
        {EADDRNOTAVAIL, V_NO_PORT, V_BIND_NO_ADDRESS},
        {EADDRINUSE, V_NO_PORT, V_BIND_NO_PORT},
        {EMFILE, V_NO_DESCRIPTOR, V_NO_DESCRIPTOR},
        {ENOSPC, V_NO_MEMORY, V_NO_MEMORY},
        {0xfff, V_CONNECT_FAILED, V_BIND_NO_ADDRESS},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(errno_verdict(-rows[i].error), rows[i].connect);
        assert_int_equal(errno_bind_verdict(-rows[i].error), rows[i].bind);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_errno_has_its_row_and_no_other),
        cmocka_unit_test(accepting_never_spins),
        cmocka_unit_test(each_says_whose_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
