#include "gateway/monitor/authenticator_links.h"

#include <unistd.h>

/* A reload waits for its workers no longer than this. */
#define RELOAD_MS 10000
/* And how much longer than its time-out a question may take. */
#define GRACE_MS 1000

static struct authenticator_links *
authenticator_links_of(struct service *service)
{
    return container_of(service, struct authenticator_links, service);
}

static bool
authenticator_links_are_needed(const struct authenticator_links *links)
{
    return links->service.role->needed(links->config);
}

/* --- the users file ------------------------------------------------------ */

static void
authenticator_links_take(struct authenticator_links *links,
                         struct config_version *config_version)
{
    struct users_copy *copy = &config_version->users;

    links->config = config_version->config;
    if (links->users != -1)
        close(links->users);
    links->users = copy->fd;
    links->len = copy->len;
    links->sent = false;
    copy->fd = -1;
}

/* The file before links: a worker that has a link may ask. */
static void
authenticator_links_send(struct service *service)
{
    struct authenticator_links *links = authenticator_links_of(service);
    struct channel_message message = {
        .kind = CHANNEL_FILE,
        .file = {.kind = CHANNEL_FILE_USERS, .len = links->len}};

    if (service->current.child.pid != 0 && links->users != -1 && !links->sent) {
        if (service_send(service, &message, links->users) != 0) {
            service_send_later(service);
            return;
        }
        links->sent = true;
    }
    links_send(&links->links);
}

/* --- the service --------------------------------------------------------- */

static int
authenticator_links_on_start(struct service *service)
{
    struct authenticator_links *links = authenticator_links_of(service);
    int error = service_execute(service, NULL, 0, NULL, 0);

    if (error != 0)
        return error;
    links->sent = false;
    if (!service_has_predecessor(service))
        for (unsigned i = 0; i < links->links.workers; i++)
            links->links.wants[i] = true;
    authenticator_links_send(service);
    return 0;
}

/* The predecessor can be killed: workers ask the new one again. */
static void
authenticator_links_on_ready(struct service *service)
{
    if (!service_has_predecessor(service))
        return;
    service_retire_predecessor(service);
    links_connect_all(&authenticator_links_of(service)->links);
}

static void
authenticator_links_on_message(struct service *service,
                               const struct channel_message *message)
{
    links_on_message(&authenticator_links_of(service)->links, message);
}

/* Before its time: workers that want a link wait for the next one. */
static void
authenticator_links_on_predecessor_end(struct service *service)
{
    if (service->state != SERVICE_READY)
        links_connect_all(&authenticator_links_of(service)->links);
}

static const struct service_rule authenticator_links_rules[] = {LINKS_RULE};

static const struct service_ops authenticator_links_ops = {
    .rules = authenticator_links_rules,
    .rule_count = 1,
    .start = authenticator_links_on_start,
    .ready = authenticator_links_on_ready,
    .message = authenticator_links_on_message,
    .predecessor_ended = authenticator_links_on_predecessor_end,
    .send = authenticator_links_send,
};

/* --- configurations ------------------------------------------------------ */

static void
authenticator_links_grace_over(struct timer *timer)
{
    struct authenticator_links *links =
        container_of(timer, struct authenticator_links, grace);

    service_stop(&links->service);
}

/* One that is needed no more ends when the sessions that may still ask it are
   over. */
static void
authenticator_links_want(struct authenticator_links *links)
{
    struct service *service = &links->service;
    struct loop *loop = service->services->loop;

    service->awaited = authenticator_links_are_needed(links);
    if (service->awaited) {
        loop_cancel_timer(loop, &links->grace);
        if (!service->wanted)
            service_start(service);
        else
            authenticator_links_send(service);
    } else if (service->wanted || service_has_predecessor(service)) {
        loop_start_timer(loop, &links->grace,
                         RELOAD_MS + links->config->timeouts.request_ms +
                             GRACE_MS);
    }
}

void
authenticator_links_start(struct authenticator_links *links,
                          struct services *services,
                          struct config_version *config_version,
                          struct handover *handover)
{
    struct service *service = &links->service;

    service_init(service, services, &roles[ROLE_AUTHENTICATOR],
                 &authenticator_links_ops, NULL);
    links->links.service = service;
    links->links.peer = CHANNEL_PEER_AUTHENTICATOR;
    service->auxiliary = true;
    links->users = -1;
    timer_init(&links->grace, authenticator_links_grace_over);
    service_adopt(service, handover);
    authenticator_links_take(links, config_version);
    authenticator_links_want(links);
}

void
authenticator_links_reconfigure(struct authenticator_links *links,
                                struct config_version *config_version)
{
    authenticator_links_take(links, config_version);
    authenticator_links_want(links);
}

void
authenticator_links_hand_over(const struct authenticator_links *links,
                              struct handover *handover)
{
    handover->users = links->users;
    handover->users_len = links->len;
}

void
authenticator_links_fini(struct authenticator_links *links)
{
    loop_cancel_timer(links->service.services->loop, &links->grace);
    if (links->users != -1)
        close(links->users);
    links->users = -1;
    service_fini(&links->service);
}
