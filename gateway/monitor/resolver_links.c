#include "gateway/monitor/resolver_links.h"

#include <errno.h>
#include <unistd.h>

/* How much longer than its time-outs an old session may take to ask. */
#define GRACE_MS 1000

/* --- links --------------------------------------------------------------- */

/* Both ends or none: half a link is mended by the next. */
static int
resolver_links_pass_ends(struct resolver_links *links, unsigned slot,
                         const int ends[2])
{
    struct channel_message message = {.kind = CHANNEL_LINK, .arg = slot};
    int error = links->pass(links, slot, ends[0]);
    if (error == 0)
        error = channel_send(service_working(&links->service)->control,
                             &message, ends[1]);
    return error;
}

/* False where it has to be tried again. */
static bool
resolver_links_connect_slot(struct resolver_links *links, unsigned slot)
{
    int ends[2];
    if (channel_pair(ends) != 0)
        return false;
    int error = resolver_links_pass_ends(links, slot, ends);
    close(ends[0]);
    close(ends[1]);
    return error == 0 || error == -ENOENT;
}

static void
resolver_links_connect_wanted(struct service *service)
{
    struct resolver_links *links =
        container_of(service, struct resolver_links, service);
    bool left = false;
    if (service_working(service)->pid == 0)
        return;
    for (unsigned i = 0; i < links->workers; i++) {
        links->wants[i] =
            links->wants[i] && !resolver_links_connect_slot(links, i);
        left |= links->wants[i];
    }
    if (left)
        service_send_later(service);
}

void
resolver_links_connect(struct resolver_links *links, unsigned slot)
{
    links->wants[slot] = true;
    if (!timer_running(&links->service.send_again))
        resolver_links_connect_wanted(&links->service);
}

static void
resolver_links_connect_all(struct service *service)
{
    struct resolver_links *links =
        container_of(service, struct resolver_links, service);
    for (unsigned i = 0; i < links->workers; i++)
        links->wants[i] = true;
    resolver_links_connect_wanted(service);
}

/* --- the service --------------------------------------------------------- */

static void
resolver_links_note_servers(struct resolver_links *links)
{
    const struct config *config = links->config;
    links->server_count = config->resolver_server_count < LOOKUP_SERVERS_MAX
                              ? config->resolver_server_count
                              : LOOKUP_SERVERS_MAX;
    for (size_t i = 0; i < links->server_count; i++)
        links->servers[i] = config->resolver_servers[i];
}

static int
resolver_links_on_start(struct service *service)
{
    struct resolver_links *links =
        container_of(service, struct resolver_links, service);
    char texts[LOOKUP_SERVERS_MAX][ENDPOINT_TEXT_MAX];
    char *args[LOOKUP_SERVERS_MAX];
    resolver_links_note_servers(links);
    for (size_t i = 0; i < links->server_count; i++)
        args[i] = endpoint_format(&links->servers[i], texts[i]);
    int error = service_execute(service, args, links->server_count, NULL, 0);
    if (error == 0 && !service_has_predecessor(service))
        resolver_links_connect_all(service);
    return error;
}

/* The predecessor can be killed: workers ask the new one again. */
static void
resolver_links_on_ready(struct service *service)
{
    if (!service_has_predecessor(service))
        return;
    service_retire_predecessor(service);
    resolver_links_connect_all(service);
}

static void
resolver_links_on_message(struct service *service,
                          const struct channel_message *message)
{
    struct resolver_links *links =
        container_of(service, struct resolver_links, service);
    if (message->kind != CHANNEL_ASK_LINK || message->arg >= links->workers)
        return;
    links->wants[message->arg] = true;
    service_send_later(service);
}

/* Before its time: workers that want a link wait for the next one. */
static void
resolver_links_on_predecessor_end(struct service *service)
{
    if (service->state != SERVICE_READY)
        resolver_links_connect_all(service);
}

/* Each link that is lost is asked for. */
static const struct service_rule resolver_links_rules[] = {
    {CHANNEL_ASK_LINK, SERVICE_ONCE_READY, 16 * LOOKUP_LINKS_MAX},
};

static const struct service_ops resolver_links_ops = {
    .rules = resolver_links_rules,
    .rule_count = 1,
    .start = resolver_links_on_start,
    .ready = resolver_links_on_ready,
    .message = resolver_links_on_message,
    .predecessor_message = resolver_links_on_message,
    .predecessor_ended = resolver_links_on_predecessor_end,
    .send = resolver_links_connect_wanted,
};

/* --- configurations ------------------------------------------------------ */

static bool
resolver_links_are_needed(const struct resolver_links *links,
                          const struct config *config)
{
    return links->service.role->needed(config);
}

static void
resolver_links_grace_over(struct timer *timer)
{
    struct resolver_links *links =
        container_of(timer, struct resolver_links, grace);
    service_stop(&links->service);
}

static void
resolver_links_start_grace(struct resolver_links *links,
                           const struct config *before)
{
    loop_start_timer(links->service.services->loop, &links->grace,
                     before->timeouts.request_ms + before->timeouts.resolve_ms +
                         GRACE_MS);
}

static bool
resolver_links_servers_differ(const struct resolver_links *links)
{
    const struct config *config = links->config;
    if (links->server_count != config->resolver_server_count)
        return true;
    for (size_t i = 0; i < links->server_count; i++)
        if (!endpoint_equal(&links->servers[i], &config->resolver_servers[i]))
            return true;
    return false;
}

static void
resolver_links_keep(struct resolver_links *links)
{
    struct service *service = &links->service;
    loop_cancel_timer(service->services->loop, &links->grace);
    if (!service->wanted)
        service_start(service);
    else if (service->current.child.pid != 0 &&
             resolver_links_servers_differ(links))
        service_replace(service);
}

void
resolver_links_start(struct resolver_links *links, struct services *services,
                     struct handover *handover)
{
    struct service *service = &links->service;
    service_init(service, services, &roles[ROLE_RESOLVER], &resolver_links_ops,
                 NULL);
    service->auxiliary = true;
    service->restarts = true;
    timer_init(&links->grace, resolver_links_grace_over);
    service_adopt(service, handover);
    service->awaited = resolver_links_are_needed(links, links->config);
    if (service->awaited)
        service_start(service);
    else if (service_has_predecessor(service))
        resolver_links_start_grace(links, links->config);
}

void
resolver_links_reconfigure(struct resolver_links *links,
                           const struct config *config, unsigned workers)
{
    const struct config *before = links->config;
    links->config = config;
    links->workers = workers;
    links->service.awaited = resolver_links_are_needed(links, config);
    if (links->service.awaited)
        resolver_links_keep(links);
    else if (resolver_links_are_needed(links, before))
        resolver_links_start_grace(links, before);
}

void
resolver_links_fini(struct resolver_links *links)
{
    loop_cancel_timer(links->service.services->loop, &links->grace);
    service_fini(&links->service);
}
