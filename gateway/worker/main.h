#ifndef GATEWAY_WORKER_MAIN_H
#define GATEWAY_WORKER_MAIN_H

/*
 * The process around a worker: takes what the monitor left at the fixed
 * descriptors (gateway/channel.h), is confined, says that it is ready, and
 * serves until the monitor says otherwise. When the monitor is gone it drains
 * and ends.
 *
 * argv: as every role's, then the number of its slot, and where BINDs listen
 * without bind.ports (FIRST-LAST). Returns the exit status.
 */
int worker_main(int argc, char **argv);

/* The same without listeners, so that no client is served: whether a worker of
   this binary would come that far. It ends when it is told to drain. */
int worker_check(char **argv);

#endif
