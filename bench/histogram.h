#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

/*
 * Counts durations in nanoseconds in cells that are at most 1/64 of their value
 * wide: the memory is fixed, and every percentile is exact to 1.6 %.
 */
#define HISTOGRAM_FINE 64
#define HISTOGRAM_CELLS (HISTOGRAM_FINE * 59)

struct histogram {
    uint64_t cells[HISTOGRAM_CELLS];
    uint64_t count;
    uint64_t max_ns;
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* The value below which `share` (0 to 1) of all lie; 0 if there is none. */
uint64_t histogram_at(const struct histogram *histogram, double share);

#endif
