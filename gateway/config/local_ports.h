#ifndef GATEWAY_CONFIG_LOCAL_PORTS_H
#define GATEWAY_CONFIG_LOCAL_PORTS_H

#include <stdint.h>

/* So many BINDs can wait in one process where bind.ports is 0. */
#define LOCAL_PORTS_MAX 8192

struct local_ports {
    uint16_t first, last; /* both 0: none that could be named */
};

/*
 * Where BINDs listen if bind.ports is 0: of net.ipv4.ip_local_port_range the
 * longest run without one of ip_local_reserved_ports, the highest of equals,
 * and of it the upper LOCAL_PORTS_MAX. Where a file cannot be read, it is as
 * the kernel has it by default. `count`: from how many the kernel chooses, all
 * of the range that are not reserved. `root` stands before every path: "" but
 * in tests.
 *
 * They are taken by name because the kernel's own choice (port 0) passes over
 * every port that a closed connection has in TIME_WAIT: 120 BINDs a second are
 * enough to make each further one cost milliseconds of the processor. They are
 * not the whole range, so that such connections leave enough for CONNECTs.
 */
struct local_ports local_ports_read(const char *root, unsigned *count);

#endif
