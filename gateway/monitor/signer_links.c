#include "gateway/monitor/signer_links.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/signing_proto.h"

/* A reload waits for its workers no longer than this. */
#define RELOAD_MS 10000
/* And how much longer than its time-out a handshake may take. */
#define GRACE_MS 1000

static struct signer_links *
signer_links_of(struct service *service)
{
    return container_of(service, struct signer_links, service);
}

/* --- keys ---------------------------------------------------------------- */

/* Those of config versions before `version`, which are the first. */
static void
signer_links_drop_before(struct signer_links *links, uint32_t version)
{
    size_t gone = 0;
    while (gone < links->count && links->keys[gone].version < version)
        close(links->keys[gone++].fd);
    links->count -= gone;
    memmove(links->keys, links->keys + gone,
            links->count * sizeof(links->keys[0]));
}

/* Where there is no room the oldest config version gives up its keys. The
   newest one has room: it has no more than there are listeners and parents. */
static void
signer_links_add(struct signer_links *links, int fd, uint32_t version,
                 bool client)
{
    struct stat status;
    if (links->count == SIGNER_KEYS_MAX)
        signer_links_drop_before(links, links->keys[0].version + 1);
    if (fstat(fd, &status) != 0 || links->count == SIGNER_KEYS_MAX) {
        close(fd);
        return;
    }
    links->keys[links->count++] =
        (struct signer_key){.fd = fd,
                            .len = (uint64_t)status.st_size,
                            .version = version,
                            .client = client};
}

static void
signer_links_take(struct signer_links *links,
                  struct config_version *config_version)
{
    struct certificates *certificates = &config_version->certificates;
    links->config = config_version->config;
    links->version = config_version->number;
    if (links->config->timeouts.request_ms > links->request_ms)
        links->request_ms = links->config->timeouts.request_ms;
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        if (certificates->keys[i] != -1) {
            signer_links_add(links, certificates->keys[i], links->version,
                             i >= CONFIG_LISTENERS_MAX);
            certificates->keys[i] = -1;
        }
}

static int
signer_links_send_key(struct signer_links *links, const struct signer_key *key)
{
    struct channel_message message = {
        .kind = CHANNEL_FILE,
        .arg = key->version,
        .file = {.kind = CHANNEL_FILE_KEY,
                 .len = key->len,
                 .index = key->client ? KEY_CLIENT : KEY_SERVER}};
    return service_send(&links->service, &message, key->fd);
}

/* Keys before links: a worker that has a link may ask for any of them. */
static void
signer_links_send(struct service *service)
{
    struct signer_links *links = signer_links_of(service);
    if (service->current.child.pid != 0)
        for (size_t i = 0; i < links->count; i++) {
            struct signer_key *key = &links->keys[i];
            if (!key->sent && signer_links_send_key(links, key) != 0) {
                service_send_later(service);
                return;
            }
            key->sent = true;
        }
    links_send(&links->links);
}

/* Where it runs already it begins anew, for the newest, when it is over. */
static void
signer_links_start_grace(struct signer_links *links)
{
    if (timer_running(&links->grace))
        return;
    links->grace_version = links->version;
    loop_start_timer(links->service.services->loop, &links->grace,
                     RELOAD_MS + links->request_ms + GRACE_MS);
}

/* No worker asks for them any more; one that was replaced, or drains, had the
   next config version long ago. */
static void
signer_links_grace_over(struct timer *timer)
{
    struct signer_links *links =
        container_of(timer, struct signer_links, grace);
    struct channel_message message = {.kind = CHANNEL_KEYS_UNUSED,
                                      .arg = links->grace_version};
    signer_links_drop_before(links, links->grace_version);
    if (links->version != links->grace_version)
        signer_links_start_grace(links);
    else if (!links->service.role->needed(links->config))
        service_stop(&links->service);
    /* One whose channel is full keeps them until the next time. */
    if (links->service.current.child.pid != 0)
        service_tell(&links->service, &message);
}

/* --- the service --------------------------------------------------------- */

static int
signer_links_on_start(struct service *service)
{
    struct signer_links *links = signer_links_of(service);
    int error = service_execute(service, NULL, 0, NULL, 0);
    if (error != 0)
        return error;
    for (size_t i = 0; i < links->count; i++)
        links->keys[i].sent = false;
    if (!service_has_predecessor(service))
        for (unsigned i = 0; i < links->links.workers; i++)
            links->links.wants[i] = true;
    signer_links_send(service);
    return 0;
}

/* The predecessor can be killed: workers ask the new one again. */
static void
signer_links_on_ready(struct service *service)
{
    struct signer_links *links = signer_links_of(service);
    if (!service_has_predecessor(service))
        return;
    service_retire_predecessor(service);
    links_connect_all(&links->links);
}

static void
signer_links_on_message(struct service *service,
                        const struct channel_message *message)
{
    links_on_message(&signer_links_of(service)->links, message);
}

/* Before its time: workers that want a link wait for the next one. */
static void
signer_links_on_predecessor_end(struct service *service)
{
    if (service->state != SERVICE_READY)
        links_connect_all(&signer_links_of(service)->links);
}

static const struct service_rule signer_links_rules[] = {LINKS_RULE};

static const struct service_ops signer_links_ops = {
    .rules = signer_links_rules,
    .rule_count = 1,
    .start = signer_links_on_start,
    .ready = signer_links_on_ready,
    .message = signer_links_on_message,
    .predecessor_ended = signer_links_on_predecessor_end,
    .send = signer_links_send,
};

/* --- configurations ------------------------------------------------------ */

/* A signer that is needed no more ends when the handshakes that it signs for
   are over. */
static void
signer_links_want(struct signer_links *links)
{
    struct service *service = &links->service;
    service->awaited = service->role->needed(links->config);
    if (service->awaited && !service->wanted)
        service_start(service);
    else
        signer_links_send(service);
}

void
signer_links_start(struct signer_links *links, struct services *services,
                   struct config_version *config_version,
                   struct handover *handover)
{
    struct service *service = &links->service;
    service_init(service, services, &roles[ROLE_SIGNER], &signer_links_ops,
                 NULL);
    links->links.service = service;
    links->links.peer = CHANNEL_PEER_SIGNER;
    service->auxiliary = true;
    timer_init(&links->grace, signer_links_grace_over);
    for (size_t i = 0; handover != NULL && i < handover->key_count; i++)
        signer_links_add(links, handover->keys[i].fd,
                         (uint32_t)handover->keys[i].version,
                         handover->keys[i].client != 0);
    service_adopt(service, handover);
    signer_links_take(links, config_version);
    signer_links_want(links);
    if (handover != NULL)
        signer_links_start_grace(links);
}

void
signer_links_reconfigure(struct signer_links *links,
                         struct config_version *config_version)
{
    signer_links_take(links, config_version);
    signer_links_want(links);
    signer_links_start_grace(links);
}

void
signer_links_renumber(struct signer_links *links, uint32_t version)
{
    for (size_t i = 0; i < links->count; i++)
        if (links->keys[i].version == links->version) {
            links->keys[i].version = version;
            links->keys[i].sent = false;
        }
    links->version = version;
    signer_links_send(&links->service);
}

void
signer_links_hand_over(const struct signer_links *links,
                       struct handover *handover)
{
    handover->key_count = links->count;
    for (size_t i = 0; i < links->count; i++)
        handover->keys[i] =
            (struct handed_key){.fd = links->keys[i].fd,
                                .version = links->keys[i].version,
                                .client = links->keys[i].client};
}

void
signer_links_fini(struct signer_links *links)
{
    loop_cancel_timer(links->service.services->loop, &links->grace);
    signer_links_drop_before(links, UINT32_MAX);
    service_fini(&links->service);
}
