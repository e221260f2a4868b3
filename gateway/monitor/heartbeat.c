#include "gateway/monitor/heartbeat.h"

#include "gateway/channel.h"

static bool
heartbeat_is_lost(const struct heartbeat *heartbeat)
{
    unsigned most =
        heartbeat->answered ? HEARTBEAT_MISSED : HEARTBEAT_MISSED_FIRST;
    return heartbeat->unanswered >= most;
}

/* A ping that finds the channel full counts as unanswered. */
static void
heartbeat_ping(struct timer *timer)
{
    struct heartbeat *heartbeat = container_of(timer, struct heartbeat, timer);
    struct channel_message ping = {.kind = CHANNEL_PING};
    if (heartbeat_is_lost(heartbeat)) {
        heartbeat->lost(heartbeat);
        return;
    }
    heartbeat->unanswered++;
    channel_tell(heartbeat->channel, &ping);
    loop_start_timer(heartbeat->loop, &heartbeat->timer, HEARTBEAT_MS);
}

void
heartbeat_init(struct heartbeat *heartbeat, struct loop *loop,
               heartbeat_lost_fn *lost)
{
    *heartbeat = (struct heartbeat){.loop = loop, .lost = lost, .channel = -1};
    timer_init(&heartbeat->timer, heartbeat_ping);
}

void
heartbeat_start(struct heartbeat *heartbeat, int channel)
{
    heartbeat->channel = channel;
    heartbeat->answered = false;
    heartbeat->unanswered = 0;
    loop_start_timer(heartbeat->loop, &heartbeat->timer, HEARTBEAT_MS);
}

void
heartbeat_stop(struct heartbeat *heartbeat)
{
    loop_cancel_timer(heartbeat->loop, &heartbeat->timer);
}

void
heartbeat_pong(struct heartbeat *heartbeat)
{
    heartbeat->answered = true;
    heartbeat->unanswered = 0;
}
