#include "gateway/monitor/heartbeat.h"

#include "gateway/channel.h"

static unsigned
heartbeat_most(const struct heartbeat *heartbeat)
{
    return heartbeat->answered ? HEARTBEAT_MISSED : HEARTBEAT_MISSED_FIRST;
}

unsigned
heartbeat_overdue(const struct heartbeat *heartbeat)
{
    return heartbeat->unanswered - heartbeat_most(heartbeat);
}

/* A ping that finds the channel full counts as unanswered. */
static void
heartbeat_ping(struct timer *timer)
{
    struct heartbeat *heartbeat = container_of(timer, struct heartbeat, timer);
    struct channel_message ping = {.kind = CHANNEL_PING};
    if (heartbeat->unanswered >= heartbeat_most(heartbeat) &&
        heartbeat->lost(heartbeat))
        return;
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
