#ifndef GATEWAY_UPGRADE_CHECK_MAIN_H
#define GATEWAY_UPGRADE_CHECK_MAIN_H

/*
 * This binary as the upgrade check (monitor/upgrade_probe.h): would it do in
 * place of the one that runs? It says which handover it speaks, reads what it
 * would be handed over, parses the text in force and the configuration that
 * the command line names, and becomes a worker of that, confined, with a
 * segment of its own and without listeners. It ends when it is told to drain.
 *
 * Descriptors, from CHANNEL_FD_LOG on: the memory file of a handover, the
 * shared segment, the text in force. argv: as every role's, then the monitor's.
 * Returns the exit status; where it is not 0 a line on stderr says why.
 */
int upgrade_check_main(int argc, char **argv);

/* To a binary of hand-over version 1, in the messages of that: the versions
   differ. It then goes on, and says that a restart is needed. Returns the exit
   status. */
int upgrade_check_refuse_former(void);

#endif
