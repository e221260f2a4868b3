#ifndef GATEWAY_MONITOR_ARCHIVE_H
#define GATEWAY_MONITOR_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/must_check.h"

/*
 * One description of the fields of a file, for writing and for reading: each
 * call names the next field, and writes it or fills it in. So writer and reader
 * cannot disagree. A third use, archive_for_each_fd, calls a function for each
 * descriptor that is named, with what it is to be, until one is unfit.
 *
 * Reading believes nothing: the first field that is cut off or out of its range
 * sets the archive's error, and every field after it is left as it was.
 */
enum archive_kind {
    ARCHIVE_ANY, /* of descriptors */
    ARCHIVE_FILE,
    ARCHIVE_PIPE,
    ARCHIVE_LISTENER,
    ARCHIVE_CHANNEL
};

typedef int archive_fd_fn(int fd, enum archive_kind kind);

struct archive {
    FILE *out;            /* writing; borrowed */
    const char *in;       /* reading: what is left; borrowed */
    size_t left;          /* of it */
    archive_fd_fn *on_fd; /* for each fd: 0 or a negative errno */
    int unfit;            /* the fd where on_fd failed, 0: none */
    enum archive_kind unfit_kind; /* what that was to be */
    int error;            /* 0, or the first negative errno */
};

/* A field of any length. */
struct archive_blob {
    char *octets; /* owned by the reader */
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
void archive_fd(struct archive *archive, int *fd, enum archive_kind kind);

/* At most `most` octets, a multiple of `size`; allocated when read. */
void archive_blob(struct archive *archive, struct archive_blob *blob,
                  size_t size, size_t most);

/* Reading: that nothing is left. 0 or the error. */
MUST_CHECK int archive_end(struct archive *archive);

#endif
