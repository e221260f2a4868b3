#include "gateway/monitor/respawn.h"

static uint64_t
respawn_backoff(struct respawn *respawn)
{
    uint64_t wait_ms = respawn->wait_ms;
    if (wait_ms == 0)
        wait_ms = RESPAWN_FIRST_MS;
    respawn->wait_ms =
        wait_ms * 2 < RESPAWN_LAST_MS ? wait_ms * 2 : RESPAWN_LAST_MS;
    return wait_ms;
}

/* No earlier than a second after the tenth last start. */
static uint64_t
respawn_book(struct respawn_rate *rate, uint64_t at_ms)
{
    uint64_t *oldest = &rate->starts_ms[rate->next];
    if (*oldest != 0 && at_ms < *oldest + 1000)
        at_ms = *oldest + 1000;
    *oldest = at_ms;
    rate->next = (rate->next + 1) % RESPAWN_A_SECOND;
    return at_ms;
}

uint64_t
respawn_in_ms(struct respawn *respawn, struct respawn_rate *rate,
              bool was_ready, uint64_t now_ms)
{
    if (!was_ready)
        return respawn_backoff(respawn);
    respawn->wait_ms = 0;
    return respawn_book(rate, now_ms) - now_ms;
}
