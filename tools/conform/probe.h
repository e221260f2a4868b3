#ifndef CONFORM_PROBE_H
#define CONFORM_PROBE_H

#include "play.h"

/* Whether anybody answers there within `wait` ms. */
bool probe_reach(const struct place *place, unsigned wait,
                 struct tls_fault *fault);

/* Whether nobody listens there any more; a server that is started again at
   once is not gone. */
bool probe_is_gone(const struct place *place);

/*
 * Whether the server speaks 4A: given 0.0.0.1 and a USERID it waits for the
 * name, and answers when it has it. One of version 4 alone answers at once.
 */
bool probe_socks4a(const struct setting *setting);

#endif
