#ifndef GATEWAY_LINE_LEVEL_H
#define GATEWAY_LINE_LEVEL_H

#include <stddef.h>

#include "base/log.h"

/*
 * The level of a line of the log, for syslogd and the journal. A record in text
 * does not say its level: it is that of its verdict. Info where the line says
 * neither.
 */
enum log_level line_level(const char *line, size_t len);

#endif
