/* A snapshot: its life, and what is reckoned from its values. */

#include "gateway/config/config.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct config *
config_ref(struct config *config)
{
    config->refs++;
    return config;
}

#define TRIM_MEMBERS 10000

void
config_trim(size_t members)
{
    if (members >= TRIM_MEMBERS)
        malloc_trim(0);
}

void
config_unref(struct config *config)
{
    size_t members = 0;

    if (!config || --config->refs > 0)
        return;
    for (size_t i = 0; i < config->set_count; i++)
        members += config->sets[i].texts.count;
    for (size_t i = 0; i < config->set_count; i++)
        set_fini(&config->sets[i].members);
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        netset_fini(&config->policy.rules[i].from);
        netset_fini(&config->policy.rules[i].to);
        netset_fini(&config->policy.rules[i].to_hosts);
        netset_fini(&config->policy.rules[i].to_cut);
        netset_fini(&config->policy.rules[i].peers);
    }
    for (size_t i = 0; i < config->listener_count; i++)
        netset_fini(&config->listeners[i].proxy_protocol.nets);
    netset_fini(&config->log.quiet.nets);
    for (size_t i = 0; i < config->parent_count; i++)
        if (config->parents[i].password)
            explicit_bzero(config->parents[i].password,
                           config->parents[i].password_len);
    arena_free(config->arena);
    free(config);
    config_trim(members);
}

struct config *
config_new(const char *file)
{
    struct config *config = calloc(1, sizeof(*config));

    if (!config)
        return NULL;
    config->refs = 1;
    config->arena = arena_new();
    if (config->arena && file)
        config->file = arena_copy(config->arena, file, strlen(file));
    if (!config->arena || (file && !config->file)) {
        config_unref(config);
        return NULL;
    }
    return config;
}

/* A part of a second is one more. */
static int
config_seconds(uint64_t ms)
{
    return (int)((ms + 999) / 1000);
}

struct sys_keepalive
config_keepalive(const struct config *config)
{
    if (config->keepalive.off)
        return (struct sys_keepalive){0};
    return (struct sys_keepalive){
        .idle_s = config_seconds(config->keepalive.idle_ms),
        .interval_s = config_seconds(config->keepalive.interval_ms),
        .count = (int)config->keepalive.count,
    };
}

/* FNV-1a, folded. */
void
config_text_id(const char *text, size_t len, char id[CONFIG_ID_MAX])
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    snprintf(id, CONFIG_ID_MAX, "%08x", (unsigned)(sum ^ sum >> 32));
}

unsigned
config_versions(const struct config_listener *listener)
{
    unsigned versions = 0;

    if (listener->socks5 != CONFIG_SOCKS5_OFF)
        versions |= 1u << RULE_VERSION_5;
    if (listener->socks5 == CONFIG_SOCKS5_ONLY)
        return versions;
    if (listener->socks4a != CONFIG_4A_OFF)
        versions |= 1u << RULE_VERSION_4A;
    if (listener->socks4a != CONFIG_4A_ONLY)
        versions |= 1u << RULE_VERSION_4;
    return versions;
}

/* Whether clients may show a certificate to it, or a balancer for them. */
static bool
config_takes_certificates(const struct config_listener *listener)
{
    return listener->proxy_certificate ||
           (listener->tls != NULL &&
            listener->tls->client != CONFIG_TLS_CLIENT_OFF);
}

bool
config_user_is_proved(const struct config *config, const struct rule *rule)
{
    bool reached = false;

    if (rule->auth == 1u << RULE_AUTH_PASSWORD)
        return true;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        unsigned versions = config_versions(listener);
        if (rule->versions != 0)
            versions &= rule->versions;
        if (versions == 0 ||
            (rule->listeners != 0 && !(rule->listeners >> i & 1)))
            continue;
        if (versions != 1u << RULE_VERSION_5 ||
            config_takes_certificates(listener))
            return false;
        reached = true;
    }
    return reached;
}

bool
config_serves_socks5(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].socks5 != CONFIG_SOCKS5_OFF)
            return true;
    return false;
}
