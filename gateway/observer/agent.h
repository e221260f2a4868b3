#ifndef GATEWAY_OBSERVER_AGENT_H
#define GATEWAY_OBSERVER_AGENT_H

#include <stdint.h>

#include "base/loop.h"

/* The socket of observe.agent: each connection gets the line of
   health_agent_line and is closed. */
struct observer;

struct agent {
    struct observer *observer; /* borrowed */
    struct watch listener;     /* owns its descriptor, -1 */
    uint32_t serial;           /* of that socket */
};

void agent_init(struct agent *agent, struct observer *observer);
/* Listens on fd, which is taken, in place of any before; -1: no more. One with
   the same serial is the same socket. */
void agent_listen(struct agent *agent, int fd, uint32_t serial);

#endif
