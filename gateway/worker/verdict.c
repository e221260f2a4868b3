#include "gateway/worker/verdict.h"

#include "gateway/worker/fault.h"

const struct verdict_row verdict_rows[VERDICT_COUNT] = {
#define X(symbol, name, code, class, level, by, end)                           \
    {name, code, VERDICT_##class, LOG_LEVEL_##level, BY_##by, END_##end},
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
    return fault_find(error)->connect;
}

enum verdict
verdict_of_bind_errno(int error)
{
    return fault_find(error)->bind;
}
