#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/argument.h"
#include "bench/handshake.h"
#include "bench/server.h"

/* The command line. */
struct options {
    const char *job;
    enum protocol protocol;
    uint32_t gateway_ip;
    uint16_t gateway_port;
    bool tls; /* to the gateway */
    struct spread sources;
    struct spread targets;
    uint16_t target_port;
    struct server_ports ports; /* of `serve` */
    unsigned sessions;
    uint64_t octets; /* bulk: a session; pingpong, udp: a message */
    uint64_t run_ms;
    uint64_t limit_ms; /* a run that takes longer has failed */
    bool unfinished;   /* idle: hold requests without their last octet */
    bool barrier;
};

/* Fills `options`; prints what is wrong and returns false. */
bool options_parse(struct options *options, int argc, char **argv);

extern const char options_usage[];

#endif
