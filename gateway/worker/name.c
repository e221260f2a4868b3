#include "gateway/worker/name.h"

#include <string.h>

#include "base/addr.h"

static bool
is_sound(const char *domain, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char octet = (unsigned char)domain[i];
        if (octet <= ' ' || octet > '~' || strchr("\\:[]", octet))
            return false;
    }
    return true;
}

static bool
is_quad(const char *domain, size_t len, uint32_t *address)
{
    char text[sizeof("255.255.255.255")] = "";
    struct addr addr;

    if (len >= sizeof(text))
        return false;
    memcpy(text, domain, len);
    if (addr_parse(text, &addr) != 0)
        return false;
    *address = addr_to_v4(addr);
    return true;
}

enum name_kind
name_read(const char *domain, size_t len, uint32_t *address)
{
    size_t bare = len;

    if (len > 0 && domain[len - 1] == '.')
        bare--;
    if (bare == 0 || bare > CONFIG_NAME_MAX || !is_sound(domain, len))
        return NAME_BAD;
    if (!addr_is_number(domain, len))
        return NAME_HOST;
    return is_quad(domain, len, address) ? NAME_ADDRESS : NAME_BAD;
}
