#include <stdlib.h>

#include "base/arena.h"
#include "gateway/config/config.h"

const char config_default_text[] = "listen:\n"
                                   "  - address: 127.0.0.1:1080\n"
                                   "    name: local\n"
                                   "rules:\n"
                                   "  - name: here\n"
                                   "    action: allow\n"
                                   "    from: [loopback]\n"
                                   "    command: [connect, bind]\n"
                                   "    to: [any, loopback]\n";

struct config *
config_ref(struct config *config)
{
    config->refs++;
    return config;
}

void
config_unref(struct config *config)
{
    if (!config || --config->refs > 0)
        return;
    for (size_t i = 0; i < config->set_count; i++) {
        netset_fini(&config->sets[i].nets);
        netset_fini(&config->sets[i].reach);
    }
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        netset_fini(&config->policy.rules[i].from);
        netset_fini(&config->policy.rules[i].to);
        netset_fini(&config->policy.rules[i].peers);
    }
    arena_free(config->arena);
    free(config);
}
