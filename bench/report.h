#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdint.h>

#include "bench/histogram.h"

/* The results of a job, printed as one line of JSON. */
struct report {
    const char *job;
    unsigned sessions;
    uint64_t count;  /* sessions or round trips completed and checked */
    uint64_t octets; /* the application's, checked */
    uint64_t began_ns, ended_ns;
    double cpu_began_s; /* processor time of this process */
    uint64_t lost;      /* datagrams that did not come back in time */
    uint64_t errors;
    char first_error[160];
    struct histogram setup; /* connect() to the last octet of the reply */
    struct histogram trip;  /* an octet or message there and back */
};

/* Start and stop the clocks. */
void report_begin(struct report *report);
void report_end(struct report *report);

/* Counts an error; the text of the first one is kept. */
void report_error(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void report_print(const struct report *report);

#endif
