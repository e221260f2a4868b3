#ifndef GATEWAY_MONITOR_DESCRIPTORS_H
#define GATEWAY_MONITOR_DESCRIPTORS_H

/*
 * Makes what we inherited fit: descriptors 0 to 2 exist (/dev/null where
 * they were closed), all others are close-on-exec, and the soft limit on
 * descriptors is the hard one. 0 or a negative errno.
 */
int descriptors_prepare(void);

#endif
