#ifndef GATEWAY_RESOLVER_RESOLVER_H
#define GATEWAY_RESOLVER_RESOLVER_H

/*
 * The resolver: the one process that reads the hosts file and asks DNS
 * [4A-4.3-1]. Each worker has a line to it, a seqpacket whose other end the
 * monitor passes with CHANNEL_LINE; questions come on it, answers go. It
 * ends with the control channel.
 *
 * argv: "--resolver" UID GID MODE [ADDRESS:PORT]...: the DNS servers; none: the
 * system's. Returns the exit status.
 */
int resolver_main(int argc, char **argv);

#endif
