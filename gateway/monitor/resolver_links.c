#include "gateway/monitor/resolver_links.h"

/* How much longer than its time-outs an old session may take to ask. */
#define GRACE_MS 1000

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
        links_connect_all(&links->links);
    return error;
}

/* The predecessor can be killed: workers ask the new one again. */
static void
resolver_links_on_ready(struct service *service)
{
    struct resolver_links *links =
        container_of(service, struct resolver_links, service);
    if (!service_has_predecessor(service))
        return;
    service_retire_predecessor(service);
    links_connect_all(&links->links);
}

static void
resolver_links_on_message(struct service *service,
                          const struct channel_message *message)
{
    struct resolver_links *links =
        container_of(service, struct resolver_links, service);
    links_on_message(&links->links, message);
}

/* Before its time: workers that want a link wait for the next one. */
static void
resolver_links_on_predecessor_end(struct service *service)
{
    struct resolver_links *links =
        container_of(service, struct resolver_links, service);
    if (service->state != SERVICE_READY)
        links_connect_all(&links->links);
}

static void
resolver_links_send(struct service *service)
{
    links_send(&container_of(service, struct resolver_links, service)->links);
}

static const struct service_rule resolver_links_rules[] = {LINKS_RULE};

static const struct service_ops resolver_links_ops = {
    .rules = resolver_links_rules,
    .rule_count = 1,
    .start = resolver_links_on_start,
    .ready = resolver_links_on_ready,
    .message = resolver_links_on_message,
    .predecessor_ended = resolver_links_on_predecessor_end,
    .send = resolver_links_send,
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
    links->links.service = service;
    links->links.peer = CHANNEL_PEER_RESOLVER;
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
    links->links.workers = workers;
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
