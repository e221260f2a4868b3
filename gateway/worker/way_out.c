#include "gateway/worker/way_out.h"

_Static_assert(RULE_EGRESS_MAX <= UINT8_MAX + 1, "a turn fits");

bool
way_out_has_source(const struct config *config, const struct rule *rule,
                   struct addr to)
{
    return addr_is_v4(to) &&
           (rule->egress_count > 0 || !config->egress.address_auto);
}

struct addr
way_out_source(struct way_out_turns *turns, const struct config *config,
               const struct rule *rule, struct addr to)
{
    if (!addr_is_v4(to))
        return addr_v4(0);
    if (rule->egress_count > 0) {
        uint8_t *next =
            &turns->next[(size_t)(rule - config->policy.rules) % WAY_OUT_TURNS];
        size_t turn = *next % rule->egress_count;
        *next = (uint8_t)((turn + 1) % rule->egress_count);
        return addr_v4(rule->egress[turn]);
    }
    return addr_v4(config->egress.address_auto ? 0 : config->egress.address);
}
