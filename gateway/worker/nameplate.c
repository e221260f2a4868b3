#include "gateway/worker/nameplate.h"

#include <stdlib.h>
#include <string.h>

struct nameplate *
nameplate_new(const char *text)
{
    size_t size = strlen(text) + 1;
    struct nameplate *plate = malloc(sizeof(*plate) + size);
    if (plate == NULL)
        return NULL;
    plate->refs = 1;
    memcpy(plate->text, text, size);
    return plate;
}

struct nameplate *
nameplate_ref(struct nameplate *plate)
{
    plate->refs++;
    return plate;
}

void
nameplate_unref(struct nameplate *plate)
{
    if (plate != NULL && --plate->refs == 0)
        free(plate);
}
