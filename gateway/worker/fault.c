#include "gateway/worker/fault.h"

#include <stddef.h>

static const struct fault faults[] = {
#define X(error, accept, connect, bind)                                        \
    {-error, FAULT_##accept, V_##connect, V_##bind},
    FAULTS(X)
#undef X
};

static const struct fault unknown = {0, FAULT_PAUSE, V_CONNECT_FAILED,
                                     V_BIND_NO_ADDRESS};

const struct fault *
fault_find(int error)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (faults[i].error == error)
            return &faults[i];
    return &unknown;
}
