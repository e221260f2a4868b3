#include "dns.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 12
#define PACKET_MAX 512
#define TYPE_A 1
#define POLL_MS 20

enum manner {
    MANNER_ADDRESSES,
    MANNER_RCODE,
    MANNER_SILENT,
};

struct dns_row {
    const char *name;
    enum manner manner;
    unsigned rcode;
    unsigned count;
    enum role roles[2];
};

static const struct dns_row ZONE[] = {
    {"one.socks4.test", MANNER_ADDRESSES, 0, 1, {ROLE_SERVER}},
    {"two.socks4.test", MANNER_ADDRESSES, 0, 2, {ROLE_SERVER2, ROLE_SERVER}},
    {"empty.socks4.test", MANNER_ADDRESSES, 0, 0, {0}},
    {"none.socks4.test", MANNER_RCODE, 3, 0, {0}},
    {"broken.socks4.test", MANNER_RCODE, 2, 0, {0}},
    {"silent.socks4.test", MANNER_SILENT, 0, 0, {0}},
    {"", MANNER_RCODE, 3, 0, {0}}, /* all others */
};

/* The name of the question as text; the octet behind it, or 0. */
static size_t
dns_read_name(const uint8_t *packet, size_t len, char *name, size_t room)
{
    size_t at = HEADER, used = 0;

    while (at < len && packet[at] != 0) {
        size_t label = packet[at++];
        if (label > 63 || at + label > len || used + label + 2 > room)
            return 0;
        if (used > 0)
            name[used++] = '.';
        memcpy(name + used, packet + at, label);
        used += label;
        at += label;
    }
    name[used] = '\0';
    return at + 5 <= len ? at + 1 : 0;
}

static const struct dns_row *
dns_find_row(const char *name)
{
    const struct dns_row *row = ZONE;

    while (row->name[0] != '\0' && strcasecmp(row->name, name) != 0)
        row++;
    return row;
}

static size_t
dns_put_address(uint8_t *at, struct addr addr)
{
    static const uint8_t head[] = {0xc0, HEADER, 0, TYPE_A, 0, 1,
                                   0,    0,      0, 0,      0, 4};
    uint32_t ip = addr_to_v4(addr);

    memcpy(at, head, sizeof head);
    for (unsigned i = 0; i < 4; i++)
        at[sizeof head + i] = (uint8_t)(ip >> (24 - 8 * i));
    return sizeof head + 4;
}

/* Makes the question in `packet` an answer; its length, 0 for none. */
static size_t
dns_answer(const struct dns *dns, uint8_t *packet, size_t behind,
           const struct dns_row *row)
{
    bool is_a = packet[behind] == 0 && packet[behind + 1] == TYPE_A;
    size_t len = behind + 4;
    unsigned count = is_a && row->manner == MANNER_ADDRESSES ? row->count : 0;

    if (row->manner == MANNER_SILENT)
        return 0;
    packet[2] = 0x85; /* an answer, with authority; recursion as asked */
    packet[3] = (uint8_t)(0x80 | row->rcode);
    memset(packet + 4, 0, 8);
    packet[5] = 1;
    packet[7] = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        len += dns_put_address(packet + len, dns->place->addr[row->roles[i]]);
    return len;
}

static void
dns_note_asked(struct dns *dns, const char *name)
{
    pthread_mutex_lock(&dns->lock);
    snprintf(dns->asked[dns->count++ % DNS_ASKED_MAX], sizeof dns->asked[0],
             "%.63s", name);
    pthread_mutex_unlock(&dns->lock);
}

static void *
dns_serve(void *argument)
{
    struct dns *dns = argument;
    uint8_t packet[PACKET_MAX + 64];
    char name[256];

    for (;;) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        ssize_t count = recvfrom(dns->fd, packet, PACKET_MAX, 0,
                                 (struct sockaddr *)&from, &size);
        if (count < HEADER)
            continue;
        size_t behind = dns_read_name(packet, (size_t)count, name, sizeof name);
        if (behind == 0 || behind + 4 > PACKET_MAX - 64)
            continue;
        dns_note_asked(dns, name);
        size_t len = dns_answer(dns, packet, behind, dns_find_row(name));
        if (len > 0)
            sendto(dns->fd, packet, len, 0, (struct sockaddr *)&from, size);
    }
    return NULL;
}

int
dns_start(struct dns *dns, const struct place *place)
{
    struct endpoint at = {.addr = place->addr[ROLE_DNS], .port = 53};
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&at, &sa);
    pthread_t thread;

    pthread_mutex_init(&dns->lock, NULL);
    dns->place = place;
    dns->fd = place_socket(place, ROLE_DNS, SOCK_DGRAM);
    if (dns->fd < 0)
        return dns->fd;
    if (bind(dns->fd, (struct sockaddr *)&sa, len) < 0) {
        int error = -errno;
        close(dns->fd);
        return error;
    }
    return -pthread_create(&thread, NULL, dns_serve, dns);
}

bool
dns_asked(struct dns *dns, const char *name, unsigned wait)
{
    bool found = false;

    for (unsigned waited = 0; !found && waited <= wait; waited += POLL_MS) {
        pthread_mutex_lock(&dns->lock);
        for (unsigned i = 0; i < DNS_ASKED_MAX && !found; i++)
            found = strcasecmp(dns->asked[i], name) == 0;
        pthread_mutex_unlock(&dns->lock);
        if (!found)
            usleep(POLL_MS * 1000);
    }
    return found;
}
