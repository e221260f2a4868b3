#ifndef GATEWAY_RESOLVER_MAIN_H
#define GATEWAY_RESOLVER_MAIN_H

/*
 * The resolver: the only process that reads the hosts file and asks DNS
 * [4A-4.3-1]. Each worker has a link to it, a seqpacket pair whose other end
 * the monitor passes with CHANNEL_LINK: queries come in, answers go out. The
 * process ends when the control channel does, and with status 0 when another
 * one is needed to read what /etc/hosts or /etc/resolv.conf leads to now.
 *
 * argv: "--resolver" UID GID MODE [ADDRESS:PORT]...: the DNS servers; none: the
 * system's. Returns the exit status.
 */
int resolver_main(int argc, char **argv);

#endif
