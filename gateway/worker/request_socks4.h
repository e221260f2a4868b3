#ifndef GATEWAY_WORKER_REQUEST_SOCKS4_H
#define GATEWAY_WORKER_REQUEST_SOCKS4_H

#include "gateway/worker/request.h"

/*
 * SOCKS 4 and 4A, for request.c alone. request_socks4.c also has the function
 * of request.h that meets no stream: request_unfinished_max.
 */

/*
 * Looks at `len` octets, all so far. Octets the request takes (> 0), 0 for
 * more, or -1 and *verdict says what is wrong. Fields and texts hold what
 * could be understood.
 */
ssize_t request_socks4_read(struct request *request,
                            struct request_reading *reading,
                            const struct request_terms *terms,
                            const uint8_t *octets, size_t len,
                            struct request_texts *texts, enum verdict *verdict);

/* As request_grant and request_refuse, of a client that speaks SOCKS 4. */
size_t request_socks4_grant(struct request *request,
                            struct request_reading *reading,
                            const struct endpoint *at,
                            uint8_t reply[REQUEST_REPLY_MAX]);
size_t request_socks4_refuse(struct request *request,
                             struct request_reading *reading,
                             enum verdict verdict,
                             uint8_t reply[REQUEST_REPLY_MAX]);

#endif
