#ifndef GATEWAY_AUTHENTICATOR_MAIN_H
#define GATEWAY_AUTHENTICATOR_MAIN_H

/*
 * The authenticator: the only process that computes hashes of passwords, so
 * that a slow one stops no relay. The monitor sends it the users file as a
 * sealed memory file (CHANNEL_FILE_USERS), before any worker may ask. Each
 * worker has a link to it, a seqpacket pair whose other end the monitor passes
 * with CHANNEL_LINK: questions come in, answers go out. It computes one hash a
 * turn of its loop. The process ends when the control channel does.
 *
 * argv: as every role's. Returns the exit status.
 */
int authenticator_main(int argc, char **argv);

#endif
