#include "gateway/worker/way_out.h"

_Static_assert(RULE_EGRESS_MAX <= UINT8_MAX + 1, "a turn fits");

bool
way_out_has_source(const struct config *config, const struct rule *rule)
{
    return rule->egress_count > 0 || !config->egress.address_auto;
}

struct way_out
way_out_choose(struct way_out_turns *turns, const struct config *config,
               const struct rule *rule, const struct endpoint *to)
{
    struct way_out way = {.to = *to, .source = addr_v4(0)};

    if (!addr_is_v4(to->addr))
        return way;
    if (rule->egress_count > 0) {
        uint8_t *next =
            &turns->next[(size_t)(rule - config->policy.rules) % WAY_OUT_TURNS];
        size_t turn = *next % rule->egress_count;
        *next = (uint8_t)((turn + 1) % rule->egress_count);
        way.source = addr_v4(rule->egress[turn]);
    } else if (!config->egress.address_auto) {
        way.source = addr_v4(config->egress.address);
    }
    return way;
}

int
way_out_dial(const struct way_out *way, struct stream *stream,
             struct loop *loop, stream_fn *serve)
{
    return stream_dial(stream, loop, &way->to,
                       addr_is_any(way->source) ? NULL : &way->source, serve);
}
