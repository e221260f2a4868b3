#include "gateway/observer/refused.h"

#include <string.h>

void
refused_resume(struct refused *refused, uint64_t second)
{
    if (refused->step > second / REFUSED_STEP_S + 1)
        memset(refused, 0, sizeof(*refused));
}

void
refused_add(struct refused *refused, uint64_t second,
            const uint64_t counts[REFUSED_REASONS])
{
    uint64_t step = second / REFUSED_STEP_S + 1;
    if (step <= refused->step)
        return;
    uint64_t from = refused->step == 0 ? step : refused->step + 1;
    if (step - from >= REFUSED_STEPS)
        from = step - REFUSED_STEPS + 1;
    /* Steps that were missed began as this one does. */
    for (uint64_t i = from; i <= step; i++) {
        memcpy(refused->counts[i % REFUSED_STEPS], counts,
               sizeof(refused->counts[0]));
        if (refused->known < REFUSED_STEPS)
            refused->known++;
    }
    refused->step = step;
}

uint64_t
refused_lately(const struct refused *refused, unsigned reason, uint64_t now)
{
    if (refused->known == 0)
        return 0;
    uint64_t oldest = refused->step - refused->known + 1;
    uint64_t then = refused->counts[oldest % REFUSED_STEPS][reason];
    return now > then ? now - then : 0;
}
