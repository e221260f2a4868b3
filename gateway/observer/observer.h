#ifndef GATEWAY_OBSERVER_OBSERVER_H
#define GATEWAY_OBSERVER_OBSERVER_H

#include <sys/types.h>

#include "base/loop.h"
#include "gateway/channel.h"
#include "gateway/config/config.h"
#include "gateway/observer/agent.h"
#include "gateway/observer/config_hash.h"
#include "gateway/observer/control.h"
#include "gateway/observer/figures.h"
#include "gateway/observer/http.h"
#include "gateway/observer/page.h"
#include "gateway/observer/workers.h"
#include "gateway/segment.h"

/* What the parts of the observer share. */
struct observer {
    struct loop loop;
    const struct segment *segment; /* to be read only */
    struct config *config;         /* reference: in force; NULL: none yet */
    char config_id[CONFIG_ID_MAX];
    char config_sha256[CONFIG_HASH_MAX];
    uint32_t config_version;
    uid_t owner, user; /* who started the gateway, and whom children run as */
    struct watch channel;
    struct workers workers;
    struct control control;
    struct http http;
    struct page page;
    struct agent agent;
    bool draining; /* the observer of the next binary is there */
};

static inline struct figures
observer_figures(const struct observer *observer)
{
    return (struct figures){observer->segment, observer->config,
                            observer->config_id, observer->config_sha256};
}

/* Asks the monitor, or tells it what was done. False: its channel is full. */
bool observer_tell_monitor(const struct channel_message *message);

#endif
