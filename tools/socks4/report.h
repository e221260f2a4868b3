#ifndef TOOLS_SOCKS4_REPORT_H
#define TOOLS_SOCKS4_REPORT_H

#include <stdint.h>

#include "tools/route/route_ask.h"
#include "tools/socks4/options.h"
#include "tools/stream/stream.h"

/* The outcome, printed as one sentence or one JSON object. */
struct report {
    const struct options *options;
    const char *gateway; /* as the user wrote it */
    const char *dest;    /* "HOST:PORT" */
    int code;            /* CD or REP of the last reply; 0: none */
    uint64_t up, down;   /* octets relayed */
    int status;          /* enum status, 91 to 93, or 101 to 108 */
    unsigned forgave;
    char message[ROUTE_FAULT_MAX]; /* empty: nothing is printed */
};

/* Sets status and message from a result of route_ask over that stream. */
void report_asked(struct report *report, const struct route *route, int result,
                  const struct route_asked *asked, const struct stream *stream);

/* The same for a negative errno before the first gateway was asked anything. */
void report_unconnected(struct report *report, const struct route *route,
                        bool tls, int error, const char *text);

/* The same for a negative errno: of `what`, a gateway or one end of the relay.
   `text` says more of it. */
void report_failed(struct report *report, int error, const char *what,
                   const char *text);

void __attribute__((format(printf, 3, 4)))
report_say(struct report *report, int status, const char *format, ...);

/* Prints the report on standard error, unless it is empty; returns the exit
   status. */
int report_end(const struct report *report);

#endif
