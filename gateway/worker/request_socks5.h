#ifndef GATEWAY_WORKER_REQUEST_SOCKS5_H
#define GATEWAY_WORKER_REQUEST_SOCKS5_H

#include "gateway/worker/request.h"
#include "socks4/v5.h"

/*
 * SOCKS5 (RFC 1928) and its user name and password (RFC 1929), for request.c,
 * and the addresses for association.c and parent.c. A client sends two or three
 * messages, and is answered after each:
 *
 *     GREETING ─► (PASSWORD) ─► REQUEST ─► done
 *
 * `state` in struct request_reading says which is next, so that a refusal has
 * the form that the client waits for.
 */

/* As request_socks4_read, of one message. `answer` is set where the client is
   answered and sends the next one: then the event is REQUEST_ANSWERS; and with
   REQUEST_PASSWORD it is the password. */
ssize_t request_socks5_read(struct request *request,
                            struct request_reading *reading,
                            const struct request_terms *terms,
                            const uint8_t *octets, size_t len,
                            struct request_texts *texts,
                            struct request_rest *answer,
                            enum request_event *event, enum verdict *verdict);

/* An address and a port in messages and headers, and back: false where it is a
   name. */
struct socks4_v5_address request_socks5_endpoint(const struct endpoint *at);
bool request_socks5_address(const struct socks4_v5_address *address,
                            struct addr *addr);

/* The greeting's answer goes out: the next message may be read. */
void request_socks5_choose(struct request_reading *reading,
                           const struct request_rest *answer);

bool request_socks5_awaits_password(const struct request_reading *reading);

/* As request_admit, request_grant and request_refuse. */
size_t request_socks5_admit(struct request_reading *reading,
                            uint8_t reply[REQUEST_REPLY_MAX]);
size_t request_socks5_grant(struct request *request, const struct endpoint *at,
                            uint8_t reply[REQUEST_REPLY_MAX]);
size_t request_socks5_refuse(struct request *request,
                             const struct request_reading *reading,
                             enum verdict verdict,
                             uint8_t reply[REQUEST_REPLY_MAX]);

#endif
