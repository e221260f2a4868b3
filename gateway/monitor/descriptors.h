#ifndef GATEWAY_MONITOR_DESCRIPTORS_H
#define GATEWAY_MONITOR_DESCRIPTORS_H

#include "base/must_check.h"

/*
 * Makes what we inherited fit: descriptors 0 to 2 exist (/dev/null where
 * they were closed), all others are close-on-exec, and the soft limit on
 * descriptors is the hard one. 0 or a negative errno.
 */
MUST_CHECK int descriptors_prepare(void);

/* Every session takes two descriptors: makes the soft limit the hard one. 0 or
   a negative errno. */
MUST_CHECK int descriptors_raise(void);

#endif
