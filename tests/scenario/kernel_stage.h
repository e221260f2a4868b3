#ifndef SCENARIO_KERNEL_STAGE_H
#define SCENARIO_KERNEL_STAGE_H

/* What kernel_test.c needs besides base/sys.h: once for the simulated
   kernel, once for Linux over loopback. */

void stage_start(void);
/* Faults the kernel has noted itself. */
int stage_stop(void);

/* A standing connection, both ends ours. */
void stage_pair(int fds[2]);
/* Connects fd to where nobody listens; what connect says. */
int stage_refused_connect(int fd);
/* A listener with one connection waiting; `far` is for close_client. */
int stage_listener_with_client(int *far);
void stage_close_client(int far);

/* Lets what is under way arrive. */
void stage_settle(void);
/* How long an event that ought to come may take. */
int stage_patience_ms(void);

#endif
