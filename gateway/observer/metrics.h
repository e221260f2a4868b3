#ifndef GATEWAY_OBSERVER_METRICS_H
#define GATEWAY_OBSERVER_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "gateway/observer/figures.h"

/*
 * The figures as metrics, in the text format of OpenMetrics or, for a scraper
 * that does not know it, in the one of Prometheus before it. They differ in
 * some names of families and in the end.
 *
 * No label has what a client said: all of them are words of ours, numbers, or
 * names from the configuration.
 */

/* Whether a request with this header Accept (or NULL) gets OpenMetrics. */
bool metrics_accepts_open(const char *accept);
/* The Content-Type. */
const char *metrics_type(bool open);

void metrics_write(const struct figures *figures, bool open, FILE *to);

#endif
