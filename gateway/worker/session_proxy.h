#ifndef GATEWAY_WORKER_SESSION_PROXY_H
#define GATEWAY_WORKER_SESSION_PROXY_H

#include "base/addr.h"
#include "gateway/worker/certificate.h"
#include "gateway/worker/proxy_header.h"
#include "gateway/worker/tls.h"

/* What a session knows of the PROXY header that its connection begins with,
   where a balancer has made it. */
struct session_proxy {
    struct endpoint balancer;    /* port 0: the client is the connection's */
    struct tls_context *context; /* reference: TLS comes behind the header */
    struct certificate *certificate; /* owned; what `certifies` says; NULL */
    bool certifies; /* the header, and nothing else, says what it is */
    bool begun;     /* octets have come */
    bool received;
    uint8_t error;   /* enum proxy_header_error */
    uint16_t unread; /* octets of the header that are in the socket yet */
};

#endif
