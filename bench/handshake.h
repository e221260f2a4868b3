#ifndef BENCH_HANDSHAKE_H
#define BENCH_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What client and gateway say before the application's octets: bytes only.
 * A handshake is a few steps; in each the client says something and hears
 * an answer of known length, so that never an octet of the application is
 * read here.
 */

enum protocol { PROTOCOL_DIRECT, PROTOCOL_SOCKS4, PROTOCOL_SOCKS5 };
enum handshake_command { HANDSHAKE_CONNECT = 1, HANDSHAKE_BIND = 2 };

#define HANDSHAKE_SAY_MAX 16
#define HANDSHAKE_HEAR_MAX 10

struct handshake {
    enum protocol protocol;
    enum handshake_command command;
    unsigned step;
    uint32_t ip; /* of the application server, host order */
    uint16_t port;
    uint8_t heard[HANDSHAKE_HEAR_MAX];
    size_t heard_count;
};

void handshake_init(struct handshake *handshake, enum protocol protocol,
                    enum handshake_command command, uint32_t ip, uint16_t port);

/* No step is left. */
bool handshake_done(const struct handshake *handshake);

/* What to say in this step; the number of octets. */
size_t handshake_say(const struct handshake *handshake,
                     uint8_t octets[HANDSHAKE_SAY_MAX]);

/* How many octets of this step's answer are still to come. */
size_t handshake_room(const struct handshake *handshake);

/*
 * Takes `count` octets, at most the room, that were written to
 * heard + heard_count. NULL, or what is wrong with the complete answer;
 * after a good one the next step begins.
 */
const char *handshake_hear(struct handshake *handshake, size_t count);

/* The address of a SOCKS4 reply just heard. */
uint32_t handshake_reply_ip(const struct handshake *handshake);
uint16_t handshake_reply_port(const struct handshake *handshake);

#endif
