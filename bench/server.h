#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdint.h>

/*
 * The application servers, all in one process and one loop.
 *
 *   echo    gives back every octet.
 *   source  reads an order, then sends that much of the pattern.
 *   sink    reads an order, then that much of the pattern, checks each
 *           octet, and answers with a receipt.
 *
 * An order is 16 octets: length and seed, most significant octet first; a
 * receipt is the count of good octets, in eight. Nobody here closes first:
 * that is the client's part.
 *
 * A line on standard input is answered with the counters as one line of
 * JSON; its end ends the server.
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
