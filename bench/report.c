#include "bench/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "bench/poller.h"

static double
report_cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void
report_begin(struct report *report)
{
    report->cpu_began_s = report_cpu_s();
    report->began_ns = clock_now_ns();
}

void
report_end(struct report *report)
{
    report->ended_ns = clock_now_ns();
}

void
report_error(struct report *report, const char *format, ...)
{
    va_list list;

    if (report->errors++ > 0)
        return;
    va_start(list, format);
    vsnprintf(report->first_error, sizeof report->first_error, format, list);
    va_end(list);
}

static void
report_print_histogram(const char *name, const struct histogram *histogram)
{
    if (histogram->count == 0)
        return;
    printf(", \"%s\": {\"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, "
           "\"p999\": %.2f, \"max\": %.2f}",
           name, (double)histogram_at(histogram, .5) / 1e3,
           (double)histogram_at(histogram, .9) / 1e3,
           (double)histogram_at(histogram, .99) / 1e3,
           (double)histogram_at(histogram, .999) / 1e3,
           (double)histogram->max_ns / 1e3);
}

/* All texts are constants of this program: nothing needs escaping. */
void
report_print(const struct report *report)
{
    printf("{\"job\": \"%s\", \"sessions\": %u, \"count\": %" PRIu64
           ", \"octets\": %" PRIu64 ", \"seconds\": %.6f, \"cpu_s\": %.6f",
           report->job, report->sessions, report->count, report->octets,
           (double)(report->ended_ns - report->began_ns) / 1e9,
           report_cpu_s() - report->cpu_began_s);
    printf(", \"errors\": %" PRIu64, report->errors);
    if (report->lost > 0)
        printf(", \"lost\": %" PRIu64, report->lost);
    if (report->errors > 0)
        printf(", \"first_error\": \"%s\"", report->first_error);
    report_print_histogram("setup_us", &report->setup);
    report_print_histogram("trip_us", &report->trip);
    printf("}\n");
    fflush(stdout);
}
