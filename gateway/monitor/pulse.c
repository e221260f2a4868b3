#include "gateway/monitor/pulse.h"

#include "gateway/channel.h"

static bool
is_lost(const struct pulse *pulse)
{
    unsigned most = pulse->felt ? PULSE_MISSED : PULSE_MISSED_FIRST;
    return pulse->unanswered >= most;
}

/* A channel that is full is one that nobody reads: unanswered, too. */
static void
ask(struct timer *timer)
{
    struct pulse *pulse = container_of(timer, struct pulse, timer);
    struct channel_message question = {.kind = CHANNEL_PING};
    if (is_lost(pulse)) {
        pulse->lost(pulse);
        return;
    }
    pulse->unanswered++;
    channel_send(pulse->channel, &question, -1);
    loop_start_timer(pulse->loop, &pulse->timer, PULSE_MS);
}

void
pulse_init(struct pulse *pulse, struct loop *loop, pulse_lost_fn *lost)
{
    *pulse = (struct pulse){.loop = loop, .lost = lost, .channel = -1};
    timer_init(&pulse->timer, ask);
}

void
pulse_start(struct pulse *pulse, int channel)
{
    pulse->channel = channel;
    pulse->felt = false;
    pulse->unanswered = 0;
    loop_start_timer(pulse->loop, &pulse->timer, PULSE_MS);
}

void
pulse_stop(struct pulse *pulse)
{
    loop_cancel_timer(pulse->loop, &pulse->timer);
}

void
pulse_feel(struct pulse *pulse)
{
    pulse->felt = true;
    pulse->unanswered = 0;
}
