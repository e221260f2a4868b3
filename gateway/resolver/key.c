#include "gateway/resolver/key.h"

#include <errno.h>
#include <stdbool.h>

#include "base/addr.h"

/* ASCII, whatever the locale. */
static char
key_lower(char octet)
{
    return octet >= 'A' && octet <= 'Z' ? (char)(octet + ('a' - 'A')) : octet;
}

static bool
key_is_host_octet(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') ||
           octet == '-' || octet == '_' || octet == '.';
}

/* A dot without a label before it. */
static bool
key_ends_empty(const char *text, size_t at)
{
    return text[at] == '.' && (at == 0 || text[at - 1] == '.');
}

/* FNV-1a. */
static uint32_t
key_hash(const char *text)
{
    uint32_t sum = 2166136261;

    for (; *text != '\0'; text++)
        sum = (sum ^ (uint8_t)*text) * 16777619;
    return sum;
}

int
key_make(struct key *key, const char *name, size_t len)
{
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len > LOOKUP_NAME_MAX)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        key->text[i] = key_lower(name[i]);
        if (!key_is_host_octet(key->text[i]) || key_ends_empty(key->text, i))
            return -EINVAL;
    }
    key->text[len] = '\0';
    if (key->text[len - 1] == '.' || addr_is_number(key->text, len))
        return -EINVAL;
    key->hash = key_hash(key->text);
    return 0;
}
