#ifndef GATEWAY_OBSERVER_COMMANDS_H
#define GATEWAY_OBSERVER_COMMANDS_H

#include <jansson.h>

#include "gateway/observer/control.h"

/*
 * The requests of the control socket: a table. Each is answered by one line;
 * those that follow something send lines until the peer closes the
 * connection. `request` is borrowed.
 */
void commands_run(struct control_connection *connection, const json_t *request);

/* The monitor says what came of request `number`. */
void commands_finish(struct control *control, uint32_t number, bool done,
                     const char *text, size_t len);

#endif
