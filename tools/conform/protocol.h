#ifndef CONFORM_PROTOCOL_H
#define CONFORM_PROTOCOL_H

#include "play.h"

#define PROTOCOL_TEXT_MAX 240

/*
 * Whether the server answers a SOCKS 4 request with anything that may be a
 * reply, or in mode 5 a greeting with anything that may be a choice. If not,
 * `text` says in a sentence what it is, as far as its answers to SOCKS 4, SOCKS
 * 5, HTTP and TLS show: "It is a web server: it answers a SOCKS 4 request with
 * "HTTP/1.1 400 Bad Request"."
 */
bool protocol_is_socks(const struct setting *setting,
                       char text[PROTOCOL_TEXT_MAX]);

#endif
