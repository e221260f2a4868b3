#ifndef TOOLS_ROUTE_PASSWORD_H
#define TOOLS_ROUTE_PASSWORD_H

#include "tools/route/route.h"

/* A password, terminated. Wipe it after use. */
struct password {
    char text[SOCKS4_V5_TEXT_MAX + 1];
};

/* Reads the first line of that file, at most 255 octets. 0, or a negative
   errno and the fault, which says nothing of what is in the file. */
int password_read(struct password *password, const char *path,
                  struct route_fault *fault);

void password_wipe(struct password *password);

#endif
