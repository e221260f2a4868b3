#ifndef TOOLS_IMPORT_READERS_H
#define TOOLS_IMPORT_READERS_H

#include "tools/import/translation.h"

/* Read the lines of sockd.conf (Dante) or 3proxy.cfg. 0, or -1: the text is
   neither, and *line is where. */
int dante_read(struct translation *made, unsigned *line);
int threeproxy_read(struct translation *made, unsigned *line);

#endif
