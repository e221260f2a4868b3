#ifndef UNIT_FAKE_LINK_H
#define UNIT_FAKE_LINK_H

#include <stddef.h>

/*
 * The other end of a link, of which there is one: it takes `room` messages,
 * then no more, or fails with `error`. fake_link.c has the functions of
 * worker/peer_link.h that what is tested calls.
 */
struct fake_link {
    size_t room, count;
    int error; /* a negative errno; 0: none */
    void *sent;
    size_t size, most;
};
extern struct fake_link fake_link;

/* Messages of that size go into `sent`, which has room for `most`. */
void fake_link_init(void *sent, size_t size, size_t most);

/* 0, -EAGAIN or the error. */
int fake_link_take(const void *message, size_t size);

#endif
