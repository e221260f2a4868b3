#include "gateway/worker/refstr.h"

#include <stdlib.h>
#include <string.h>

struct refstr *
refstr_new(const char *text, const struct series_names *names,
           enum series_kind kind)
{
    size_t size = strlen(text) + 1;
    struct refstr *refstr = malloc(sizeof(*refstr) + size);
    if (refstr == NULL)
        return NULL;
    refstr->refs = 1;
    refstr->number = series_names_find(names, kind, text);
    memcpy(refstr->text, text, size);
    return refstr;
}

struct refstr *
refstr_ref(struct refstr *refstr)
{
    refstr->refs++;
    return refstr;
}

void
refstr_unref(struct refstr *refstr)
{
    if (refstr != NULL && --refstr->refs == 0)
        free(refstr);
}
