#include "gateway/worker/verdict.h"

#include <errno.h>
#include <stddef.h>

const struct verdict_row verdict_rows[VERDICT_COUNT] = {
#define X(symbol, name, code, class, level, by, end)                           \
    {name, code, VERDICT_##class, CONFIG_LOG_##level, BY_##by, END_##end},
    VERDICTS(X)
#undef X
};

const char *
verdict_by_text(enum verdict_by by)
{
    static const char *const texts[] = {"client", "server", "gateway"};
    return texts[by];
}

const char *
verdict_end_text(enum verdict_end end)
{
    static const char *const texts[] = {"fin",   "reset", "timeout",
                                        "limit", "drain", "error"};
    return texts[end];
}

enum verdict
verdict_of_errno(int error)
{
    static const struct {
        int error;
        enum verdict verdict;
    } rows[] = {
        {-ECONNREFUSED, V_CONNECT_REFUSED},
        {-ENETUNREACH, V_CONNECT_UNREACHABLE},
        {-EHOSTUNREACH, V_CONNECT_UNREACHABLE},
        {-ENETDOWN, V_CONNECT_UNREACHABLE},
        {-ETIMEDOUT, V_CONNECT_LATE},
        {-ELOOP, V_CONNECT_SELF},
        {-EADDRNOTAVAIL, V_NO_PORT},
        {-EMFILE, V_NO_DESCRIPTOR},
        {-ENFILE, V_NO_DESCRIPTOR},
        {-ENOMEM, V_NO_MEMORY},
        {-ENOBUFS, V_NO_MEMORY},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return rows[i].verdict;
    return V_CONNECT_FAILED;
}

enum verdict
verdict_of_bind_errno(int error)
{
    if (error == -EADDRINUSE)
        return V_BIND_NO_PORT;
    enum verdict verdict = verdict_of_errno(error);
    return verdict == V_NO_DESCRIPTOR || verdict == V_NO_MEMORY
               ? verdict
               : V_BIND_NO_ADDRESS;
}
