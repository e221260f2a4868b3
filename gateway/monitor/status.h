#ifndef GATEWAY_MONITOR_STATUS_H
#define GATEWAY_MONITOR_STATUS_H

#include "gateway/monitor/slots.h"

/* One line of gauges and counters a worker, and one of their sums. */
void status_report(const struct slots *slots);

#endif
