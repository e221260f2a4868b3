#ifndef TOOLS_SOCKS4CTL_VIEWS_H
#define TOOLS_SOCKS4CTL_VIEWS_H

#include <jansson.h>

/* What each command prints of its answer for people: one function a command,
   in the table of main.c. */
typedef void view_fn(const json_t *answer);

view_fn view_status;

#endif
