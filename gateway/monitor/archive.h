#ifndef GATEWAY_MONITOR_ARCHIVE_H
#define GATEWAY_MONITOR_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/must_check.h"

/*
 * One description of what goes into a file, for both ways: each call names
 * the next thing there, and writes it out or fills it in. So writer and
 * reader cannot disagree about what comes where. A third way does nothing
 * but visit the descriptors that are named.
 *
 * Reading believes nothing: the first thing that is cut off or out of its
 * range is the archive's error, and everything after it is left as it was.
 */
typedef int archive_fd_fn(int fd);

struct archive {
    FILE *out;            /* writing; borrowed */
    const char *in;       /* reading: what is left; borrowed */
    size_t left;          /* of it */
    archive_fd_fn *on_fd; /* for each fd: 0 or a negative errno */
    int error;            /* 0, or the first negative errno */
};

/* Octets of any length, in one piece. */
struct archive_blob {
    char *octets; /* owned by whoever reads */
    size_t len;
};

struct archive archive_writing(FILE *out);
struct archive archive_reading(const char *octets, size_t len);
struct archive archive_for_each_fd(archive_fd_fn *on_fd);

/* So many octets, as they are. */
void archive_octets(struct archive *archive, void *octets, size_t len);

/* From 0 to `most`. */
void archive_number(struct archive *archive, uint64_t *number, uint64_t most);

/* With its NUL it fits in `room`. */
void archive_text(struct archive *archive, char *text, size_t room);

/* A descriptor behind the standard ones, or -1. */
void archive_fd(struct archive *archive, int *fd);

/* At most `most` octets, a multiple of `size`; allocated when read. */
void archive_blob(struct archive *archive, struct archive_blob *blob,
                  size_t size, size_t most);

/* Reading: that nothing is left. 0 or the error. */
MUST_CHECK int archive_end(struct archive *archive);

#endif
