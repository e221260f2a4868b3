#include "gateway/policy/name.h"

#include <ctype.h>
#include <string.h>

static bool
name_is_sound(const char *domain, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char octet = (unsigned char)domain[i];
        if (octet <= ' ' || octet > '~' || strchr("\\:[]", octet))
            return false;
    }
    return true;
}

static bool
name_is_quad(const char *domain, size_t len, struct addr *address)
{
    char text[sizeof("255.255.255.255")] = "";
    struct addr addr;

    if (len >= sizeof(text))
        return false;
    memcpy(text, domain, len);
    if (addr_parse(text, &addr) != 0)
        return false;
    *address = addr;
    return true;
}

enum name_kind
name_read(const char *domain, size_t len, struct addr *address)
{
    size_t bare = len;

    if (len > 0 && domain[len - 1] == '.')
        bare--;
    if (bare == 0 || bare > NAME_OCTETS_MAX || !name_is_sound(domain, len))
        return NAME_BAD;
    if (!addr_is_number(domain, len))
        return NAME_HOST;
    return name_is_quad(domain, len, address) ? NAME_ADDRESS : NAME_BAD;
}

bool
name_is_term(const char *term)
{
    const char *label = term + (term[0] == '.');

    for (;;) {
        size_t len = strcspn(label, ".");
        if (len == 0 || len > 63)
            return false;
        for (size_t i = 0; i < len; i++)
            if (!isalnum((unsigned char)label[i]) && !strchr("-_", label[i]))
                return false;
        if (label[len] == '\0')
            return !addr_is_number(label, len);
        label += len + 1;
    }
}

/* ASCII alone: another octet of a name is not a letter. */
static int
name_lower(char octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet - 'A' + 'a'
                                        : (unsigned char)octet;
}

int
name_cmp(const struct rule_word *term, const char *name, size_t len)
{
    for (size_t i = 0; i < len && i < term->len; i++) {
        int differ = name_lower(term->text[i]) - name_lower(name[i]);
        if (differ != 0)
            return differ < 0 ? -1 : 1;
    }
    return (term->len > len) - (term->len < len);
}
