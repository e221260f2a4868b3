#include "gateway/observer/health.h"

#include <stdio.h>

bool
health_is_serving(const struct segment *segment)
{
    return segment_share(segment).workers > 0;
}

size_t
health_agent_line(const struct segment *segment, const struct config *config,
                  char line[HEALTH_LINE_MAX])
{
    uint64_t live = segment_gauge_sum(segment, SEGMENT_GAUGE_live);
    uint64_t most = config_sessions(config);
    uint64_t free = live < most ? most - live : 0;
    unsigned weight = most > 0 ? (unsigned)(free * 100 / most) : 0;

    int len = health_is_serving(segment)
                  ? snprintf(line, HEALTH_LINE_MAX, "ready up %u%%\n",
                             weight > 0 ? weight : 1)
                  : snprintf(line, HEALTH_LINE_MAX, "drain\n");
    return (size_t)len;
}
