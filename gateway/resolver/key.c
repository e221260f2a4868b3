#include "gateway/resolver/key.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* ASCII, whatever the locale. */
static char
to_lower(char octet)
{
    return octet >= 'A' && octet <= 'Z' ? (char)(octet + ('a' - 'A')) : octet;
}

static bool
is_host_octet(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') ||
           octet == '-' || octet == '_' || octet == '.';
}

/* "1", "017", "0x7f", "0x": what some resolver reads as a number. No name
   in DNS ends in one. */
static bool
is_number(const char *label)
{
    static const char hex[] = "0123456789abcdef";
    const char *digits = hex;
    size_t count = 10;

    if (label[0] == '0' && label[1] == 'x') {
        label += 2;
        count = 16;
    }
    for (; *label != '\0'; label++)
        if (memchr(digits, *label, count) == NULL)
            return false;
    return true;
}

/* FNV-1a. */
static uint32_t
hash(const char *text)
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
        key->text[i] = to_lower(name[i]);
        if (!is_host_octet(key->text[i]))
            return -EINVAL;
    }
    key->text[len] = '\0';
    const char *dot = strrchr(key->text, '.');
    if (is_number(dot == NULL ? key->text : dot + 1))
        return -EINVAL;
    key->hash = hash(key->text);
    return 0;
}
