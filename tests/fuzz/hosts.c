#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "gateway/resolver/hosts.h"
#include "gateway/resolver/nameservers.h"
#include "tests/fuzz/fuzz.h"

/* A hosts file, and the same octets as resolv.conf. Each name of the file has
   the addresses that a reader without a table finds for it. */

static bool
is_blank(uint8_t octet)
{
    return octet != '\0' && strchr(" \t\r\v\f", octet) != NULL;
}

struct hosts_line {
    const uint8_t *at, *end;
};

/* Words end at blanks, at '#' and at the end of the line. */
static size_t
next_word(struct hosts_line *line, const uint8_t **word)
{
    while (line->at < line->end && is_blank(*line->at))
        line->at++;
    *word = line->at;
    while (line->at < line->end && !is_blank(*line->at) && *line->at != '#')
        line->at++;
    return (size_t)(line->at - *word);
}

/* Either a dotted quad, or IPv6 that is not a quad in other words. */
static bool
read_address(const uint8_t *word, size_t len, struct addr *address)
{
    char text[46] = "";
    struct in_addr in;
    struct in6_addr in6;

    if (len >= sizeof(text) || memchr(word, '\0', len) != NULL)
        return false;
    memcpy(text, word, len);
    if (inet_pton(AF_INET, text, &in) == 1) {
        *address = addr_v4(ntohl(in.s_addr));
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6) != 1 || IN6_IS_ADDR_V4MAPPED(&in6))
        return false;
    *address = (struct addr){0, 0};
    for (int i = 0; i < 8; i++) {
        address->hi = address->hi << 8 | in6.s6_addr[i];
        address->lo = address->lo << 8 | in6.s6_addr[8 + i];
    }
    return true;
}

/* Calls back for each host name of each line with its address. */
static void
each_name(const uint8_t *input, size_t size,
          void (*visit)(const struct key *, struct addr, void *), void *with)
{
    const uint8_t *end = input + size, *word;

    for (struct hosts_line line = {.end = input - 1}; line.end < end;) {
        struct addr address;
        struct key key;
        size_t len;
        line.at = line.end + 1;
        line.end = line.at < end
                       ? memchr(line.at, '\n', (size_t)(end - line.at))
                       : NULL;
        if (line.end == NULL)
            line.end = end;
        if (line.at > end || (len = next_word(&line, &word)) == 0 ||
            !read_address(word, len, &address))
            continue;
        while ((len = next_word(&line, &word)) > 0)
            if (key_make(&key, (const char *)word, len) == 0)
                visit(&key, address, with);
    }
}

struct wanted {
    const struct key *key;
    bool v4;
    struct addr addresses[LOOKUP_ADDRESSES_MAX];
    size_t count;
};

static void
collect(const struct key *key, struct addr address, void *with)
{
    struct wanted *wanted = with;

    if (strcmp(key->text, wanted->key->text) != 0 ||
        addr_is_v4(address) != wanted->v4)
        return;
    for (size_t i = 0; i < wanted->count; i++)
        if (addr_equal(wanted->addresses[i], address))
            return;
    if (wanted->count < LOOKUP_ADDRESSES_MAX)
        wanted->addresses[wanted->count++] = address;
}

static struct hosts hosts;
static const uint8_t *whole;
static size_t whole_size;

static void
check(const struct key *key, struct addr address, void *with)
{
    struct addr addresses[LOOKUP_ADDRESSES_MAX];
    struct wanted wanted = {.key = key, .v4 = addr_is_v4(address)};

    (void)with;
    each_name(whole, whole_size, collect, &wanted);
    size_t count =
        hosts_find(&hosts, key, wanted.v4 ? LOOKUP_V4 : LOOKUP_V6, addresses);
    assert(count == wanted.count);
    assert(memcmp(addresses, wanted.addresses, count * sizeof(*addresses)) ==
           0);
}

static char *
copy_of(const uint8_t *input, size_t size)
{
    char *copy = malloc(size + 1);

    assert(copy != NULL);
    if (size > 0)
        memcpy(copy, input, size);
    return copy;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct nameservers servers;

    if (size > 2048)
        return 0;
    whole = input;
    whole_size = size;
    assert(hosts_parse(&hosts, copy_of(input, size), size) == 0);
    each_name(input, size, check, NULL);
    hosts_fini(&hosts);

    char *copy = copy_of(input, size);
    nameservers_init(&servers, NULL);
    nameservers_parse(&servers, copy, size);
    free(copy);
    assert(servers.count >= 1 && servers.count <= NAMESERVERS_MAX);
    const struct ares_addr_port_node *node = servers.nodes;
    for (size_t i = 0; i < servers.count; i++, node = node->next)
        assert(node->udp_port > 0 && node->udp_port < 65536);
    assert(node == NULL);
    return 0;
}
