#ifndef GATEWAY_OBSERVER_HTTP_H
#define GATEWAY_OBSERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "gateway/observer/mhd.h"

/*
 * HTTP on observe.address: GET and HEAD, by a table of paths (http.c). Nothing
 * that is asked for changes anything.
 *
 * A client has ten seconds for a request, and ten for reading what it asked
 * for. Eight connections are served at once, streams not counted; further
 * ones get a 503 and are closed.
 */
#define HTTP_CONNECTIONS_MAX 8
#define HTTP_STREAMS_MAX 8
#define HTTP_CLIENT_MS 10000

struct observer;

struct http {
    struct observer *observer; /* borrowed */
    struct watch listener;     /* owns its descriptor, -1 */
    uint32_t serial;           /* of that socket */
    const char *missing;       /* why there is no library; NULL: there is */
    struct MHD_Daemon *daemon;
    struct watch library; /* the daemon's epoll; its descriptor is borrowed */
    struct timer due;     /* when the library wants to be called */
    struct task soon;
    unsigned count, streams;
};

/* Loads the library and starts it: to be called before the process is
   confined. 0 or a negative errno; without the library it is 0. */
int http_init(struct http *http, struct observer *observer);
/* Listens on fd, which is taken, in place of any before, whose streams end; -1:
   no more. One with the same serial is the same socket. */
void http_listen(struct http *http, int fd, uint32_t serial);
/* Also ends all connections. */
void http_fini(struct http *http);

/* A response of these octets, with the headers still to come. `owned` (or NULL,
   where they are static) is taken. NULL: no memory. */
struct MHD_Response *http_response(const char *octets, size_t len, char *owned);

/*
 * For what answers a path. The text, of which the caller has made an owned
 * pointer by malloc, is taken; NULL: no memory. `type` is a Content-Type.
 */
enum MHD_Result http_answer(struct MHD_Connection *connection, unsigned status,
                            const char *type, char *text, size_t len);

/* The response of this connection never ends: no time is set for it, and it
   counts as a stream. False: there are enough of these. */
bool http_begin_stream(struct MHD_Connection *connection);
/* Ends one that does not read. */
void http_cut(struct MHD_Connection *connection);
/* Something has been resumed: the library is called soon. */
void http_wake(struct http *http);

#endif
