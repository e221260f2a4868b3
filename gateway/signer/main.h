#ifndef GATEWAY_SIGNER_MAIN_H
#define GATEWAY_SIGNER_MAIN_H

/*
 * The signer: the only process that holds private keys. The monitor sends it
 * each key as a sealed memory file (CHANNEL_FILE_KEY), before any worker may ask
 * for it. Each worker has a link to it, a seqpacket pair whose other end the
 * monitor passes with CHANNEL_LINK: requests come in, signatures go out. The
 * process ends when the control channel does.
 *
 * argv: as every role's. Returns the exit status.
 */
int signer_main(int argc, char **argv);

#endif
