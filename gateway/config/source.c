#include <stdio.h>

#include "gateway/config/config.h"

struct config *
config_open(const struct config_source *source, struct config_error *error,
            FILE *warnings)
{
    struct config_error why;
    struct config *config = config_load(source->file, error, warnings);

    if (!config)
        return NULL;
    if (config_set_listeners(config, source->listen, source->listen_count,
                             source->socks4a, &why) == 0)
        return config;
    snprintf(error->text, sizeof(error->text), "socks4d: %.480s", why.text);
    config_unref(config);
    return NULL;
}
