#include "gateway/tcp_ports.h"

#include <string.h>

#define IDENTD_PORT 113

/* Whatever a rule with parents grants, a BIND too, is a connection to one of
   them. */
static void
tcp_ports_add_parents(const struct config *config, const struct rule *rule,
                      struct confine_tcp *tcp)
{
    for (size_t i = 0; i < rule->via_count; i++) {
        const struct config_parent *parent = &config->parents[rule->via[i]];
        for (size_t j = 0; j < parent->address_count; j++) {
            uint16_t port = parent->addresses[j].at.port;
            ports_add(&tcp->connect, port, port);
        }
    }
}

static void
tcp_ports_add_rule(const struct config *config, const struct rule *rule,
                   struct confine_tcp *tcp)
{
    const struct local_ports listen = config_bind_ports(config);

    if (rule->ident != RULE_IDENT_OFF) {
        ports_add(&tcp->connect, IDENTD_PORT, IDENTD_PORT);
        ports_add(&tcp->bind, 0, 0); /* from the address that was asked */
    }
    if (rule->egress_count > 0) /* bound with port 0 */
        ports_add(&tcp->bind, 0, 0);
    if (rule->via_count > 0) {
        tcp_ports_add_parents(config, rule, tcp);
        return;
    }
    if (!rule->allow)
        return;
    if ((rule->commands & 1u << RULE_BIND) != 0)
        ports_add(&tcp->bind, listen.first, listen.last);
    if ((rule->commands & 1u << RULE_CONNECT) == 0)
        return;
    tcp->connect.all |= rule->port_count == 0;
    for (size_t i = 0; i < rule->port_count; i++)
        ports_add(&tcp->connect, rule->ports[i].first, rule->ports[i].last);
}

void
tcp_ports_find(const struct config *config, struct confine_tcp *tcp)
{
    const struct policy *policy = &config->policy;

    memset(tcp, 0, sizeof(*tcp));
    for (size_t i = 0; i < policy->rule_count; i++)
        tcp_ports_add_rule(config, &policy->rules[i], tcp);
    if (!config->egress.address_auto) /* bound with port 0 */
        ports_add(&tcp->bind, 0, 0);
}

bool
tcp_ports_cover(const struct confine_tcp *now, const struct confine_tcp *next)
{
    return ports_cover(&now->bind, &next->bind) &&
           ports_cover(&now->connect, &next->connect);
}
