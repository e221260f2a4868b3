#ifndef GATEWAY_LOGWRITER_MAIN_H
#define GATEWAY_LOGWRITER_MAIN_H

/*
 * The log writer: the one process that may wait for a file, a pipe or a
 * terminal. It takes batches of lines from CHANNEL_FD_LOG and writes them
 * to the descriptor that came last with CHANNEL_REOPEN. What cannot be
 * written (disk full, reader gone) is dropped and reported; every batch is
 * a new attempt. Lines to the journal wait for it, when nobody listens there.
 * It ends when the monitor's end of CHANNEL_FD_LOG is closed, after it has
 * written what was in there; or with CHANNEL_DRAIN between two batches, where
 * another one goes on.
 *
 * argv: as every role's (gateway/role.h). Returns the exit status.
 */
int logwriter_main(int argc, char **argv);

#endif
