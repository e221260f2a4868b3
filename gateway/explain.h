#ifndef GATEWAY_EXPLAIN_H
#define GATEWAY_EXPLAIN_H

/*
 * `socks4d explain`: what the gateway would answer to one request, in one
 * line, by the code that decides in a worker. Nothing is connected, nobody
 * is asked.
 *
 * argv[0] is "explain". Returns the exit status: 0 granted, 1 refused,
 * 2 usage (a configuration that cannot be read included).
 */
int explain_main(int argc, char **argv);

#endif
