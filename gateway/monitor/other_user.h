#ifndef GATEWAY_MONITOR_OTHER_USER_H
#define GATEWAY_MONITOR_OTHER_USER_H

#include <stdio.h>

#include "gateway/config/config.h"

/*
 * For -t by root: the first file that another user's gateway cannot read. A
 * gateway that serves on the control socket with this configuration, and was
 * not started as root, is of such a user: then there is a warning. Where none
 * does it may be one by and by, started by a unit with User=: then there is only
 * a note, since root may start it as well, and none of a configuration that is
 * not in its place yet. Writes a line to `to`. True: it was a warning.
 *
 * A child does what the start does, as that user, and with its groups.
 */
bool other_user_warn(const struct config *config,
                     const struct config_source *source, FILE *to);

#endif
