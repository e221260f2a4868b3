#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdint.h>

/*
 * The application servers, all in one process and one loop.
 *
 *   echo    returns every octet, and, on the port of the same number, every
 *           datagram.
 *   source  reads an order, then sends that much of the pattern.
 *   sink    reads an order, then that much of the pattern, checks every octet,
 *           and replies with a receipt.
 *
 * An order is 16 octets: length and seed, most significant octet first. A
 * receipt is the number of correct octets, in eight octets. The servers never
 * close first: the client does.
 *
 * The server answers each line on standard input with its counters, one line of
 * JSON, and exits at the end of standard input.
 */
struct server_ports {
    uint16_t echo;
    uint16_t source;
    uint16_t sink;
};

#define SERVER_ORDER 16
#define SERVER_RECEIPT 8

void server_put_u64(uint8_t *octets, uint64_t value);
uint64_t server_get_u64(const uint8_t *octets);

/* Serves on every address of this machine. 0, or a negative errno. */
int server_run(const struct server_ports *ports);

#endif
