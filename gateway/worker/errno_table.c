#include "gateway/worker/errno_table.h"

#include <stddef.h>

static const struct errno_row errno_rows[] = {
#define X(error, accept, connect, bind)                                        \
    {-error, ERRNO_##accept, V_##connect, V_##bind},
    ERRNO_TABLE(X)
#undef X
};

static const struct errno_row unknown = {0, ERRNO_PAUSE, V_CONNECT_FAILED,
                                         V_BIND_NO_ADDRESS};

const struct errno_row *
errno_find(int error)
{
    for (size_t i = 0; i < sizeof(errno_rows) / sizeof(errno_rows[0]); i++)
        if (errno_rows[i].error == error)
            return &errno_rows[i];
    return &unknown;
}
