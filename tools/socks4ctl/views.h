#ifndef TOOLS_SOCKS4CTL_VIEWS_H
#define TOOLS_SOCKS4CTL_VIEWS_H

#include <jansson.h>

/* What each command prints of its answer for people: one function a command,
   in the table of main.c. The answer may be changed. */
typedef void view_fn(json_t *answer);

view_fn view_status, view_sessions, view_event, view_top, view_killed,
    view_outcome, view_traced, view_listeners, view_limits, view_parents,
    view_migration, view_config;

/* Of several gateways: which configuration each has, as comments, so that what
   differs is seen at once. */
void view_configs(json_t *merged, size_t asked);

#endif
