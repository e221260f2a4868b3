#include "gateway/monitor/links.h"

#include <errno.h>
#include <unistd.h>

/* Both ends or none: half a link is mended by the next. */
static int
links_pass_ends(struct links *links, unsigned slot, const int ends[2])
{
    struct channel_message message = {
        .kind = CHANNEL_LINK, .arg = slot, .id = links->peer};
    int error = links->pass(links, slot, ends[0]);
    if (error == 0)
        error = channel_send(service_working(links->service)->control, &message,
                             ends[1]);
    return error;
}

/* False where it has to be tried again. */
static bool
links_connect_slot(struct links *links, unsigned slot)
{
    int ends[2];
    if (channel_pair(ends) != 0)
        return false;
    int error = links_pass_ends(links, slot, ends);
    close(ends[0]);
    close(ends[1]);
    return error == 0 || error == -ENOENT;
}

void
links_send(struct links *links)
{
    bool left = false;
    if (service_working(links->service)->pid == 0)
        return;
    for (unsigned i = 0; i < links->workers; i++) {
        links->wants[i] = links->wants[i] && !links_connect_slot(links, i);
        left |= links->wants[i];
    }
    if (left)
        service_send_later(links->service);
}

void
links_connect(struct links *links, unsigned slot)
{
    links->wants[slot] = true;
    if (slot >= links->workers) /* a reload has started more */
        links->workers = slot + 1;
    if (!timer_running(&links->service->send_again))
        links_send(links);
}

void
links_connect_all(struct links *links)
{
    for (unsigned i = 0; i < links->workers; i++)
        links->wants[i] = true;
    links_send(links);
}

void
links_on_message(struct links *links, const struct channel_message *message)
{
    if (message->kind != CHANNEL_ASK_LINK || message->arg >= links->workers)
        return;
    links->wants[message->arg] = true;
    service_send_later(links->service);
}
