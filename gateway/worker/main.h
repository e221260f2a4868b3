#ifndef GATEWAY_WORKER_MAIN_H
#define GATEWAY_WORKER_MAIN_H

#include <sys/types.h>

/*
 * The process around a worker: takes what the monitor left at the fixed
 * descriptors (gateway/channel.h), is confined as `sandbox` says, says that
 * it is ready, serves until it is told otherwise. When the monitor is gone
 * it drains and ends.
 *
 * uid (uid_t)-1: stay who we are. Returns the exit status.
 */
int worker_main(unsigned slot, uid_t uid, gid_t gid);

/* The same without listeners, so that nobody is served: whether a worker of
   this binary would come that far. It ends when it is told to drain. */
int worker_check(uid_t uid, gid_t gid);

#endif
