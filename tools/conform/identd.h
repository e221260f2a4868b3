#ifndef CONFORM_IDENTD_H
#define CONFORM_IDENTD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "place.h"

/* What the tester's identd does when asked about a client's port. */
enum identd_manner {
    IDENTD_SAYS,    /* USERID: the text */
    IDENTD_ERROR,   /* ERROR: the text */
    IDENTD_RAW,     /* the text, and CR LF */
    IDENTD_SILENT,  /* takes the question and says nothing */
    IDENTD_HANGS_UP /* takes the question and closes */
};

struct identd_answer {
    enum identd_manner manner;
    const char *text; /* borrowed, as long as the identd lives */
};

struct identd_entry {
    struct identd_answer answer;
    bool known;
    unsigned short server_port; /* as asked; 0: not asked yet */
};

/* The ident server of the client's host: a thread, and one a question. */
struct identd {
    pthread_mutex_t lock;
    int listener;
    struct identd_entry ports[65536]; /* by the client's port */
};

/*
 * Listens on port 113 of the client's address. 0 or a negative errno:
 * -EACCES without root, -EADDRINUSE beside another identd. It lives as long as
 * the process.
 */
int identd_start(struct identd *identd, const struct place *place);

/* Before the server can ask about it. */
void identd_expect(struct identd *identd, uint16_t port,
                   const struct identd_answer *answer);
/* The other port of the question about `port`; 0: none within `wait` ms. */
uint16_t identd_asked(struct identd *identd, uint16_t port, unsigned wait);

#endif
