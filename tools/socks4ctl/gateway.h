#ifndef TOOLS_SOCKS4CTL_GATEWAY_H
#define TOOLS_SOCKS4CTL_GATEWAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A connection to a gateway's control socket: a request is a JSON object on a
 * line, and so is the answer.
 */
struct gateway {
    const char *socket; /* borrowed */
    int fd;             /* owned, -1 */
    char *in;           /* owned */
    size_t len, looked, room;
};

/* Where there is a gateway if no -s says it: in `path`, of GATEWAY_PATH_MAX. */
#define GATEWAY_PATH_MAX 4096
void gateway_find(char *path);

/* Where it says nothing for that long, it hangs: one that does is replaced
   within six seconds. */
#define GATEWAY_PATIENCE_MS 15000

/* 0; or -1 after one line on stderr. `patience_ms`: of connecting, of sending,
   and of an answer, where it may not take as long as it will
   (gateway_be_patient). */
int gateway_open(struct gateway *gateway, const char *socket,
                 unsigned patience_ms);
void gateway_close(struct gateway *gateway);

/* 0, or -1: no memory. Where the gateway is gone it shows as no answer. */
int gateway_ask(struct gateway *gateway, const json_t *request);
/* The next line, owned by the caller, which is waited for; NULL: there is none,
   or it is not JSON, which is said on stderr. */
json_t *gateway_answer(struct gateway *gateway);

/* For a request whose answer may take as long as it will: once the gateway has
   said how it does, the next answer is waited for without end. 0, or -1 as
   gateway_answer: an observer that never accepts is not waited for. */
int gateway_be_patient(struct gateway *gateway);

/* Reads once: 1, 0 at the end, -1: an error. */
int gateway_read(struct gateway *gateway);
/* A line that was read; NULL: there is none, or it is not JSON. */
json_t *gateway_take(struct gateway *gateway);

#endif
