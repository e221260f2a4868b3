#ifndef GATEWAY_MONITOR_RESPAWN_H
#define GATEWAY_MONITOR_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When a child that died is started again: at once if it had been ready,
 * but no more than ten children a second; one that died before it was ready
 * after 100 ms, doubling to 10 s.
 */
#define RESPAWN_A_SECOND 10
#define RESPAWN_FIRST_MS 100
#define RESPAWN_LAST_MS 10000

/* One a place that is filled again and again; all zero at first. */
struct respawn {
    uint64_t wait_ms;
};

/* The last starts, shared by many places; all zero at first. */
struct respawn_rate {
    uint64_t starts_ms[RESPAWN_A_SECOND];
    unsigned next;
};

/* In how many milliseconds; the start is taken as one that will happen. */
uint64_t respawn_in_ms(struct respawn *respawn, struct respawn_rate *rate,
                       bool was_ready, uint64_t now_ms);

#endif
