#ifndef BASE_BPF_H
#define BASE_BPF_H

#include <linux/filter.h>
#include <stddef.h>

#include "base/netset.h"

/* Instructions a program of bpf_sources may need for `ranges` ranges. */
#define BPF_SOURCES_SIZE(ranges) (2 + 3 * (ranges))

/*
 * Writes a classic BPF program for a listening IPv4 socket: it accepts packets
 * from the IPv4 addresses of the sealed set and drops all others. Returns the
 * length of the program, or 0 if it is longer than `room` or BPF_MAXINSNS.
 */
size_t bpf_sources(const struct netset *sources, struct sock_filter *program,
                   size_t room);

#endif
