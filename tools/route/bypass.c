#include "tools/route/bypass.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Copies the next word of the list; false: there is none. A word that is too
   long is cut, which bypass_check refuses. */
static bool
bypass_next(const char **list, char word[static BYPASS_WORD_MAX])
{
    size_t len = strcspn(*list, ",");

    if (**list == '\0')
        return false;
    snprintf(word, BYPASS_WORD_MAX, "%.*s", (int)len, *list);
    *list += len + ((*list)[len] == ',');
    return true;
}

/* Bits behind the prefix do not matter. */
static bool
bypass_parse_network(const char *word, struct addr *first, struct addr *last)
{
    return addr_parse_cidr(word, first, last) != -EINVAL;
}

/* Whether it is to be an address or a network: no name has only these. */
static bool
bypass_is_numeric(const char *word)
{
    return strpbrk(word, "/:") != NULL ||
           word[strspn(word, "0123456789.")] == '\0';
}

/* Letters, digits, '-' and '_' in labels of at least one octet. */
static bool
bypass_is_name(const char *word)
{
    for (const char *at = word; *at != '\0'; at++)
        if (*at == '.'
                ? at[1] == '\0' || at[1] == '.'
                : !isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            return false;
    return word[0] != '\0';
}

static int
bypass_refuse(struct route_fault *fault, const char *word, const char *reason)
{
    snprintf(fault->text, sizeof(fault->text), "\"%.100s%s\" %s", word,
             strlen(word) > 100 ? "..." : "", reason);
    return -EINVAL;
}

static int
bypass_check_word(const char *word, struct route_fault *fault)
{
    struct addr first, last;

    if (word[0] == '\0')
        return bypass_refuse(fault, word,
                             "is empty: an address, a network, a "
                             "name or a .suffix is missing");
    if (!bypass_is_numeric(word))
        return bypass_is_name(word)
                   ? 0
                   : bypass_refuse(fault, word,
                                   "is not an address, a network, a name or a "
                                   ".suffix");
    if (bypass_parse_network(word, &first, &last))
        return 0;
    return bypass_refuse(fault, word, "is not an address or a network");
}

int
bypass_check(const char *list, struct route_fault *fault)
{
    char word[BYPASS_WORD_MAX];
    size_t size = strlen(list);

    if (size >= BYPASS_LIST_MAX) {
        snprintf(fault->text, sizeof(fault->text),
                 "the list has %zu octets, at most %d are allowed", size,
                 BYPASS_LIST_MAX - 1);
        return -EINVAL;
    }
    if (size > 0 && list[size - 1] == ',')
        return bypass_refuse(fault, "", "is empty: remove the last comma");
    while (strcspn(list, ",") < BYPASS_WORD_MAX && bypass_next(&list, word)) {
        int error = bypass_check_word(word, fault);

        if (error != 0)
            return error;
    }
    return *list == '\0' ? 0
                         : bypass_refuse(fault, list, "is too long for a name");
}

bool
bypass_has_names(const char *list)
{
    char word[BYPASS_WORD_MAX];

    while (bypass_next(&list, word))
        if (!bypass_is_numeric(word))
            return true;
    return false;
}

bool
bypass_has_address(const char *list, struct addr addr)
{
    struct addr first, last;
    char word[BYPASS_WORD_MAX];

    while (bypass_next(&list, word))
        if (bypass_parse_network(word, &first, &last) &&
            addr_cmp(addr, first) >= 0 && addr_cmp(addr, last) <= 0)
            return true;
    return false;
}

bool
bypass_name_fits(const char *name, const char *pattern)
{
    size_t len = strlen(name), size = strlen(pattern);

    if (pattern[0] != '.')
        return strcasecmp(name, pattern) == 0;
    return len > size && strcasecmp(name + len - size, pattern) == 0;
}

bool
bypass_has_name(const char *list, const char *name)
{
    char word[BYPASS_WORD_MAX];

    while (bypass_next(&list, word))
        if (bypass_name_fits(name, word))
            return true;
    return false;
}
