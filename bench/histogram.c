#include "bench/histogram.h"

/* Up to 2 * FINE each value has a cell; above, each doubling has FINE cells. */
static unsigned
histogram_cell(uint64_t ns)
{
    unsigned bits;

    if (ns < 2 * HISTOGRAM_FINE)
        return (unsigned)ns;
    bits = 63 - (unsigned)__builtin_clzll(ns) - 6;
    return bits * HISTOGRAM_FINE + (unsigned)(ns >> bits);
}

static uint64_t
histogram_middle(unsigned cell)
{
    unsigned bits;

    if (cell < 2 * HISTOGRAM_FINE)
        return cell;
    bits = cell / HISTOGRAM_FINE - 1;
    return ((uint64_t)(cell - bits * HISTOGRAM_FINE) << bits) +
           ((uint64_t)1 << bits) / 2;
}

void
histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->cells[histogram_cell(ns)]++;
    histogram->count++;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

uint64_t
histogram_at(const struct histogram *histogram, double share)
{
    uint64_t rank = (uint64_t)(share * (double)histogram->count);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
        seen += histogram->cells[i];
        if (seen > rank)
            return histogram_middle(i);
    }
    return histogram->max_ns;
}
