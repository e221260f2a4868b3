#ifndef BENCH_HANDSHAKE_H
#define BENCH_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The octets that client and gateway exchange before those of the application;
 * no I/O. A handshake has a few steps. In each the client sends a request and
 * receives an answer of known length, so that the handshake never reads an
 * octet of the application.
 */

enum protocol {
    PROTOCOL_DIRECT,
    PROTOCOL_SOCKS4,
    PROTOCOL_SOCKS5,
    PROTOCOL_SOCKS5_PASSWORD
};
enum handshake_command {
    HANDSHAKE_CONNECT = 1,
    HANDSHAKE_BIND = 2,
    HANDSHAKE_UDP = 3 /* of SOCKS5 */
};

#define HANDSHAKE_REQUEST_MAX 16
#define HANDSHAKE_REPLY_MAX 10

struct handshake {
    enum protocol protocol;
    enum handshake_command command;
    unsigned step;
    uint32_t ip; /* of the application server, host order */
    uint16_t port;
    uint8_t reply[HANDSHAKE_REPLY_MAX];
    size_t reply_count;
};

void handshake_init(struct handshake *handshake, enum protocol protocol,
                    enum handshake_command command, uint32_t ip, uint16_t port);

/* No step is left. */
bool handshake_done(const struct handshake *handshake);

/* Writes the request of this step; returns its length, which may be 0. */
size_t handshake_request(const struct handshake *handshake,
                         uint8_t octets[HANDSHAKE_REQUEST_MAX]);

/* How many octets of this step's answer are still missing. */
size_t handshake_room(const struct handshake *handshake);

/*
 * Takes `count` octets, at most handshake_room, that the caller has written to
 * reply + reply_count. Returns NULL, or what is wrong with the complete answer;
 * after a good answer the next step begins.
 */
const char *handshake_receive(struct handshake *handshake, size_t count);

/* A BIND's first reply has come: its peer is due. */
bool handshake_bound(const struct handshake *handshake);

/* The address in the last reply, of IPv4. */
uint32_t handshake_reply_ip(const struct handshake *handshake);
uint16_t handshake_reply_port(const struct handshake *handshake);

/* Writes the header of a datagram to or from the application server; returns
   its length. */
size_t handshake_datagram(const struct handshake *handshake,
                          uint8_t octets[HANDSHAKE_REQUEST_MAX]);

#endif
