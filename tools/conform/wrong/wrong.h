#ifndef CONFORM_WRONG_WRONG_H
#define CONFORM_WRONG_WRONG_H

#include <stdbool.h>

#include "base/addr.h"

/*
 * Is a SOCKS server with that defect, until it is killed: for testing the
 * tester, and for authors of clients. "right" is one without a defect,
 * "list" prints the table. Its timers are 2.5 s, ident's 1.5 s.
 *
 * Says on stdout where it listens. Returns the program's exit status, if
 * there is no such defect or nothing to listen on.
 */
int wrong_serve(const char *name, const struct endpoint *at, bool socks4a,
                bool ident);

#endif
