#include "gateway/observer/mhd.h"

#include <dlfcn.h>
#include <string.h>

struct mhd mhd;

static const struct mhd_symbol {
    const char *name;
    void *at; /* of a pointer in `mhd` */
} mhd_symbols[] = {
#define X(name) {"MHD_" #name, &mhd.name},
    MHD_FUNCTIONS(X)
#undef X
};

const char *
mhd_load(void)
{
    void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return dlerror();
    for (size_t i = 0; i < sizeof(mhd_symbols) / sizeof(mhd_symbols[0]); i++) {
        void *symbol = dlsym(library, mhd_symbols[i].name);
        if (symbol == NULL)
            return dlerror();
        memcpy(mhd_symbols[i].at, &symbol, sizeof(symbol));
    }
    return NULL;
}
