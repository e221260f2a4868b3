#ifndef GATEWAY_WORKER_PROBES_H
#define GATEWAY_WORKER_PROBES_H

/*
 * Static probes (USDT) of provider socks4d, for bpftrace, perf and SystemTap:
 * places in a session's life where these stop to look at it. Each is one nop in
 * the code and a note in the file; docs/probes.md says what the arguments are.
 * Nothing is computed for them, since nobody may be looking.
 *
 * Without sys/sdt.h (systemtap-sdt-dev), or with -Dprobes=disabled, they are
 * nothing.
 */
#ifdef HAVE_PROBES
#include <sys/sdt.h>

#define PROBE_ACCEPT(id, client, port, listener)                               \
    STAP_PROBE4(socks4d, accept, id, client, port, listener)
#define PROBE_DECIDE(id, verdict, rule)                                        \
    STAP_PROBE3(socks4d, decide, id, verdict, rule)
#define PROBE_DIAL(id, to, port) STAP_PROBE3(socks4d, dial, id, to, port)
#define PROBE_RELAY(id, total_ms) STAP_PROBE2(socks4d, relay, id, total_ms)
#define PROBE_END(id, verdict, code, up, down, total_ms)                       \
    STAP_PROBE6(socks4d, end, id, verdict, code, up, down, total_ms)
#define PROBE_SHED(id, limit) STAP_PROBE2(socks4d, shed, id, limit)
#else
#define PROBE_ACCEPT(id, client, port, listener) ((void)0)
#define PROBE_DECIDE(id, verdict, rule) ((void)0)
#define PROBE_DIAL(id, to, port) ((void)0)
#define PROBE_RELAY(id, total_ms) ((void)0)
#define PROBE_END(id, verdict, code, up, down, total_ms) ((void)0)
#define PROBE_SHED(id, limit) ((void)0)
#endif

#endif
