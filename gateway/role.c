#include "gateway/role.h"

#include <string.h>

const struct role *
role_find(const char *word)
{
    for (size_t i = 0; i < role_count; i++)
        if (strcmp(roles[i].word, word) == 0)
            return &roles[i];
    return NULL;
}
