#ifndef UNIT_CONFIG_EQUAL_H
#define UNIT_CONFIG_EQUAL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/config.h"

/*
 * Whether two snapshots mean the same: field by field, not by way of the
 * option table. Line numbers and the file's name do not matter. NULL, or
 * the first field that differs.
 */
#define DIFFERS(condition)                                                     \
    do {                                                                       \
        if (condition)                                                         \
            return #condition;                                                 \
    } while (0)

static inline int
text_differs(const char *a, const char *b)
{
    return !a || !b ? a != b : strcmp(a, b) != 0;
}

static inline int
texts_differ(const struct rule_texts *a, const struct rule_texts *b)
{
    if (a->count != b->count)
        return 1;
    for (size_t i = 0; i < a->count; i++)
        if (text_differs(a->at[i], b->at[i]))
            return 1;
    return 0;
}

static inline int
tls_differ(const struct config_tls *a, const struct config_tls *b)
{
    if (!a || !b)
        return a != b;
    return text_differs(a->certificate.path, b->certificate.path) ||
           text_differs(a->key.path, b->key.path) ||
           text_differs(a->ca.path, b->ca.path) ||
           text_differs(a->crl.path, b->crl.path) || a->client != b->client ||
           a->min_version != b->min_version || a->user != b->user ||
           a->tickets != b->tickets;
}

static inline int
netset_differs(const struct netset *a, const struct netset *b)
{
    if (a->count != b->count)
        return 1;
    for (size_t i = 0; i < a->count; i++)
        if (!addr_equal(a->ranges[i].first, b->ranges[i].first) ||
            !addr_equal(a->ranges[i].last, b->ranges[i].last))
            return 1;
    return 0;
}

static inline int
networks_differ(const struct config_networks *a,
                const struct config_networks *b)
{
    return netset_differs(&a->nets, &b->nets) ||
           texts_differ(&a->texts, &b->texts);
}

static inline int
words_differ(const struct rule_word *a, const struct rule_word *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].len != b[i].len || a[i].prefix != b[i].prefix ||
            memcmp(a[i].text, b[i].text, a[i].len) != 0)
            return 1;
    return 0;
}

static inline int
ports_differ(const struct rule_ports *a, const struct rule_ports *b,
             size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].first != b[i].first || a[i].last != b[i].last)
            return 1;
    return 0;
}

static inline int
endpoint_differs(const struct endpoint *a, const struct endpoint *b)
{
    return !addr_equal(a->addr, b->addr) || a->port != b->port;
}

static inline const char *
rule_differs(const struct rule *a, const struct rule *b)
{
    DIFFERS(text_differs(a->name, b->name));
    DIFFERS(a->allow != b->allow);
    DIFFERS(netset_differs(&a->from, &b->from));
    DIFFERS(netset_differs(&a->to, &b->to));
    DIFFERS(a->from_self != b->from_self);
    DIFFERS(a->to_self != b->to_self);
    DIFFERS(netset_differs(&a->to_hosts, &b->to_hosts));
    DIFFERS(netset_differs(&a->to_cut, &b->to_cut));
    DIFFERS(a->to_name_count != b->to_name_count);
    DIFFERS(words_differ(a->to_names, b->to_names, a->to_name_count));
    DIFFERS(a->listeners != b->listeners);
    DIFFERS(a->commands != b->commands);
    DIFFERS(a->versions != b->versions);
    DIFFERS(a->port_count != b->port_count);
    DIFFERS(ports_differ(a->ports, b->ports, a->port_count));
    DIFFERS(a->user_count != b->user_count);
    DIFFERS(words_differ(a->users, b->users, a->user_count));
    DIFFERS(a->certificate_any != b->certificate_any);
    DIFFERS(a->certificate_count != b->certificate_count);
    DIFFERS(
        words_differ(a->certificates, b->certificates, a->certificate_count));
    DIFFERS(a->auth != b->auth);
    DIFFERS(a->log.level != b->log.level);
    DIFFERS(a->log.start != b->log.start);
    DIFFERS(a->ident != b->ident);
    DIFFERS(a->peer != b->peer);
    DIFFERS(netset_differs(&a->peers, &b->peers));
    DIFFERS(a->require_connect != b->require_connect);
    DIFFERS(a->send_proxy != b->send_proxy);
    DIFFERS(memcmp(&a->timeouts, &b->timeouts, sizeof(a->timeouts)) != 0);
    DIFFERS(a->via_count != b->via_count);
    DIFFERS(a->via_count > 0 && memcmp(a->via, b->via, a->via_count) != 0);
    DIFFERS(a->passes_names != b->passes_names);
    DIFFERS(a->to_any != b->to_any);
    DIFFERS(a->egress_count != b->egress_count);
    DIFFERS(a->egress_count > 0 &&
            memcmp(a->egress, b->egress,
                   a->egress_count * sizeof(*a->egress)) != 0);
    DIFFERS(texts_differ(&a->from_text, &b->from_text));
    DIFFERS(texts_differ(&a->to_text, &b->to_text));
    DIFFERS(texts_differ(&a->peer_text, &b->peer_text));
    return NULL;
}

static inline const char *
parent_differs(const struct config_parent *a, const struct config_parent *b)
{
    DIFFERS(text_differs(a->name, b->name));
    DIFFERS(a->address_count != b->address_count);
    for (size_t i = 0; i < a->address_count; i++) {
        DIFFERS(text_differs(a->addresses[i].name, b->addresses[i].name));
        DIFFERS(endpoint_differs(&a->addresses[i].at, &b->addresses[i].at));
        DIFFERS(a->addresses[i].number != b->addresses[i].number);
    }
    DIFFERS(a->protocol != b->protocol);
    DIFFERS(a->names != b->names);
    DIFFERS(text_differs(a->userid, b->userid));
    DIFFERS(text_differs(a->user, b->user));
    DIFFERS(text_differs(a->password_file.path, b->password_file.path));
    DIFFERS(a->retry != b->retry);
    DIFFERS(tls_differ(a->tls, b->tls));
    DIFFERS(a->tls && text_differs(a->tls->name, b->tls->name));
    DIFFERS(a->insecure_plaintext != b->insecure_plaintext);
    return NULL;
}

static inline const char *
lists_differ(const struct config *a, const struct config *b)
{
    DIFFERS(a->listener_count != b->listener_count);
    for (size_t i = 0; i < a->listener_count; i++) {
        const struct config_listener *one = &a->listeners[i];
        const struct config_listener *two = &b->listeners[i];
        DIFFERS(endpoint_differs(&one->at, &two->at));
        DIFFERS(text_differs(one->name, two->name));
        DIFFERS(one->socks4a != two->socks4a);
        DIFFERS(one->socks5 != two->socks5);
        DIFFERS(one->insecure_plaintext != two->insecure_plaintext);
        DIFFERS(one->freebind != two->freebind);
        DIFFERS(networks_differ(&one->proxy_protocol, &two->proxy_protocol));
        DIFFERS(one->proxy_certificate != two->proxy_certificate);
        DIFFERS(tls_differ(one->tls, two->tls));
    }
    DIFFERS(a->set_count != b->set_count);
    for (size_t i = 0; i < a->set_count; i++) {
        const struct config_set *one = &a->sets[i], *two = &b->sets[i];
        DIFFERS(text_differs(one->name, two->name));
        DIFFERS(netset_differs(&one->members.itself, &two->members.itself));
        DIFFERS(netset_differs(&one->members.reach, &two->members.reach));
        DIFFERS(netset_differs(&one->members.hosts, &two->members.hosts));
        DIFFERS(netset_differs(&one->members.cut, &two->members.cut));
        DIFFERS(one->members.self != two->members.self);
        DIFFERS(one->members.name_count != two->members.name_count);
        DIFFERS(words_differ(one->members.names, two->members.names,
                             one->members.name_count));
        DIFFERS(texts_differ(&one->texts, &two->texts));
    }
    DIFFERS(a->parent_count != b->parent_count);
    for (size_t i = 0; i < a->parent_count; i++) {
        const char *field = parent_differs(&a->parents[i], &b->parents[i]);
        if (field)
            return field;
    }
    DIFFERS(a->policy.rule_count != b->policy.rule_count);
    for (size_t i = 0; i < a->policy.rule_count; i++) {
        const char *field =
            rule_differs(&a->policy.rules[i], &b->policy.rules[i]);
        if (field)
            return field;
    }
    DIFFERS(a->resolver_server_count != b->resolver_server_count);
    for (size_t i = 0; i < a->resolver_server_count; i++)
        DIFFERS(
            endpoint_differs(&a->resolver_servers[i], &b->resolver_servers[i]));
    DIFFERS(a->policy.asking_count != b->policy.asking_count);
    DIFFERS(a->policy.asking_count > 0 &&
            memcmp(a->policy.asking, b->policy.asking,
                   a->policy.asking_count * sizeof(*a->policy.asking)) != 0);
    return NULL;
}

static inline const char *
config_differs(const struct config *a, const struct config *b)
{
    DIFFERS(a->workers != b->workers);
    DIFFERS(text_differs(a->user, b->user));
    DIFFERS(a->sandbox != b->sandbox);
    DIFFERS(memcmp(&a->timeouts, &b->timeouts, sizeof(a->timeouts)) != 0);
    DIFFERS(memcmp(&a->limits, &b->limits, sizeof(a->limits)) != 0);
    DIFFERS(a->keepalive.off != b->keepalive.off);
    DIFFERS(a->keepalive.idle_ms != b->keepalive.idle_ms);
    DIFFERS(a->keepalive.interval_ms != b->keepalive.interval_ms);
    DIFFERS(a->keepalive.count != b->keepalive.count);
    DIFFERS(a->splice != b->splice);
    DIFFERS(a->buffer != b->buffer);
    DIFFERS(a->connect_reply != b->connect_reply);
    DIFFERS(a->bind.address_auto != b->bind.address_auto);
    DIFFERS(a->bind.address != b->bind.address);
    DIFFERS(a->bind.advertise_set != b->bind.advertise_set);
    DIFFERS(a->bind.advertise != b->bind.advertise);
    DIFFERS(a->bind.port_first != b->bind.port_first);
    DIFFERS(a->bind.port_last != b->bind.port_last);
    DIFFERS(a->bind.on_stranger != b->bind.on_stranger);
    DIFFERS(a->egress.address_auto != b->egress.address_auto);
    DIFFERS(a->egress.address != b->egress.address);
    DIFFERS(a->log.target != b->log.target);
    DIFFERS(text_differs(a->log.path, b->log.path));
    DIFFERS(a->log.format != b->log.format);
    DIFFERS(a->log.level != b->log.level);
    DIFFERS(a->log.start != b->log.start);
    DIFFERS(networks_differ(&a->log.quiet, &b->log.quiet));
    DIFFERS(text_differs(a->auth.users.path, b->auth.users.path));
    DIFFERS(a->control.socket != b->control.socket);
    DIFFERS(text_differs(a->control.path, b->control.path));
    DIFFERS(text_differs(a->control.group, b->control.group));
    DIFFERS(endpoint_differs(&a->observe.address, &b->observe.address));
    DIFFERS(endpoint_differs(&a->observe.agent, &b->observe.agent));
    return lists_differ(a, b);
}

/* The snapshot once more, by way of its dump; NULL with the error. */
static inline struct config *
config_again(const struct config *config, struct config_error *error)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    struct config *again = NULL;

    snprintf(error->text, sizeof(error->text), "no dump");
    if (to && config_dump(config, true, to) == 0 && fclose(to) == 0)
        again = config_parse(NULL, text, len, error, NULL);
    free(text);
    return again;
}

#endif
