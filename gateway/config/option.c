#include "gateway/config/option.h"

#include <string.h>

const char *
option_label(const struct option *option)
{
    const char *list = strstr(option->path, "[].");

    return list ? list + 3 : option->path;
}

const char *
option_key(const struct option *option)
{
    const char *dot = strrchr(option->path, '.');

    return dot ? dot + 1 : option->path;
}

bool
option_within(const struct option *option, const char *prefix)
{
    size_t len = strlen(prefix);

    /* Most rows differ in the first octet, and each section looks at all. */
    return (len == 0 || option->path[0] == prefix[0]) &&
           option_key(option) == option->path + len &&
           memcmp(option->path, prefix, len) == 0;
}

bool
option_may_be_auto(const struct option *option)
{
    return option->fallback && strcmp(option->fallback, "auto") == 0;
}
