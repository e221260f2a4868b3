#ifndef GATEWAY_UPGRADE_CHECK_MAIN_H
#define GATEWAY_UPGRADE_CHECK_MAIN_H

#include "gateway/config/config.h"

/*
 * This binary as the upgrade check (monitor/upgrade_probe.h): would it do in
 * place of the one that runs? It says which handover it speaks, reads what it
 * would be handed over, parses the text in force and the configuration from
 * `source`, and becomes a worker of that, confined, with a segment of its own
 * and without listeners; there it ends when it is told to drain.
 *
 * Descriptors, from CHANNEL_FD_LOG on: the memory file of a handover, the
 * shared segment, the text in force. Returns the exit status; where it is not
 * 0 a line on stderr says why.
 */
int upgrade_check_main(const struct config_source *source);

#endif
