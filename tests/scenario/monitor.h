#ifndef SCENARIO_MONITOR_H
#define SCENARIO_MONITOR_H

#include "gateway/channel.h"
#include "gateway/worker/live_link.h"

/*
 * The monitor as a worker knows it: it hears of CONNECTs and is asked for
 * them (worker/live_link.h). It answers when the script says so.
 */
void monitor_start(void);

/* The worker's way to it; never full. */
int monitor_hear(struct live_link *link, const struct channel_message *message);

/* The next message that nobody has looked at; NULL: none. */
const struct channel_message *monitor_next(void);

/* The newest question that monitor_next gave; NULL: none. */
const struct channel_message *monitor_question(void);

#endif
