#ifndef BASE_BPF_H
#define BASE_BPF_H

#include <linux/filter.h>
#include <stddef.h>

#include "base/netset.h"

/* Instructions a program of bpf_sources may need for `ranges` ranges. */
#define BPF_SOURCES_SIZE(ranges) (2 + 3 * (ranges))

/*
 * Writes a classic BPF program for a listening IPv4 socket that lets
 * through what comes from an IPv4 address in the sealed set and drops
 * everything else. Returns its length, or 0 if it does not fit into `room`
 * (or into the kernel: BPF_MAXINSNS).
 */
size_t bpf_sources(const struct netset *sources, struct sock_filter *program,
                   size_t room);

#endif
