#ifndef SCENARIO_TOY_TLS_H
#define SCENARIO_TOY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/scenario/octets.h"

/*
 * A second implementation of gateway/worker/tls.h, for scenarios. Nothing is
 * secret: a record is a type, two octets of length, and its octets. It reads
 * ahead, as OpenSSL does, so that records wait where no event announces them.
 *
 *      client                            gateway
 *        TOY_HELLO (words)  ──────────►
 *                           ◄──────────   TOY_HELLO
 *        TOY_FINISHED       ──────────►
 *        TOY_DATA           ◄─────────►   TOY_DATA
 *        TOY_END            ◄─────────►   TOY_END      each ends one direction
 *
 * Words of the client's hello: "cert=NAME,NAME" is its certificate, "bad" one
 * that is refused, "hold" is as TOY_HOLD, "sign" makes the handshake wait for
 * toy_tls_sign, "alone" too, but only once no other one waits for that. To a
 * parent the gateway is the client, and its hello has the name that it wants;
 * of the parent's hello the last words are "is=NAME", and the others mean the
 * same.
 */
enum toy_type {
    TOY_HELLO = 'H',
    TOY_FINISHED = 'F',
    TOY_DATA = 'D',
    TOY_END = 'E',
    TOY_RENEW = 'K', /* answered by TOY_RENEWED before anything else is read */
    TOY_RENEWED = 'k',
    TOY_HOLD = 'W', /* the gateway writes no data until TOY_RELEASE came */
    TOY_RELEASE = 'w',
    TOY_ALERT = 'A'
};

/* Octets of data in one record. */
#define TOY_RECORD 4096
#define TOY_HEAD 3

/* Appends a record. */
void toy_put(struct octets *to, enum toy_type type, const void *octets,
             size_t len);

/* The handshake that has waited longest goes on; false: none waits. */
bool toy_tls_sign(void);

#endif
