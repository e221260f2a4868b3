#ifndef GATEWAY_MONITOR_VOICE_H
#define GATEWAY_MONITOR_VOICE_H

#include <stddef.h>

#include "base/loop.h"

/*
 * What a child writes to its stderr (a failed assert, a sanitizer's
 * report), line by line, so that it reaches the log escaped and no child
 * can speak to the operator's terminal.
 */
#define VOICE_LINE_MAX 512

struct voice;
typedef void voice_said_fn(struct voice *voice, const char *line);

struct voice {
    struct loop *loop; /* borrowed */
    struct watch watch;
    voice_said_fn *said;
    size_t len;
    char line[VOICE_LINE_MAX];
};

/* Listens to `fd`, which stays the caller's. */
int voice_start(struct voice *voice, struct loop *loop, int fd,
                voice_said_fn *said);

/* It had begun this line, when another binary listened. */
void voice_resume(struct voice *voice, const char *line);

/* Says what is left, then listens no more. */
void voice_end(struct voice *voice);

#endif
