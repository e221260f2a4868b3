#ifndef TOOLS_SOCKS4_REPORT_H
#define TOOLS_SOCKS4_REPORT_H

#include <stdint.h>

#include "socks4/dial.h"
#include "tools/socks4/options.h"

/* The outcome, printed as one sentence or one JSON object. */
struct report {
    const struct options *options;
    const char *gateway; /* as the user wrote it */
    const char *dest;    /* "HOST:PORT" */
    int code;            /* CD of the last reply; 0: none */
    uint64_t up, down;   /* octets relayed */
    int status;          /* enum status, or 91 to 93 */
    unsigned forgave;
    char message[1024]; /* empty: nothing is printed */
};

/* Sets status and message from a result of socks4_dial_open or
   socks4_dial_accept. */
void report_dialled(struct report *report, int result,
                    const struct socks4_dialled *dialled);

void __attribute__((format(printf, 3, 4)))
report_say(struct report *report, int status, const char *format, ...);

/* Prints the report on standard error, unless it is empty; returns the exit
   status. */
int report_end(const struct report *report);

#endif
