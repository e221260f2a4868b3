#include "bench/handshake.h"

#include <string.h>

/* One row per step: the octets its answer must begin with, and its length. */
struct step {
    size_t length;
    const char *begins;
    size_t begins_length;
    const char *otherwise;
};

static const struct step socks4_connect[] = {
    {8, "\x00\x5a", 2, "SOCKS4 reply is not a grant"},
};
static const struct step socks4_bind[] = {
    {8, "\x00\x5a", 2, "first BIND reply is not a grant"},
    {8, "\x00\x5a", 2, "second BIND reply is not a grant"},
};
static const struct step socks5_connect[] = {
    {2, "\x05\x00", 2, "SOCKS5 method is not 'none'"},
    {10, "\x05\x00\x00\x01", 4, "SOCKS5 reply is not a grant"},
};
static const struct step socks5_bind[] = {
    {2, "\x05\x00", 2, "SOCKS5 method is not 'none'"},
    {10, "\x05\x00\x00\x01", 4, "first BIND reply is not a grant"},
    {10, "\x05\x00\x00\x01", 4, "second BIND reply is not a grant"},
};

static const struct step socks5_password[] = {
    {2, "\x05\x02", 2, "SOCKS5 method is not 'password'"},
    {2, "\x01\x00", 2, "the password is refused"},
    {10, "\x05\x00\x00\x01", 4, "SOCKS5 reply is not a grant"},
};

static const struct step *
handshake_steps(const struct handshake *handshake, unsigned *count)
{
    *count = 0;
    if (handshake->protocol == PROTOCOL_DIRECT)
        return NULL;
    bool bind = handshake->command == HANDSHAKE_BIND;
    if (handshake->protocol == PROTOCOL_SOCKS5) {
        *count = bind ? 3 : 2;
        return bind ? socks5_bind : socks5_connect;
    }
    if (handshake->protocol == PROTOCOL_SOCKS5_PASSWORD) {
        *count = 3;
        return socks5_password;
    }
    *count = bind ? 2 : 1;
    return bind ? socks4_bind : socks4_connect;
}

void
handshake_init(struct handshake *handshake, enum protocol protocol,
               enum handshake_command command, uint32_t ip, uint16_t port)
{
    *handshake = (struct handshake){
        .protocol = protocol, .command = command, .ip = ip, .port = port};
}

bool
handshake_done(const struct handshake *handshake)
{
    unsigned count;

    handshake_steps(handshake, &count);
    return handshake->step == count;
}

static void
handshake_put_port(uint8_t *octets, uint16_t port)
{
    octets[0] = (uint8_t)(port >> 8);
    octets[1] = (uint8_t)port;
}

static void
handshake_put_ip(uint8_t *octets, uint32_t ip)
{
    for (int i = 0; i < 4; i++)
        octets[i] = (uint8_t)(ip >> (24 - 8 * i));
}

/* VN, CD, DSTPORT, DSTIP, an empty USERID and its NUL. */
static size_t
handshake_request_socks4(const struct handshake *handshake, uint8_t *octets)
{
    if (handshake->step > 0)
        return 0; /* the second reply to a BIND needs no request */
    octets[0] = 4;
    octets[1] = (uint8_t)handshake->command;
    handshake_put_port(octets + 2, handshake->port);
    handshake_put_ip(octets + 4, handshake->ip);
    octets[8] = 0;
    return 9;
}

/* User and password are those of bench/gateways.py. */
static size_t
handshake_request_socks5(const struct handshake *handshake, uint8_t *octets)
{
    bool password = handshake->protocol == PROTOCOL_SOCKS5_PASSWORD;

    if (handshake->step == 0) {
        memcpy(octets, password ? "\x05\x01\x02" : "\x05\x01\x00", 3);
        return 3;
    }
    if (password && handshake->step == 1) {
        memcpy(octets, "\1\5bench\6secret", 14);
        return 14;
    }
    if (handshake->step > 1 && !password)
        return 0; /* as above */
    memcpy(octets, "\x05\x01\x00\x01", 4);
    octets[1] = (uint8_t)handshake->command;
    /* UDP ASSOCIATE: zeros, since no port is known yet. */
    bool udp = handshake->command == HANDSHAKE_UDP;
    handshake_put_ip(octets + 4, udp ? 0 : handshake->ip);
    handshake_put_port(octets + 8, udp ? 0 : handshake->port);
    return 10;
}

size_t
handshake_request(const struct handshake *handshake,
                  uint8_t octets[HANDSHAKE_REQUEST_MAX])
{
    switch (handshake->protocol) {
    case PROTOCOL_SOCKS4:
        return handshake_request_socks4(handshake, octets);
    case PROTOCOL_SOCKS5:
    case PROTOCOL_SOCKS5_PASSWORD:
        return handshake_request_socks5(handshake, octets);
    case PROTOCOL_DIRECT:
        break;
    }
    return 0;
}

size_t
handshake_room(const struct handshake *handshake)
{
    unsigned count;
    const struct step *steps = handshake_steps(handshake, &count);

    if (handshake->step == count)
        return 0;
    return steps[handshake->step].length - handshake->reply_count;
}

const char *
handshake_receive(struct handshake *handshake, size_t count)
{
    unsigned step_count;
    const struct step *steps = handshake_steps(handshake, &step_count);
    const struct step *step = &steps[handshake->step];

    handshake->reply_count += count;
    if (handshake->reply_count < step->length)
        return NULL;
    if (memcmp(handshake->reply, step->begins, step->begins_length) != 0)
        return step->otherwise;
    handshake->step++;
    handshake->reply_count = 0;
    return NULL;
}

bool
handshake_bound(const struct handshake *handshake)
{
    unsigned count;

    handshake_steps(handshake, &count);
    return handshake->command == HANDSHAKE_BIND && handshake->step + 1 == count;
}

uint32_t
handshake_reply_ip(const struct handshake *handshake)
{
    uint32_t ip = 0;

    for (int i = 4; i < 8; i++)
        ip = ip << 8 | handshake->reply[i];
    return ip;
}

uint16_t
handshake_reply_port(const struct handshake *handshake)
{
    const uint8_t *port =
        handshake->reply + (handshake->protocol == PROTOCOL_SOCKS4 ? 2 : 8);

    return (uint16_t)(port[0] << 8 | port[1]);
}

size_t
handshake_datagram(const struct handshake *handshake,
                   uint8_t octets[HANDSHAKE_REQUEST_MAX])
{
    memcpy(octets, "\x00\x00\x00\x01", 4);
    handshake_put_ip(octets + 4, handshake->ip);
    handshake_put_port(octets + 8, handshake->port);
    return 10;
}
