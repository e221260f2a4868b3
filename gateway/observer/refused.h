#ifndef GATEWAY_OBSERVER_REFUSED_H
#define GATEWAY_OBSERVER_REFUSED_H

#include <stdint.h>

/*
 * How often each reason to refuse came up in the last ten minutes: the counts
 * of each ten seconds are kept for so long. A reason is a number below
 * REFUSED_REASONS.
 */
#define REFUSED_REASONS 256
#define REFUSED_STEP_S 10
#define REFUSED_STEPS 60

struct refused {
    uint64_t step; /* of the newest; 0: there is none */
    uint64_t counts[REFUSED_STEPS][REFUSED_REASONS];
    uint64_t known; /* steps, this one included */
};

/* Goes on with what another process has left, unless that would be of after
   `second`, which is now. */
void refused_resume(struct refused *refused, uint64_t second);

/* What was counted at `second`, which counts on. Before it is called first
   `refused` is zero. */
void refused_add(struct refused *refused, uint64_t second,
                 const uint64_t counts[REFUSED_REASONS]);

/* How much a reason's count of now has grown since ten minutes ago, or since
   the first that was added. */
uint64_t refused_lately(const struct refused *refused, unsigned reason,
                        uint64_t now);

#endif
